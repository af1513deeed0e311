/** A request, decoded: what handlers see, and how it comes about. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { tooLarge } from '../../api-spec/errors.js';
import type {
  AnswerOf,
  BodyOf,
  Operation,
  ParamsOf,
  QueryOf,
} from '../../api-spec/operation.js';
import type { OperationId, Operations } from '../../api-spec/operations/index.js';
import { decodeBody } from './decode.js';
import { demandJson } from './guard.js';
import { limits } from './limits.js';
import type { Conversation } from './conversation.js';
import type { Filters } from './needs.js';
import { decodeFilters, decodeQuery, searchOf } from './query.js';
import { apiMinorOf } from './versioning.js';

/** One request for one operation, decoded and checked. */
export interface Call<Described extends Operation> {
  readonly params: ParamsOf<Described['url']>;
  readonly query: QueryOf<Described>;
  /** Empty when the operation has none. */
  readonly filters: Filters;
  readonly body: BodyOf<Described>;
  /** 44 for API 1.44. */
  readonly apiMinor: number;
  readonly headers: IncomingMessage['headers'];
}

/** A call whose answer is written in pieces by the handler itself. */
export interface StreamCall<Described extends Operation> extends Call<Described> {
  /** The body as it comes. */
  readonly request: Readable;
  readonly response: ServerResponse;
  /** The client is gone. */
  readonly signal: AbortSignal;
}

/** What a handler is, by the kind of its operation's answer. */
export type Handler<Described extends Operation> = Described['answer'] extends { kind: 'json' }
  ? (call: Call<Described>) => Promise<AnswerOf<Described>> | AnswerOf<Described>
  : Described['answer'] extends { kind: 'hijack' }
    ? (call: Call<Described>) => Promise<Conversation | undefined>
    : Described['answer'] extends { kind: 'stream' }
      ? (call: StreamCall<Described>) => Promise<void>
      : (call: StreamCall<Described>) => Promise<'notModified' | undefined> | Promise<void>;

/** One handler for every operation. */
export type Handlers = { readonly [Id in OperationId]: Handler<Operations[Id]> };

/** The handlers of some operations. */
export type HandlersOf<Id extends OperationId> = Pick<Handlers, Id>;

/**
 * Decodes all but the body, in the order in which Docker refuses: version, query, filters.
 * Throws `ApiError` 400.
 */
export function decodeHead(
  operation: Operation,
  request: IncomingMessage,
  params: unknown,
): Omit<Call<Operation>, 'body'> {
  const apiMinor = apiMinorOf(request);
  const search = searchOf(request.url ?? '');
  const filters = operation.filters;
  return {
    params,
    query: operation.query === undefined ? undefined : decodeQuery(operation.query, search),
    filters: filters === undefined ? {} : decodeFilters(search.get('filters'), filters),
    apiMinor,
    headers: request.headers,
  };
}

/** Reads and decodes the body if the operation has a JSON one. Throws `ApiError` 400 and 413. */
export async function decodeJson(operation: Operation, request: IncomingMessage): Promise<unknown> {
  if (operation.body?.kind !== 'json') return undefined;
  demandJson(request);
  const text = await readText(request, limits.jsonBodyBytes);
  return decodeText(operation.body, text);
}

/** Decodes the text of a JSON body. Throws `ApiError` 400. */
export function decodeText(
  body: Extract<NonNullable<Operation['body']>, { kind: 'json' }>,
  text: string,
): unknown {
  return decodeBody(body.schema, text, body.required === true);
}

async function readText(request: IncomingMessage, limitBytes: number): Promise<string> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > limitBytes) throw bodyTooLarge(limitBytes);
  // What came together with its head is there in a moment: an iterator would cost more than it.
  await Promise.resolve();
  if (request.readableLength === declared && (declared > 0 || request.complete)) {
    // As below.
    const text = (request.read() as Buffer | null)?.toString('utf8') ?? '';
    // Its end is still to come, and to be heard by nobody.
    request.resume();
    return text;
  }
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  // Node's own request bodies are Buffers unless an encoding is set, and none is.
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) throw bodyTooLarge(limitBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, sizeBytes).toString('utf8');
}

const bodyTooLarge = (limitBytes: number) =>
  tooLarge(`request body too large: the limit is ${String(limitBytes)} bytes`);
