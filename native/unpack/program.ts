/**
 * Runs `tsdocker-unpack` once: settings as arguments, an archive on its stdin, one line of JSON
 * from its stdout. The child dies with the daemon (PR_SET_PDEATHSIG) and at an abort or time-out.
 */
import * as fs from 'node:fs';
import { constants } from 'node:os';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { abortReason } from '../abort-reason.js';
import { type Child, startChild } from '../child.js';
import type { Exit } from '../spawn.js';
import { ErrnoError } from '../errno-error.js';
import { ArchiveError } from './archive-error.js';

/**
 * An archive: a stream, an open file (left open, read from where it stands) or a path on the host.
 */
export type Source = Readable | { readonly fd: number } | { readonly path: string };

/** One run of `tsdocker-unpack`; `settings` become `key=value` arguments. */
export interface ProgramCall {
  readonly command: string;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly operands?: readonly string[];
  readonly source?: Source;
  /** Where the archive that it writes goes: an open file, which stays the caller's. */
  readonly outputFd?: number;
  /** The root of a running container; may be closed once the program runs. */
  readonly rootFd?: number;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs: number;
}

/**
 * Fields of the report, checked as they are read: a child that lies is a failure like any other.
 */
export interface Report {
  number(field: string): number;
  text(field: string): string;
  texts(field: string): readonly string[];
}

/** A report holds at most a thousand names of at most 4 kB, escaped. */
const MAX_REPORT_BYTES = 32 * 2 ** 20;
const MAX_STDERR_BYTES = 4096;
/** A killed child that sleeps in the kernel (a dead disk) is not waited for longer. */
const KILL_WAIT_MS = 10_000;

/** Where the report goes. */
const REPORT_FD = 1;
const STDERR_FD = 2;
/** As in output.c. */
const OUTPUT_FD = 3;

/** Resolves with the report of a run that succeeded; when it settles, the process is gone. */
export async function runProgram(call: ProgramCall): Promise<Report> {
  call.signal?.throwIfAborted();
  return attend(call, start(call, call.outputFd ?? 'nothing'));
}

/**
 * The archive that a run writes, as a stream that ends once the run has succeeded and fails if it
 * did not; the process is killed when the stream is destroyed. It reads no faster than its reader.
 */
export function streamProgram(call: ProgramCall): Readable {
  const gone = new AbortController();
  const signal = call.signal ? AbortSignal.any([call.signal, gone.signal]) : gone.signal;
  signal.throwIfAborted();
  const child = start(call, 'writes');
  const ended = attend({ ...call, signal }, child);
  // Its failure is told by the stream, which may be left before it comes to that.
  ended.catch(() => undefined);
  const body = Readable.from(written(child, ended), { objectMode: false });
  return body.once('close', () => gone.abort(new ErrnoError('write', 'EPIPE', 'archive')));
}

async function* written(child: Child, ended: Promise<unknown>): AsyncGenerator {
  yield* child.streams.get(OUTPUT_FD) ?? [];
  await ended;
}

async function attend(call: ProgramCall, child: Child): Promise<Report> {
  const stop = new AbortController();
  const cancel = call.signal ? AbortSignal.any([call.signal, stop.signal]) : stop.signal;
  const kill = (): void => child.kill();
  cancel.addEventListener('abort', kill, { once: true });
  const late = () => stop.abort(new ErrnoError(`tsdocker-unpack ${call.command}`, 'ETIMEDOUT'));
  const timer = setTimeout(late, call.timeoutMs);
  try {
    const output = collect(child);
    // Of one that could not be executed there is none.
    output.catch(() => undefined);
    const fed = feed(child, call.source, (error) => stop.abort(error));
    const exit = await exited(child, cancel);
    await fed;
    if (cancel.aborted) throw abortReason(cancel);
    return judge(exit, await output, call.command);
  } finally {
    clearTimeout(timer);
    cancel.removeEventListener('abort', kill);
  }
}

