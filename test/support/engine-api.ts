/** A tiny client of the engine's API for tests: one request, one answer, nothing remembered. */
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';

/** One answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
  readonly text: string;
  /** The body as JSON; undefined when it is none. */
  // Tests look into it with t.match.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly json: any;
}

/** What a request carries besides its path. */
export interface RequestOptions {
  readonly method?: string;
  /** Sent as JSON, unless it is bytes or a stream. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Requests by method; a path without `/v1.` in front is of no version. */
export interface EngineApi {
  get(path: string, options?: RequestOptions): Promise<Answer>;
  post(path: string, body?: unknown, options?: RequestOptions): Promise<Answer>;
  put(path: string, body: unknown, options?: RequestOptions): Promise<Answer>;
  delete(path: string, options?: RequestOptions): Promise<Answer>;
  /** The answer as it comes; the caller ends it. */
  open(path: string, options?: RequestOptions): Promise<IncomingMessage>;
}

const defaultTimeoutMs = 60_000;

function isStream(body: unknown): body is Readable {
  return typeof body === 'object' && body !== null && 'pipe' in body;
}

function payload(body: unknown): { readonly type: string; readonly bytes: Buffer | undefined } {
  if (body === undefined) return { type: 'application/json', bytes: undefined };
  if (Buffer.isBuffer(body)) return { type: 'application/x-tar', bytes: body };
  return { type: 'application/json', bytes: Buffer.from(JSON.stringify(body)) };
}

function open(socketPath: string, path: string, options: RequestOptions): Promise<IncomingMessage> {
  const { method = 'GET', body, headers = {}, timeoutMs = defaultTimeoutMs } = options;
  return new Promise((resolve, reject) => {
    const streamed = isStream(body);
    const { type, bytes } = streamed
      ? { type: 'application/x-tar', bytes: undefined }
      : payload(body);
    const wantsBody = streamed || bytes !== undefined;
    const request = httpRequest({
      socketPath,
      path,
      method,
      agent: false,
      timeout: timeoutMs,
      headers: {
        Host: 'engine',
        ...(wantsBody ? { 'Content-Type': type } : {}),
        ...(bytes === undefined ? {} : { 'Content-Length': bytes.length }),
        ...headers,
      },
    });
    request.once('response', resolve).once('error', reject);
    request.once('timeout', () =>
      request.destroy(new Error(`${method} ${path}: no answer in ${timeoutMs} ms`)),
    );
    if (streamed) body.pipe(request);
    else request.end(bytes);
  });
}

async function whole(message: IncomingMessage): Promise<Answer> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(Buffer.from(part));
  const bytes = Buffer.concat(parts);
  const text = bytes.toString();
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    bytes,
    text,
    json: parsed(text),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not every answer is one JSON value
  }
}

/** A client of the engine at this socket. */
export function engineApi(socketPath: string): EngineApi {
  const send = async (path: string, options: RequestOptions): Promise<Answer> =>
    whole(await open(socketPath, path, options));
  return {
    get: (path, options) => send(path, { ...options, method: 'GET' }),
    post: (path, body, options) => send(path, { ...options, method: 'POST', body }),
    put: (path, body, options) => send(path, { ...options, method: 'PUT', body }),
    delete: (path, options) => send(path, { ...options, method: 'DELETE' }),
    open: (path, options = {}) => open(socketPath, path, options),
  };
}
