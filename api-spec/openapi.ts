/** The OpenAPI document, generated from the operations and their schemas. */
import type { TSchema } from 'typebox';
import * as shapes from './index.js';
import type { Answer, Operation } from './operation.js';
import { operations } from './operations/index.js';
import { maxMinor, minMinor, versionText } from './versions.js';

type Json = Readonly<Record<string, unknown>>;

let text: string | undefined;

/** The document as JSON text with a final newline; made once. */
export function openapiText(): string {
  text ??= `${JSON.stringify(openapi(), undefined, 1)}\n`;
  return text;
}

/** The document: OpenAPI 3.1, whose schemas are JSON Schema. */
export function openapi(): Json {
  const names = schemaNames();
  const paths: Record<string, Record<string, Json>> = {};
  // The record's values are operations; the alias forgets their literal types.
  for (const described of Object.values(operations) as readonly Operation[]) {
    const path = described.url.replace(/:([a-z]+)/g, '{$1}');
    (paths[path] ??= {})[described.method.toLowerCase()] = pathItem(described, names);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'tsdocker engine API',
      version: versionText(maxMinor),
      description:
        `The Docker Engine API as tsdocker speaks it: versions ${versionText(minMinor)} ` +
        `to ${versionText(maxMinor)}, as a prefix of the path.`,
    },
    servers: [{ url: `/v${versionText(maxMinor)}` }, { url: '/' }],
    paths,
    components: {
      schemas: Object.fromEntries(
        [...names].map(([schema, name]) => [name, referring(schema, names, schema)]),
      ),
    },
  };
}

/** The schemas that have a name: those that the front door exports. */
function schemaNames(): ReadonlyMap<object, string> {
  const names = new Map<object, string>();
  for (const [name, value] of Object.entries(shapes)) {
    const isSchema = typeof value === 'object' && ('type' in value || 'anyOf' in value);
    if (isSchema) names.set(value, name);
  }
  return names;
}

/** A copy of `value` in which every named schema but `root` is a reference. */
function referring(value: unknown, names: ReadonlyMap<object, string>, root?: object): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const name = value === root ? undefined : names.get(value);
  if (name !== undefined) return { $ref: `#/components/schemas/${name}` };
  if (Array.isArray(value)) return value.map((item) => referring(item, names));
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, referring(member, names)]),
  );
}

function pathItem(described: Operation, names: ReadonlyMap<object, string>): Json {
  const parameters = [...pathParameters(described), ...queryParameters(described)];
  return {
    operationId: described.operationId,
    summary: described.summary,
    'x-since': versionText(described.since),
    ...(parameters.length > 0 && { parameters }),
    ...(described.body !== undefined && { requestBody: requestBody(described.body, names) }),
    responses: {
      [described.answer.status]: responseOf(described.answer, names),
      default: {
        description: 'What went wrong.',
        content: jsonContent({ $ref: '#/components/schemas/ErrorResponse' }),
      },
    },
  };
}

function pathParameters(described: Operation): Json[] {
  return [...described.url.matchAll(/:([a-z]+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(described: Operation): Json[] {
  const plain = Object.entries(described.query ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    schema: referring(schema, new Map()),
  }));
  if (described.filters === undefined) return plain;
  const known = described.filters.join(', ');
  const description = `A map from name to list of values, as JSON. Names: ${known}.`;
  return [...plain, { name: 'filters', in: 'query', description, schema: { type: 'string' } }];
}

function requestBody(
  body: NonNullable<Operation['body']>,
  names: ReadonlyMap<object, string>,
): Json {
  if (body.kind === 'stream') return { content: { [body.mediaType]: binary } };
  return { required: body.required === true, content: jsonContent(referring(body.schema, names)) };
}

const binary = { schema: { type: 'string', format: 'binary' } };
const jsonContent = (schema: unknown): Json => ({ 'application/json': { schema } });

function responseOf(answer: Answer, names: ReadonlyMap<object, string>): Json {
  switch (answer.kind) {
    case 'json': {
      const schema: TSchema = answer.schema;
      return { description: 'Done.', content: jsonContent(referring(schema, names)) };
    }
    case 'stream':
      return { description: 'Pieces as they come.', content: { [answer.mediaType]: binary } };
    case 'empty':
      return { description: 'Done.' };
    case 'hijack':
      return { description: 'The connection is a byte stream from here on.' };
  }
}
