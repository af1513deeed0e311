/**
 * Reads a json-file log for a client. Memory stays flat however large the log is: chunks are read
 * when the consumer takes them, and each is given away as soon as it is decoded.
 */
import { stat } from 'node:fs/promises';
import { watchLog } from './change-signal.js';
import type { DecodeOptions } from './decode.js';
import { LogDecoder } from './decode.js';
import type { LogFile } from './log-files.js';
import { closeLogFiles, openLogFiles } from './log-files.js';
import { findTail } from './tail.js';

/** What `GET /containers/{id}/logs` asks for. */
export interface ReadLogsOptions extends DecodeOptions {
  /** Goes on with what is written later, until `ended`. */
  readonly follow: boolean;
  /** Lines from the end, counted before streams and times are sorted out, as Docker does. */
  readonly tail?: number | undefined;
  /** Settles when the container has exited and its log is complete; only for `follow`. */
  readonly ended?: Promise<unknown>;
  readonly signal?: AbortSignal | undefined;
}

const chunkBytes = 256 * 1024;
/** A line of the shim holds 16 KiB, at most six times as much escaped; the rest is attributes. */
const maxLineBytes = 4 * 1024 * 1024;
const newline = 0x0a;

/** A place in the log: the file that is being read, and how far. */
class Cursor {
  #file: LogFile;
  #offset: number;
  /** The beginning of a line whose end has not been read yet. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(file: LogFile, offset: number) {
    this.#file = file;
    this.#offset = offset;
  }

  get file(): LogFile {
    return this.#file;
  }

  /** Goes on in the next file; the caller closes the old one. A line never spans two files. */
  enter(file: LogFile): void {
    this.#file = file;
    this.#offset = 0;
    this.#rest = Buffer.alloc(0);
  }

