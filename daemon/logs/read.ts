/**
 * Reads a json-file log for a client. Memory stays flat however large the log is: chunks are read
 * when the consumer takes them, and each is given away as soon as it is decoded.
 */
import type { DecodeOptions } from './decode.js';
import { LogDecoder } from './decode.js';
import type { Place } from './follow.js';
import { beginningOf, follow } from './follow.js';
import { linesAt } from './lines.js';
import type { LogFile } from './log-files.js';
import { closeLogFiles, openLogFiles } from './log-files.js';
import type { Form, Keeper, LogNode, SharedLog } from './shared-log.js';
import { SharedLogs } from './shared-log.js';
import type { TailStart } from './tail.js';
import type { TextFile } from './text-file.js';
import { findTail } from './tail.js';

/** A place in the log, as the shim tells it. */
export interface LogPosition {
  /** Of the file, whatever its name is by now; 0 when there is no log. */
  readonly inode: bigint;
  readonly offset: number;
}

/** What `GET /containers/{id}/logs` asks for. */
export interface ReadLogsOptions extends DecodeOptions {
  /** Goes on with what is written later, until `ended`. */
  readonly follow: boolean;
  /** Lines from the end, counted before streams and times are sorted out, as Docker does. */
  readonly tail?: number | undefined;
  /** Settles when the container has exited and its log is complete; only for `follow`. */
  readonly ended?: Promise<unknown>;
  /** Asked once the files are open: nothing behind that place is read. */
  readonly stopAt?: (() => LogPosition | undefined) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Who writes it, while it is written; how large a file may become before it is rotated. */
  readonly task?: Keeper;
  readonly fileBytes?: number;
}

/** A line may be stamped by so much later than its file: the kernel's clock for files is coarse. */
const clockSlackMs = 1000;

/** The descriptors of one reading: whatever happens, all of them are closed at its end. */
class OpenFiles {
  readonly #files = new Set<LogFile>();

  add(files: readonly LogFile[]): readonly LogFile[] {
    for (const file of files) this.#files.add(file);
    return files;
  }

  close(files: Iterable<LogFile> = this.#files): void {
    const closing = [...files];
    for (const file of closing) this.#files.delete(file);
    closeLogFiles(closing);
  }
}

interface Reading {
  readonly path: string;
  readonly options: ReadLogsOptions;
  readonly decoder: LogDecoder;
  readonly open: OpenFiles;
  readonly isDone: () => boolean;
}

/** The files up to the one that the shim was writing; none when that is no longer there. */
function upTo(files: readonly LogFile[], stop: LogPosition | undefined): readonly LogFile[] {
  if (stop === undefined) return files;
  return files.slice(0, files.findIndex(({ identity }) => identity.inode === stop.inode) + 1);
}

function limitOf({ identity, sizeBytes }: LogFile, stop: LogPosition | undefined): number {
  return identity.inode === stop?.inode ? Math.min(sizeBytes, stop.offset) : sizeBytes;
}

/** The files up to the one that is followed; a log that is not there yet has none. */
function upToNode(files: readonly LogFile[], node: LogNode | undefined): readonly LogFile[] {
  return files.slice(0, files.findIndex((file) => node?.file.is(file.identity) === true) + 1);
}

/** Whole files that were written before `since` are passed over. */
async function startIn(
  files: readonly LogFile[],
  { tail, sinceNano }: ReadLogsOptions,
): Promise<TailStart> {
  const start = tail === undefined ? { index: 0, offset: 0 } : await findTail(files, tail);
  if (sinceNano === undefined) return start;
  const sinceMs = Number(sinceNano / 1_000_000n) - clockSlackMs;
  const index = files.findIndex(({ about }) => about.modifiedMs >= sinceMs);
  const first = index < 0 ? files.length : index;
  return first > start.index ? { index: first, offset: 0 } : start;
}

/** The lines between two places of a file; returns how far it came. */
async function* decoded(
  { decoder, isDone }: Reading,
  text: TextFile,
  { begin, limit }: { readonly begin: number; readonly limit: number },
): AsyncGenerator<Buffer, number> {
  let offset = begin;
  while (!isDone()) {
    const lines = await linesAt(text, offset, limit);
    if (lines === undefined) break;
    offset = lines.end;
    const frames = decoder.decode(lines.bytes);
    if (frames.length > 0) yield frames;
  }
  return offset;
}

/**
 * What there is, from the tail's beginning on; `shared` is followed afterwards. Returns the place
 * where it ended, in a file that is followed.
 */
async function* existing(
  reading: Reading,
  shared: SharedLog | undefined,
): AsyncGenerator<Buffer, Place | undefined> {
  const { options, open } = reading;
  const first = shared?.newest;
  const opened = open.add(openLogFiles(reading.path));
  const stop = options.stopAt?.();
  const files = shared === undefined ? upTo(opened, stop) : upToNode(opened, first);
  const start = await startIn(files, options);
  open.close(opened.filter((file) => !files.slice(start.index).includes(file)));
  let place = first === undefined ? undefined : beginningOf(first);
  for (const [at, file] of files.entries()) {
    if (at < start.index) continue;
    // No further than the file went when it was opened, lest a fast writer keep us for ever.
    const limit = limitOf(file, stop);
    const begin = at === start.index ? start.offset : 0;
    const offset = yield* decoded(reading, await file.text(), { begin, limit });
    if (place !== undefined && place.node.file.is(file.identity)) place = { ...place, offset };
    open.close([file]);
  }
  return place;
}

interface Decoded {
  readonly frames: Buffer;
  readonly isLast: boolean;
}

/** The same options give the same bytes: what one follower has decoded is the others' as well. */
function formOf(options: DecodeOptions): Form<Decoded> {
  const { stdout, stderr, timestamps, details, sinceNano, untilNano, framing } = options;
  const name = [stdout, stderr, timestamps, details, sinceNano, untilNano, framing].join();
  return {
    name,
    of: (lines) => {
      const decoder = new LogDecoder(options);
      const frames = decoder.decode(lines);
      return { frames, isLast: decoder.finished };
    },
  };
}

async function* existingThenNew(reading: Reading, log: SharedLog): AsyncGenerator<Buffer> {
  const { options } = reading;
  const place = yield* existing(reading, log);
  if (reading.isDone()) return;
  const end = { ended: Promise.resolve(options.ended), signal: options.signal };
  for await (const { value } of follow(log, place, formOf(options), end)) {
    if (value.frames.length > 0) yield value.frames;
    if (value.isLast) return;
  }
}

/**
 * The log at `path` and its rotated files, as the bytes that a client is sent: whole frames in each
 * buffer, or bare bytes. A log that does not exist is empty. Whoever stops taking before the end
 * must abort the signal, on which the iteration ends quietly; all descriptors are closed then.
 */
export async function* readLogs(
  path: string,
  options: ReadLogsOptions,
  followed = new SharedLogs(),
): AsyncGenerator<Buffer> {
  const decoder = new LogDecoder(options);
  const isDone = (): boolean => decoder.finished || options.signal?.aborted === true;
  const reading = { path, options, decoder, open: new OpenFiles(), isDone };
  const log = options.follow ? await followed.acquire(path, options.task, options.fileBytes)
    : undefined;
  try {
    if (log === undefined) yield* existing(reading, undefined);
    else yield* existingThenNew(reading, log);
  } finally {
    reading.open.close();
    if (log !== undefined) await followed.release(log);
  }
}
