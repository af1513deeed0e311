/** Answers in pieces: progress, lines of JSON, logs, tars. All stop with the client. */
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { JsonMessage } from '../../api-spec/index.js';
import { refusalOf, type Refusal } from './errors.js';
import type { ProgressSink } from './needs.js';

/** Settles when the response can take more, or is gone. */
function drained(response: ServerResponse): Promise<void> {
  if (!response.writableNeedDrain || response.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

/**
 * Runs `work` with a sink whose lines are the answer. An error before the first line is thrown; a
 * later one becomes the last line, since the status is gone. Returns what was told that way.
 */
export async function sendProgress(
  response: ServerResponse,
  work: (sink: ProgressSink) => Promise<void>,
): Promise<Refusal | undefined> {
  const write = (message: JsonMessage) => {
    if (!response.headersSent) {
      response.writeHead(200, { 'Content-Type': 'application/json' });
    }
    response.write(`${JSON.stringify(message)}\r\n`);
  };
  const sink: ProgressSink = (message) => {
    const canBeMissed = message.progressDetail !== undefined && response.writableNeedDrain;
    if (canBeMissed || response.destroyed) return Promise.resolve();
    write(message);
    return drained(response);
  };
  let told: Refusal | undefined;
  try {
    await work(sink);
  } catch (error) {
    if (!response.headersSent) throw error;
    told = refusalOf(error);
    // `error` is the older spelling: docker-py fails a build or pull on it alone.
    write({ errorDetail: errorDetail(told), error: told.message });
  }
  if (!response.headersSent) response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end();
  return told;
}

const errorDetail = (refusal: Refusal) =>
  refusal.status === 500
    ? { message: refusal.message }
    : { code: refusal.status, message: refusal.message };

/** Sends each text as it comes; the headers go out at once. Ends with the source or the client. */
export async function sendTexts(
  response: ServerResponse,
  contentType: string,
  texts: AsyncIterable<string>,
  signal: AbortSignal,
): Promise<void> {
  await sendPieces(response, contentType, texts, signal);
}

/** Sends bytes as they come; the headers go out at once. Ends with the source or the client. */
export async function sendBytes(
  response: ServerResponse,
  contentType: string,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  await sendPieces(response, contentType, bytes, signal);
}

async function sendPieces(
  response: ServerResponse,
  contentType: string,
  pieces: AsyncIterable<string | Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, { 'Content-Type': contentType });
  // A client that waits for the headers before it does anything else must not wait for a line.
  response.flushHeaders();
  try {
    for await (const piece of pieces) {
      if (signal.aborted) break;
      response.write(piece);
      await drained(response);
    }
  } catch (error) {
    // An iterable that is told by the signal may say so by throwing: nobody is there to be told.
    if (!signal.aborted) throw error;
  }
  response.end();
}

/** Sends a file or tar; destroys it when the client goes away. */
export async function sendFile(
  response: ServerResponse,
  contentType: string,
  source: Readable,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, { 'Content-Type': contentType });
  try {
    await pipeline(source, response, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** A tar, compressed where the client takes that. Level 1: a socket is faster than any other. */
export async function sendArchive(
  response: ServerResponse,
  tar: Readable,
  acceptEncoding: string | string[] | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (!/(^|,)\s*gzip\s*($|,|;\s*q=(?!0(\.0*)?\s*($|,)))/i.test(String(acceptEncoding))) {
    await sendFile(response, 'application/x-tar', tar, signal);
    return;
  }
  response.writeHead(200, { 'Content-Type': 'application/x-tar', 'Content-Encoding': 'gzip' });
  try {
    await pipeline(tar, createGzip({ level: 1 }), response, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** The eight bytes before a payload: its stream, three zeros, its length big-endian. */
export function frameHead(stream: 0 | 1 | 2 | 3, lengthBytes: number): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt8(stream, 0);
  head.writeUInt32BE(lengthBytes, 4);
  return head;
}
