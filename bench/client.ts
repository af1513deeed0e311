import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { carried, Wire, type Answer } from './wire.js';

/** What a request carries beside its path. */
export interface Parts {
  /** A tar if it is a `Buffer`; anything else is sent as JSON. */
  readonly body?: unknown;
  readonly stream?: Readable;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const requestTimeoutMs = 300_000;

/** Raw requests to one engine over its unix socket; no client program takes part. */
export interface Client {
  /** The answer's body. Throws on a status of 400 and above, as all of these do. */
  readonly text: (method: string, path: string, parts?: Parts) => Promise<string>;
  readonly json: <T>(method: string, path: string, parts?: Parts) => Promise<T>;
  /** Resolves once the answer's head is there; the body may take longer. */
  readonly begin: (method: string, path: string, body?: unknown) => Promise<Answer>;
  /** The answer once its head is there, to be read bit by bit. */
  readonly open: (method: string, path: string, parts?: Parts) => Promise<IncomingMessage>;
  /** Reads an answer to its end and counts its bytes. */
  readonly drain: (method: string, path: string) => Promise<number>;
  readonly close: () => void;
}

/** Opens a client; connections are kept and used again. */
export function openClient(socketPath: string): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 128 });
  Object.assign(agent, { createConnection: () => connect(socketPath) });

  const open = (method: string, path: string, parts: Parts = {}): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const body = carried(parts.body);
      const type = parts.type ?? body.type;
      const request = httpRequest({
        agent,
        host: 'bench',
        method,
        path,
        timeout: requestTimeoutMs,
        headers: {
          ...(type === undefined ? {} : { 'Content-Type': type }),
          ...(body.type !== undefined || (method === 'POST' && parts.stream === undefined)
            ? { 'Content-Length': body.bytes.length }
            : {}),
          ...parts.headers,
        },
      });
      request.on('error', reject);
      request.on('timeout', () => request.destroy(new Error(`${method} ${path}: timed out`)));
      request.on('response', (answer) => {
        if ((answer.statusCode ?? 0) < 400) return resolve(answer);
        collect(answer).then(
          (text) => reject(
            new Error(`${method} ${path}: ${answer.statusCode ?? 0} ${text.trim()}`),
          ),
          reject,
        );
      });
      if (parts.stream === undefined) request.end(body.bytes);
      else parts.stream.on('error', (problem) => request.destroy(problem)).pipe(request);
    });

  const wire = new Wire(socketPath);
  const begin = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const answer = await wire.ask(method, path, body);
    if (answer.status < 400) return answer;
    throw new Error(`${method} ${path}: ${answer.status} ${(await answer.body).trim()}`);
  };
  const text = async (method: string, path: string, parts: Parts = {}): Promise<string> => {
    if (parts.stream !== undefined) return collect(await open(method, path, parts));
    return (await begin(method, path, parts.body)).body;
  };
  return {
    open,
    begin,
    text,
    // Each measure names the shape that the API promises.
    json: async <T>(method: string, path: string, parts?: Parts) =>
      JSON.parse(await text(method, path, parts)) as T,
    drain: async (method, path) => {
      let sizeBytes = 0;
      for await (const chunk of await open(method, path)) {
        if (chunk instanceof Buffer) sizeBytes += chunk.length;
      }
      return sizeBytes;
    },
    close: () => {
      agent.destroy();
      wire.close();
    },
  };
}

async function collect(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) if (chunk instanceof Buffer) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