  /** A file that is truncated in place of being rotated begins anew. */
  async rewindIfTruncated(): Promise<void> {
    const { size } = await this.#file.handle.stat();
    if (size < this.#offset) this.enter(this.#file);
  }

  /** The next whole lines before `limit`, or undefined at the end. */
  async lines(limit: number): Promise<Buffer | undefined> {
    for (;;) {
      const wanted = Math.min(chunkBytes, limit - this.#offset);
      if (wanted <= 0) return undefined;
      const buffer = Buffer.allocUnsafe(this.#rest.length + wanted);
      const held = this.#rest.length;
      const { bytesRead } = await this.#file.handle.read(buffer, held, wanted, this.#offset);
      if (bytesRead === 0) return undefined;
      this.#rest.copy(buffer);
      this.#offset += bytesRead;
      const filled = buffer.subarray(0, held + bytesRead);
      const end = filled.lastIndexOf(newline) + 1;
      // What grows beyond every line's bound is no log: it is dropped, and the next line found.
      this.#rest = filled.length - end > maxLineBytes ? Buffer.alloc(0) : filled.subarray(end);
      if (end > 0) return filled.subarray(0, end);
    }
  }
}

/** The descriptors of one reading: whatever happens, all of them are closed at its end. */
class OpenFiles {
  readonly #files = new Set<LogFile>();

  add(files: readonly LogFile[]): readonly LogFile[] {
    for (const file of files) this.#files.add(file);
    return files;
  }

  async close(files: Iterable<LogFile> = this.#files): Promise<void> {
    const closing = [...files];
    for (const file of closing) this.#files.delete(file);
    await closeLogFiles(closing);
  }
}

interface Reading {
  readonly path: string;
  readonly options: ReadLogsOptions;
  readonly decoder: LogDecoder;
  readonly open: OpenFiles;
  readonly isDone: () => boolean;
}

async function* decoded(reading: Reading, cursor: Cursor, limit: number): AsyncGenerator<Buffer> {
  while (!reading.isDone()) {
    const lines = await cursor.lines(limit);
    if (lines === undefined) return;
    const frames = reading.decoder.decode(lines);
    if (frames.length > 0) yield frames;
  }
}

async function inodeAt(path: string): Promise<bigint | undefined> {
  try {
    return (await stat(path, { bigint: true })).ino;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Files that came after `file`, oldest first; all that there are when `file` is no longer one. */
async function newerFiles(
  reading: Reading,
  file: LogFile | undefined,
): Promise<readonly LogFile[]> {
  const newest = await inodeAt(reading.path);
  if (newest === undefined || newest === file?.inode) return [];
  const files = reading.open.add(await openLogFiles(reading.path));
  const at = files.findIndex((other) => other.inode === file?.inode);
  await reading.open.close(files.slice(0, at + 1));
  return files.slice(at + 1);
}

async function* drain(reading: Reading, cursor: Cursor | undefined): AsyncGenerator<Buffer> {
  if (cursor === undefined) return;
  await cursor.rewindIfTruncated();
  yield* decoded(reading, cursor, Number.MAX_SAFE_INTEGER);
}

/** Reads on from `start` and through every newer file; ends at the container's end. */
async function* follow(reading: Reading, start: Cursor | undefined): AsyncGenerator<Buffer> {
  const { path, options } = reading;
  const state = { ended: false };
  const note = (): void => {
    state.ended = true;
  };
  const end = Promise.resolve(options.ended).then(note, note);
  const aborted = abortOf(options.signal);
  const changes = watchLog(path, [end, aborted.promise]);
  let cursor = start;
  try {
    while (!reading.isDone()) {
      await changes.next();
      // Asked before reading: what was written before the end is read after this.
      const last = state.ended;
      yield* drain(reading, cursor);
      for (const file of await newerFiles(reading, cursor?.file)) {
        // Something may have been written between the read and the rotation that was seen later.
        yield* drain(reading, cursor);
        cursor = await advance(reading, cursor, file);
        yield* drain(reading, cursor);
      }
      if (last) return;
    }
  } finally {
    changes.close();
    aborted.forget();
  }
}

async function advance(
  reading: Reading,
  cursor: Cursor | undefined,
  file: LogFile,
): Promise<Cursor> {
  if (cursor === undefined) return new Cursor(file, 0);
  const old = cursor.file;
  cursor.enter(file);
  await reading.open.close([old]);
  return cursor;
}

function abortOf(signal: AbortSignal | undefined): { promise: Promise<void>; forget(): void } {
  let forget = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    const listener = (): void => resolve();
    signal?.addEventListener('abort', listener, { once: true });
    forget = () => signal?.removeEventListener('abort', listener);
  });
  return { promise, forget };
}

/** What there is, from the tail's beginning on; returns the place where it ended. */
async function* existing(reading: Reading): AsyncGenerator<Buffer, Cursor | undefined> {
  const files = reading.open.add(await openLogFiles(reading.path));
  const { tail } = reading.options;
  const start = tail === undefined ? { index: 0, offset: 0 } : await findTail(files, tail);
  await reading.open.close(files.slice(0, start.index));
  let cursor: Cursor | undefined;
  for (const file of files.slice(start.index)) {
    if (cursor === undefined) cursor = new Cursor(file, start.offset);
    else await advance(reading, cursor, file);
    // No further than the file went when it was opened, lest a fast writer keep us for ever.
    yield* decoded(reading, cursor, file.sizeBytes);
  }
  return cursor;
}

/**
 * The log at `path` and its rotated files, as the bytes that a client is sent: whole frames in each
 * buffer, or bare bytes. A log that does not exist is empty. Whoever stops taking before the end
 * must abort the signal, on which the iteration ends quietly; all descriptors are closed then.
 */
export async function* readLogs(path: string, options: ReadLogsOptions): AsyncGenerator<Buffer> {
  const decoder = new LogDecoder(options);
  const isDone = (): boolean => decoder.finished || options.signal?.aborted === true;
  const reading = { path, options, decoder, open: new OpenFiles(), isDone };
  try {
    const cursor = yield* existing(reading);
    if (options.follow) yield* follow(reading, cursor);
  } finally {
    await reading.open.close();
  }
}
