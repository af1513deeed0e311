/** Reads and writes of cgroup files, and what both versions do alike. */
import * as fs from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { invalidParameter, systemError } from '../../../api-spec/errors.js';
import { codeOf, hasCode } from '../../../native/errno-error.js';
import { errnoWords } from '../errno-words.js';

/** One limit: which file of which controller gets what. */
export interface ControlWrite {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** Other spellings by kernel: tried when `file` is not there. */
  readonly otherwise?: { readonly file: string; readonly value: string };
  /** It is an error that the kernel has neither; otherwise it is passed over. */
  readonly required?: true;
}

/** Of the folders of groups. */
export const GROUP_MODE = 0o755;
/** How long dying processes may keep a group from being removed. */
const REMOVE_TIMEOUT_MS = 5_000;
const KILL_TIMEOUT_MS = 10_000;
const FREEZE_TIMEOUT_MS = 10_000;
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Writes one limit into `folder`, which is undefined when nobody has the controller; one that this
 * kernel has no file for is passed over, or refused if it is required (`ApiError`).
 */
export function writeControl(folder: string | undefined, write: ControlWrite): void {
  const { file, value, otherwise, required } = write;
  if (folder !== undefined) {
    if (tryWrite(`${folder}/${file}`, value)) return;
    if (otherwise !== undefined && tryWrite(`${folder}/${otherwise.file}`, otherwise.value)) return;
  }
  if (required !== true) return;
  throw invalidParameter(`this kernel's control groups have no ${file}: it cannot be ${value}`);
}

/** False when there is no such file. Throws `ApiError` when the kernel refuses the value. */
function tryWrite(path: string, value: string): boolean {
  try {
    writeFile(path, value);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return false;
    const text = `failed to write "${value}": write ${path}: ${errnoWords[code] ?? code}`;
    throw code === 'EINVAL' || code === 'ERANGE' || code === 'EBUSY' || code === 'ENODEV'
      ? invalidParameter(text, error)
      : systemError(text, error);
  }
}

/** One write(2) for each value, never creating: cgroup files take one whole or not at all. */
export function writeFile(path: string, ...values: readonly string[]): void {
  const fd = fs.openSync(path, fs.constants.O_WRONLY);
  try {
    for (const value of values) fs.writeSync(fd, value);
  } finally {
    fs.closeSync(fd);
  }
}

/** Empty when absent. */
export function readText(path: string): string {
  let fd: number;
  try {
    fd = fs.openSync(path, fs.constants.O_RDONLY);
  } catch (error) {
    if (isGone(error)) return '';
    throw error;
  }
  try {
    return readAll(fd);
  } catch (error) {
    // The group was removed, or the controller has nothing to tell (ENODEV, EOPNOTSUPP).
    if (isGone(error) || hasCode(error, 'EOPNOTSUPP', 'ENOTSUP', 'EINVAL')) return '';
    throw error;
  } finally {
    fs.closeSync(fd);
  }
}

function readAll(fd: number): string {
  const chunks: Buffer[] = [];
  const chunk = Buffer.allocUnsafe(8192);
  for (let size = 0; size < MAX_FILE_BYTES; ) {
    const count = fs.readSync(fd, chunk, 0, chunk.length, null);
    if (count === 0) break;
    chunks.push(Buffer.from(chunk.subarray(0, count)));
    size += count;
  }
  return Buffer.concat(chunks).toString('latin1');
}

/** The number in a file; undefined when absent, `max`, or beyond what any machine has. */
export function readNumber(path: string): number | undefined {
  const text = readText(path).trim();
  if (text === '' || text === 'max') return undefined;
  const value = Number(text);
  return Number.isFinite(value) && value < Number.MAX_SAFE_INTEGER ? value : undefined;
}

/** Words of a file, parted at blanks; none when it is absent. */
export function wordsOf(path: string): readonly string[] {
  return readText(path).trim().split(/\s+/).filter((word) => word !== '');
}

/** Lines of `name number`. */
export function readTable(path: string): Readonly<Record<string, number>> {
  const table: Record<string, number> = {};
  for (const line of readText(path).split('\n')) {
    const [name = '', value = ''] = line.split(' ');
    if (name !== '' && value !== '') table[name] = Number(value);
  }
  return table;
}

/** The processes right in a group, not below it; none when it is gone. */
export function readPids(folder: string): readonly number[] {
  return readText(`${folder}/cgroup.procs`).split('\n').filter((line) => line !== '').map(Number);
}

/** Makes a group; one that is there already is fine. */
export function makeGroup(folder: string): void {
  if (!tryMakeGroup(folder)) throw systemError(`the parent of cgroup ${folder} is missing`);
}

/** As `makeGroup`, but false when its parent is missing. */
export function tryMakeGroup(folder: string): boolean {
  try {
    fs.mkdirSync(folder, GROUP_MODE);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    if (hasCode(error, 'EEXIST')) return true;
    throw error;
  }
}

/** Takes back a group that could not be limited, if it is there; not one that somebody is in. */
export function undoGroup(folder: string): void {
  try {
    fs.rmdirSync(folder);
  } catch (error) {
    if (!hasCode(error, 'EBUSY') && !isGone(error)) throw error;
  }
}

/**
 * Removes a group and what is below it. A process that was just killed keeps it busy for some
 * milliseconds: tried again with growing pauses, then EBUSY is thrown.
 */
export async function removeGroup(folder: string): Promise<void> {
  const giveUpAt = performance.now() + REMOVE_TIMEOUT_MS;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 100)) {
    try {
      fs.rmdirSync(folder);
      return;
    } catch (error) {
      if (isGone(error)) return;
      if (!hasCode(error, 'EBUSY') || performance.now() > giveUpAt) throw error;
    }
    // Busy with groups below it, which few have, or with a process.
    const children = childrenOf(folder);
    for (const child of children) await removeGroup(`${folder}/${child}`);
    if (children.length > 0) continue;
    await delay(pauseMs);
  }
}

/** Names of the groups right below. */
export function childrenOf(folder: string): readonly string[] {
  try {
    return fs
      .readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** Polls until `isDone`, with growing pauses; throws after a bound. */
export async function until(what: string, isDone: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + FREEZE_TIMEOUT_MS;
  for (let pauseMs = 1; !isDone(); pauseMs = Math.min(pauseMs * 2, 100)) {
    if (performance.now() > giveUpAt) throw systemError(`timed out: ${what}`);
    await delay(pauseMs);
  }
}

/** SIGKILL to each of `pids()`, again and again until there is none. */
export async function killAll(pids: () => readonly number[]): Promise<void> {
  const giveUpAt = performance.now() + KILL_TIMEOUT_MS;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 100)) {
    const left = pids();
    if (left.length === 0) return;
    if (performance.now() > giveUpAt) throw systemError(`processes do not die: ${left.join(' ')}`);
    for (const pid of left) killOne(pid);
    await delay(pauseMs);
  }
}

function killOne(pid: number): void {
  if (pid <= 1) return; // 0 is a process of a namespace above ours
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

/** The reasons of those that were rejected. */
export function failures(results: readonly PromiseSettledResult<unknown>[]): readonly unknown[] {
  return results
    .filter((each): each is PromiseRejectedResult => each.status === 'rejected')
    .map((each): unknown => each.reason);
}

function isGone(error: unknown): boolean {
  return hasCode(error, 'ENOENT', 'ENODEV');
}
