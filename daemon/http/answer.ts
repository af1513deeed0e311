/** One ordinary request, from decoded to answered: the same few steps for every operation. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Duplex, type Readable } from 'node:stream';
import type { Answer, Operation } from '../../api-spec/operation.js';
import { rawStream } from '../../api-spec/operations/index.js';
import { decodeHead, decodeJson, decodeText, type Call, type StreamCall } from './call.js';
import { refusalOf, sendRefusal, type Refusal } from './errors.js';
import { demandJson } from './guard.js';
import { bodyLengthOf, splitJson } from './hijack-body.js';
import { converse } from './hijack.js';
import { limits } from './limits.js';
import type { Conversation } from './conversation.js';

/** What all requests share. */
export interface Surroundings {
  /** Headers of every answer. */
  readonly headers: Readonly<Record<string, string>>;
  /** Throws what every request may be refused for. */
  readonly guard: (request: IncomingMessage) => void;
  readonly onRefusal: (refusal: Refusal, error: unknown) => void;
}

/** A handler without its operation's types: each is called with what its own schema described. */
export type AnyHandler = (call: StreamCall<Operation>) => unknown;

/** Answers one request; never throws. */
export async function answer(
  route: { readonly operation: Operation; readonly handler: AnyHandler },
  exchange: {
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
    readonly params: unknown;
  },
  surroundings: Surroundings,
): Promise<void> {
  const { operation, handler } = route;
  const { request, response, params } = exchange;
  try {
    setHeaders(response, surroundings.headers);
    surroundings.guard(request);
    const head = decodeHead(operation, request, params);
    if (operation.answer.kind === 'hijack') {
      await hijackWithoutUpgrade(operation, handler, head, exchange);
      return;
    }
    const body = await decodeJson(operation, request);
    // The operation's own schema described what was decoded.
    const call = { ...head, body } as Call<Operation>;
    const result =
      operation.answer.kind === 'json'
        ? await handler(call as StreamCall<Operation>)
        : await handler(streamCall(call, request, response));
    if (!response.headersSent) sendResult(response, operation.answer, result);
  } catch (error) {
    const refusal = refusalOf(error);
    surroundings.onRefusal(refusal, error);
    sendRefusal(request, response, refusal);
  }
}

/** Puts the headers of every answer. */
export function setHeaders(
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
): void {
  for (const name in headers) response.setHeader(name, headers[name] ?? '');
}

/** Most handlers do not ask for the signal, which costs as much as finding the route. */
function streamCall(
  call: Call<Operation>,
  request: IncomingMessage,
  response: ServerResponse,
): StreamCall<Operation> {
  let signal: AbortSignal | undefined;
  return {
    ...call,
    request,
    response,
    get signal() {
      return (signal ??= goneSignal(response));
    },
  };
}

function goneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  const close = (): void => {
    if (!response.writableFinished) controller.abort();
  };
  // Whoever asks late may have missed it.
  if (response.destroyed) close();
  else response.once('close', close);
  return controller.signal;
}

function sendResult(response: ServerResponse, answered: Answer, result: unknown): void {
  if (result === 'notModified') {
    response.writeHead(304).end();
    return;
  }
  if (answered.kind !== 'json') {
    // 204 has no length by definition; the others say that there is nothing.
    if (answered.status !== 204) response.setHeader('Content-Length', 0);
    response.writeHead(answered.status).end();
    return;
  }
  const text = `${JSON.stringify(result)}\n`;
  response.writeHead(answered.status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

/**
 * A hijack on a connection that Node does not let go of: no `Upgrade`, and not the connection's
 * first request or a chunked one. Output is a body without length; stdin is the rest of the body.
 */
async function hijackWithoutUpgrade(
  operation: Operation,
  handler: AnyHandler,
  head: Omit<Call<Operation>, 'body'>,
  exchange: { readonly request: IncomingMessage; readonly response: ServerResponse },
): Promise<void> {
  const { request, response } = exchange;
  const { body, stdin } = await cutStdin(operation, request);
  // The operation's own schema described what was decoded, and a hijack returns a conversation.
  const call = { ...head, body } as Call<Operation>;
  const conversation = (await handler(call as StreamCall<Operation>)) as Conversation | undefined;
  if (conversation === undefined) {
    response.writeHead(200, { 'Content-Length': 0 }).end();
    return;
  }
  response.removeHeader('Transfer-Encoding');
  response.writeHead(200, {
    // Frames or not: only an upgrade is told which.
    'Content-Type': rawStream,
    Connection: 'close',
  });
  const flush = (): void => response.flushHeaders();
  // One write instead of two, and one less for the client to wake up for.
  const timer = setTimeout(flush, limits.headWaitMs);
  if (conversation.speaksSoon !== true) flush();
  const client = stdin === undefined
    ? writing(response) : Duplex.from({ readable: stdin, writable: response });
  await converse(client, conversation, { hold: false }).finally(() => clearTimeout(timer));
}

/** Of a client that says nothing and does not end: the end of a plain body is not that of stdin. */
function writing(response: ServerResponse): Duplex {
  const client = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      if (response.write(chunk)) done();
      else response.once('drain', done);
    },
    final: (done) => {
      response.end();
      done();
    },
    destroy: (error, done) => {
      response.destroy();
      done(error);
    },
  });
  response.on('error', (error) => client.destroy(error)).once('close', () => client.destroy());
  return client;
}

async function cutStdin(
  operation: Operation,
  request: IncomingMessage,
): Promise<{ readonly body: unknown; readonly stdin?: Readable }> {
  const isChunked = bodyLengthOf(request.headers).chunked;
  if (operation.body?.kind !== 'json') {
    return { body: undefined, ...(isChunked ? { stdin: request } : {}) };
  }
  demandJson(request);
  if (!isChunked) return { body: await decodeJson(operation, request) };
  const { text, rest } = await splitJson(request);
  return { body: decodeText(operation.body, text), stdin: rest };
}
