/**
 * JSON bodies as Go reads them, by a walk along the schema: the keys of objects match in any case,
 * those of maps are the user's own; null is absence; unknown keys are ignored. Nothing is ever
 * turned into another type: a wrong one is refused.
 */
import type { Static, TSchema } from 'typebox';
import { invalidParameter } from '../../api-spec/errors.js';
import { acceptsBareString } from '../../api-spec/shape.js';

/** The parts of a schema that the walk looks at. */
interface Node {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly patternProperties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly [acceptsBareString]?: boolean;
}

/**
 * Reads `text` as a body of `schema`; empty text (unless it is `required`) and `null` are an empty
 * object. Throws `ApiError` 400 that names the field.
 */
export function decodeBody<Schema extends TSchema>(
  schema: Schema,
  text: string,
  required = false,
): Static<Schema> {
  const isEmpty = text.trim() === '';
  if (isEmpty && required) {
    throw invalidParameter('invalid JSON: got EOF while reading request body');
  }
  const value = isEmpty ? {} : (parse(text) ?? {});
  // The walk returns only what the schema describes; TypeScript cannot follow it there.
  return walk(schema, value, '') as Static<Schema>;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidParameter(syntaxMessage(error instanceof Error ? error.message : '', text), error);
  }
}

/** V8's words for a syntax error, in those of Go where clients know them. */
function syntaxMessage(message: string, text: string): string {
  if (message.includes('after JSON')) return 'unexpected content after JSON';
  const position = /at position (\d+)/.exec(message)?.[1];
  const atEnd = position !== undefined && Number(position) >= text.trimEnd().length;
  if (atEnd || message.includes('end of JSON') || message.includes('Unterminated')) {
    return 'invalid JSON: unexpected EOF';
  }
  const where = position === undefined ? '' : ` at position ${position}`;
  return `invalid JSON: invalid character${where}`;
}

function walk(schema: Node, value: unknown, path: string): unknown {
  if (schema.anyOf !== undefined) return walkNullable(schema.anyOf, value, path);
  switch (schema.type) {
    case 'object':
      return walkObject(schema, value, path);
    case 'array':
      return walkArray(schema, value, path);
    default:
      return walkLeaf(schema.type, value, path);
  }
}

function walkLeaf(type: string | undefined, value: unknown, path: string): unknown {
  switch (type) {
    case 'string':
    case 'boolean':
      return typeof value === type ? value : refuse(value, path, type);
    case 'integer':
      return isInt64(value) ? value : refuse(value, path, 'int64');
    case 'number':
      return typeof value === 'number' ? value : refuse(value, path, 'float64');
    default:
      return value;
  }
}

function walkNullable(options: readonly Node[], value: unknown, path: string): unknown {
  if (value === null) return null;
  const schema = options.find((option) => option.type !== 'null');
  return schema === undefined ? value : walk(schema, value, path);
}

function walkObject(schema: Node, value: unknown, path: string): unknown {
  if (!isObject(value)) return refuse(value, path, 'object');
  const values = schema.patternProperties && Object.values(schema.patternProperties)[0];
  return values === undefined
    ? walkFields(schema.properties ?? {}, value, path)
    : walkMap(values, value, path);
}

function walkFields(
  properties: Readonly<Record<string, Node>>,
  value: Readonly<Record<string, unknown>>,
  path: string,
): unknown {
  const decoded: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    if (member === null) continue;
    const isExact = Object.hasOwn(properties, key);
    const name = isExact ? key : foldedNames(properties).get(key.toLowerCase());
    const schema = name === undefined ? undefined : properties[name];
    if (name === undefined || schema === undefined) continue;
    decoded[name] = walk(schema, member, join(path, name));
  }
  return decoded;
}

/** A null value is Go's zero value, unless the map says that it means something. */
function walkMap(values: Node, value: Readonly<Record<string, unknown>>, path: string): unknown {
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, orZero(values, member, join(path, key))]),
  );
}

function walkArray(schema: Node, value: unknown, path: string): unknown {
  if (schema[acceptsBareString] === true && typeof value === 'string') return [value];
  const items = schema.items;
  if (!Array.isArray(value) || items === undefined) return refuse(value, path, 'array');
  return value.map((item: unknown) => orZero(items, item, path));
}

function orZero(schema: Node, value: unknown, path: string): unknown {
  return value === null && schema.anyOf === undefined ? zero(schema) : walk(schema, value, path);
}

function zero(schema: Node): unknown {
  switch (schema.type) {
    case 'string':
      return '';
    case 'boolean':
      return false;
    case 'integer':
    case 'number':
      return 0;
    case 'array':
      return [];
    case 'object':
      return {};
    default:
      return null;
  }
}

const folded = new WeakMap<object, ReadonlyMap<string, string>>();

function foldedNames(properties: Readonly<Record<string, Node>>): ReadonlyMap<string, string> {
  let names = folded.get(properties);
  if (names === undefined) {
    names = new Map(Object.keys(properties).map((name) => [name.toLowerCase(), name]));
    folded.set(properties, names);
  }
  return names;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isInt64 = (value: unknown): boolean =>
  typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 2 ** 63;

const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number' && !Number.isInteger(value)) return `number ${String(value)}`;
  return typeof value;
}

function refuse(value: unknown, path: string, wanted: string): never {
  const where = path === '' ? 'body' : `field ${path}`;
  throw invalidParameter(
    `invalid JSON: cannot unmarshal ${kindOf(value)} into ${where} of type ${wanted}`,
  );
}