function start(call: ProgramCall, output: number | 'writes' | 'nothing'): Child {
  const settings = Object.entries(call.settings).map(([key, value]) => `${key}=${value}`);
  const args = [call.command, ...settings, '--', ...(call.operands ?? [])];
  const library = process.env['LD_LIBRARY_PATH'];
  const env = library === undefined ? [] : [`LD_LIBRARY_PATH=${library}`];
  const root = call.rootFd ?? 'nothing';
  const launch = (stdin: number | 'reads' | 'nothing'): Child =>
    startChild(
      { program: 'tsdocker-unpack', args, env, fds: [stdin, 'writes', 'writes', output, root] },
      REPORT_FD,
    );
  const { source } = call;
  if (source === undefined) return launch('nothing');
  if ('fd' in source && typeof source.fd === 'number') return launch(source.fd);
  if (!('pipe' in source) && 'path' in source) {
    const fd = fs.openSync(source.path, 'r');
    const child = launch(fd);
    const close = (): void => fs.closeSync(fd);
    child.spawned.then(close, close);
    return child;
  }
  return launch('reads');
}

/** A child that ends early breaks the pipe: its own report says why, so EPIPE is no error here. */
async function feed(
  child: Child,
  source: Source | undefined,
  fail: (error: Error) => void,
): Promise<void> {
  const stdin = child.streams.get(0);
  if (source === undefined || !('pipe' in source) || stdin === undefined) return;
  try {
    await pipeline(source, stdin);
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    if (!('code' in failure) || !PIPE_ENDS.has(String(failure.code))) fail(failure);
  }
}

const PIPE_ENDS = new Set(['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE']);

interface Output {
  readonly report: string;
  readonly complaint: string;
}

async function collect({ streams }: Child): Promise<Output> {
  const [report, complaint] = await Promise.all([
    read(streams.get(REPORT_FD), MAX_REPORT_BYTES),
    read(streams.get(STDERR_FD), MAX_STDERR_BYTES),
  ]);
  return { report, complaint };
}

/** Keeps the first `maxBytes` and takes the rest away, so that the child never blocks on us. */
async function read(stream: Readable | undefined, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  if (stream === undefined) return '';
  for await (const chunk of stream) {
    // A pipe without an encoding gives buffers.
    const bytes = chunk as Buffer;
    if (length < maxBytes) chunks.push(bytes.subarray(0, maxBytes - length));
    length += bytes.length;
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A killed child that does not go is left to itself after a while. */
function exited(child: Child, cancel: AbortSignal): Promise<Exit> {
  return new Promise((resolve, reject) => {
    let waiting: NodeJS.Timeout | undefined;
    const killed = (): void => {
      waiting = setTimeout(() => reject(abortReason(cancel)), KILL_WAIT_MS);
    };
    cancel.addEventListener('abort', killed, { once: true });
    const settled = (): void => {
      clearTimeout(waiting);
      cancel.removeEventListener('abort', killed);
    };
    child.exited.finally(settled).then(resolve, reject);
  });
}

function signalName(number: number | null): string | undefined {
  return Object.entries(constants.signals).find(([, known]) => known === number)?.[0];
}

function judge(exit: Exit, output: Output, command: string): Report {
  const fields = parse(output.report);
  if (exit.code === 0 && fields !== undefined) return reportOf(fields);
  if (exit.code === 1 && fields !== undefined) throw failureOf(reportOf(fields));
  const how = signalName(exit.signal) ?? `exit code ${exit.code}`;
  throw new Error(`tsdocker-unpack ${command} ended by ${how}: ${output.complaint.trim()}`);
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return undefined;
    return Object.fromEntries(Object.entries(value));
  } catch {
    // No JSON means that the child was killed or crashed; `judge` says so with its stderr.
    return undefined;
  }
}

function failureOf(report: Report): Error {
  const message = report.text('message');
  switch (report.text('kind')) {
    case 'archive':
      return new ArchiveError('InvalidParameter', message);
    case 'limit':
      return new ArchiveError('TooLarge', message);
    default:
      return new ErrnoError(report.text('syscall'), report.text('errno'), report.text('entry'));
  }
}

function reportOf(fields: Readonly<Record<string, unknown>>): Report {
  const wrong = (field: string): Error => new Error(`tsdocker-unpack: bad report: ${field}`);
  return {
    number(field) {
      const value = fields[field];
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw wrong(field);
      return value;
    },
    text(field) {
      const value = fields[field];
      if (typeof value !== 'string') throw wrong(field);
      return value;
    },
    texts(field) {
      const value = fields[field];
      if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
        throw wrong(field);
      }
      return value;
    },
  };
}
