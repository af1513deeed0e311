/**
 * The body of a request whose connection becomes a stream: read to its end and no further, so that
 * what follows is the stream's first byte and not a byte of HTTP.
 */
import { Duplex, Readable } from 'node:stream';
import { invalidParameter, tooLarge } from '../../api-spec/errors.js';
import { limits } from './limits.js';

/** What the head says about the body. */
export interface BodyLength {
  readonly chunked: boolean;
  readonly lengthBytes: number;
}

/** Reads it from the headers. */
export function bodyLengthOf(headers: NodeJS.Dict<string | string[]>): BodyLength {
  const encoding = headers['transfer-encoding'];
  return {
    chunked: typeof encoding === 'string' && encoding.toLowerCase().includes('chunked'),
    lengthBytes: Number(headers['content-length'] ?? 0),
  };
}

/**
 * Takes the JSON from the front of `socket` and returns the stream that follows it. Throws
 * `ApiError` 400 and 413; `socket` is still whole enough then to be told.
 */
export async function takeJson(
  socket: Duplex,
  body: BodyLength,
): Promise<{ readonly text: string; readonly client: Duplex }> {
  if (body.chunked) {
    const text = await takeChunkedJson(socket);
    return { text, client: withoutTerminator(socket) };
  }
  if (body.lengthBytes > limits.hijackBodyBytes) throw bodyTooLarge();
  return { text: (await takeBytes(socket, body.lengthBytes)).toString('utf8'), client: socket };
}

/** The stream behind a head that needs no body: a chunked one's terminator is eaten if it comes. */
export async function skipBody(socket: Duplex, body: BodyLength): Promise<Duplex> {
  if (body.chunked) return withoutTerminator(socket);
  if (body.lengthBytes > limits.hijackBodyBytes) throw bodyTooLarge();
  await takeBytes(socket, body.lengthBytes);
  return socket;
}

/**
 * Splits a decoded request body into the JSON at its front and the bytes after it: clients without
 * `Upgrade` go on sending stdin in the same body.
 */
export async function splitJson(
  request: Readable,
): Promise<{ readonly text: string; readonly rest: Readable }> {
  let seen = Buffer.alloc(0);
  for (;;) {
    // Request bodies without encoding are Buffers.
    const part = request.read() as Buffer | null;
    if (part === null) {
      if (await becomesReadable(request)) continue;
      return { text: seen.toString('utf8'), rest: request };
    }
    seen = Buffer.concat([seen, part]);
    const end = endOfObject(seen);
    if (end !== -1) {
      if (end < seen.length) request.unshift(seen.subarray(end));
      return { text: seen.toString('utf8', 0, end), rest: request };
    }
    if (seen.length > limits.hijackBodyBytes) throw bodyTooLarge();
  }
}

const bodyTooLarge = () =>
  tooLarge(`request body too large: the limit is ${String(limits.hijackBodyBytes)} bytes`);

const quote = 0x22;
const backslash = 0x5c;
const opening = 0x7b;
const closing = 0x7d;

/** Where the first JSON object ends, or -1 when it does not yet. */
function endOfObject(bytes: Uint8Array): number {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === backslash) at++;
      else if (byte === quote) inString = false;
    } else if (byte === quote) inString = true;
    else if (byte === opening) depth++;
    else if (byte === closing && --depth <= 0) return at + 1;
  }
  return -1;
}

/** Chunks until their content is a whole JSON object, or until the empty chunk's size line. */
async function takeChunkedJson(socket: Readable): Promise<string> {
  let text = Buffer.alloc(0);
  for (;;) {
    const line = await takeLine(socket);
    if (!/^[0-9a-f]{1,8}(;.*)?$/i.test(line)) throw invalidParameter('invalid chunked encoding');
    const lengthBytes = Number.parseInt(line, 16);
    if (lengthBytes === 0) {
      // Put back as it was: the terminator is eaten in one place.
      socket.unshift(Buffer.from(`${line}\r\n`));
      return text.toString('utf8');
    }
    if (text.length + lengthBytes > limits.hijackBodyBytes) throw bodyTooLarge();
    text = Buffer.concat([text, await takeBytes(socket, lengthBytes)]);
    await takeLine(socket);
    if (endOfObject(text) !== -1) return text.toString('utf8');
  }
}

const terminator = Buffer.from('0\r\n\r\n');

/** The same stream, without a chunked body's terminator if that is what it begins with. */
function withoutTerminator(socket: Duplex): Duplex {
  const readable = Readable.from(afterTerminator(socket), { objectMode: false });
  return Duplex.from({ readable, writable: socket });
}

async function* afterTerminator(socket: Duplex): AsyncGenerator<Buffer> {
  let held: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    // A socket without encoding yields Buffers.
    const bytes = chunk as Buffer;
    if (held === undefined) {
      yield bytes;
      continue;
    }
    held = Buffer.concat([held, bytes]);
    const compared = Math.min(held.length, terminator.length);
    const isTerminator = held.subarray(0, compared).equals(terminator.subarray(0, compared));
    if (isTerminator && held.length < terminator.length) continue;
    const rest = isTerminator ? held.subarray(terminator.length) : held;
    held = undefined;
    if (rest.length > 0) yield rest;
  }
  if (held !== undefined && held.length > 0) yield held;
}

const maxLineBytes = 256;

async function takeLine(socket: Readable): Promise<string> {
  const bytes: number[] = [];
  for (;;) {
    const [byte] = await takeBytes(socket, 1);
    if (byte === undefined || bytes.length > maxLineBytes) {
      throw invalidParameter('invalid chunked encoding');
    }
    if (byte === 0x0a) return Buffer.from(bytes).toString('latin1').replace(/\r$/, '');
    bytes.push(byte);
  }
}

/** Exactly so many bytes, or fewer when the stream ends; the rest stays in it. */
async function takeBytes(socket: Readable, lengthBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let missing = lengthBytes;
  while (missing > 0) {
    const available = Math.min(missing, socket.readableLength);
    // Without encoding, streams of bytes yield Buffers.
    const part = available === 0 ? null : (socket.read(available) as Buffer | null);
    if (part !== null) {
      parts.push(part);
      missing -= part.length;
    } else if (!(await becomesReadable(socket))) {
      break;
    }
  }
  return Buffer.concat(parts);
}

/** False when it ended or broke, or nothing came for too long. */
function becomesReadable(stream: Readable): Promise<boolean> {
  if (stream.readableLength > 0) return Promise.resolve(true);
  if (stream.readableEnded || stream.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const settle = (isReadable: boolean) => {
      clearTimeout(timer);
      stream.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
      resolve(isReadable);
    };
    const onReadable = () => {
      // At the end of the stream `readable` comes too, with nothing to read.
      if (stream.readableLength > 0) settle(true);
      else stream.read(0);
    };
    const onEnd = () => {
      settle(false);
    };
    const timer = setTimeout(onEnd, limits.headersTimeoutMs);
    stream.on('readable', onReadable).on('end', onEnd).on('close', onEnd);
    stream.read(0);
  });
}
