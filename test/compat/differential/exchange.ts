/** One request and its answer, as they are on the wire: nothing is added, nothing is followed. */
import { request as httpRequest, type IncomingMessage } from 'node:http';

/** A request as it is sent. */
export interface WireRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  /** Reading stops after this time; without it, at the answer's end. */
  readonly readMs: number | undefined;
}

/** An answer as it came. */
export interface WireAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

const answerTimeoutMs = 30_000;
const maxTextBytes = 4 * 1024 * 1024;

/** Sends it over this socket; throws when no answer comes. */
export function exchange(socketPath: string, wire: WireRequest): Promise<WireAnswer> {
  return new Promise((resolve, reject) => {
    const { method, path, headers, body } = wire;
    const request = httpRequest({
      socketPath, method, path, agent: false,
      headers: { Host: 'engine', ...headers, ...(body && { 'Content-Length': body.length }) },
    });
    const timer = setTimeout(() => {
      request.destroy(new Error(`${method} ${path}: no answer in ${answerTimeoutMs} ms`));
    }, answerTimeoutMs);
    const finish = (message: IncomingMessage, text: string) => {
      clearTimeout(timer);
      resolve({ status: message.statusCode ?? 0, headers: joined(message), text });
      request.destroy();
    };
    request.once('response', (message) => {
      read(message, wire.readMs).then((text) => {
        finish(message, text);
      }, reject);
    });
    request.once('upgrade', (message, socket) => {
      socket.destroy();
      finish(message, '');
    });
    // An engine that crashes on a request has answered, too.
    request.once('error', (error) => {
      clearTimeout(timer);
      resolve({ status: 0, headers: {}, text: error.message });
    });
    request.end(body);
  });
}

function joined(message: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(message.headers).map(([name, value]) => [name, [value].flat().join(', ')]),
  );
}

function read(message: IncomingMessage, readMs: number | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    const end = () => {
      clearTimeout(timer);
      resolve(Buffer.concat(parts).toString());
    };
    const timer = readMs === undefined ? undefined : setTimeout(end, readMs);
    message.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes <= maxTextBytes) parts.push(part);
    });
    message.once('end', end).once('error', reject);
  });
}
