/**
 * Containers on disk, one folder each under `--root`:
 *
 *     <id>/state.json   what is known of it; made whole, by rename
 *          basis.json   what an exec takes over from it
 *          door         what the program without Node knows of it: door-file.ts
 *          lock         held while a transition is made
 *          shim.sock    of the shim, while the process stands at the gate (and in a foreground run)
 *          exit         how it ended: a foreground run only, see PROTOCOL.md
 *
 * Whether it runs is not written down: the kernel knows that. Beside them lies `@programs`, see
 * kept-programs.ts.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openCgroups, type ContainerCgroup } from '../../daemon/runtime/cgroup/index.js';
import { readHostFacts } from '../../daemon/runtime/host-facts.js';
import { tryLockFile } from '../../native/file-lock.js';
import { connect } from '../../native/index.js';
import { codeOf, ErrnoError } from '../../native/errno-error.js';
import { OciError } from './oci-error.js';
import type { Hooks } from './parse-hooks.js';

/** What `create` leaves for the commands that follow. */
export interface ContainerRecord {
  readonly id: string;
  readonly ociVersion: string;
  readonly bundle: string;
  readonly rootfs: string;
  /** RFC 3339. */
  readonly created: string;
  readonly cgroupsPath: string;
  /** systemd made the group, and takes it away. */
  readonly isScope?: true;
  readonly annotations: Readonly<Record<string, string>>;
  readonly hooks: Hooks;
  /** argv[0], for the words of a start that fails. */
  readonly command: string;
  /** Absent while it is being created. */
  readonly pid?: number;
  /** Start time of `pid` in ticks since boot: tells it from a later process of the same number. */
  readonly pidStart?: string;
}

/** The states of the OCI runtime specification, and one that every runtime has besides. */
export type Status = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

const LOCK_TIMEOUT_MS = 10_000;
const LOCK_RETRY_MS = 10;

/** Throws `OciError` for what is no name of a container. */
export function folderOf(root: string, id: string): string {
  if (!/^[\w+.-]{1,1024}$/.test(id) || id === '.' || id === '..') {
    throw new OciError(`invalid container id: ${JSON.stringify(id)}`);
  }
  return join(root, id);
}

/** The control socket of a container's shim; throws `OciError` for what is no name. */
export const socketOf = (root: string, id: string): string => join(folderOf(root, id), 'shim.sock');

/** Takes the name: throws `OciError` when it is taken. */
export function reserve(root: string, id: string): string {
  const folder = folderOf(root, id);
  fs.mkdirSync(root, { recursive: true, mode: 0o700 });
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw new OciError(`container with id exists: ${id}`);
    throw error;
  }
  return folder;
}

/** Replaces the record as a whole: a reader sees the old one or the new one. */
export function writeRecord(root: string, record: ContainerRecord): void {
  const path = join(folderOf(root, record.id), 'state.json');
  fs.writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  fs.renameSync(`${path}.new`, path);
}

/** Undefined when there is no such container. A folder without a record: one that died early. */
export function findRecord(root: string, id: string): ContainerRecord | undefined {
  const folder = folderOf(root, id);
  try {
    // Written whole, by this program.
    return JSON.parse(fs.readFileSync(join(folder, 'state.json'), 'utf8')) as ContainerRecord;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Throws `OciError` when there is no such container. */
export function readRecord(root: string, id: string): ContainerRecord {
  const record = findRecord(root, id);
  if (record === undefined) throw new OciError(`container does not exist: ${id}`);
  return record;
}

/** The ids of all. */
export function listIds(root: string): readonly string[] {
  if (!fs.existsSync(root)) return [];
  return fs.readdirSync(root).filter((id) => fs.existsSync(join(root, id, 'state.json')));
}

/** What the kernel says of it now. */
export async function statusOf(root: string, record: ContainerRecord): Promise<Status> {
  if (record.pid === undefined) return 'creating';
  if (!isAlive(record)) return 'stopped';
  if (await isAtGate(root, record.id)) return 'created';
  return groupOf(record).isFrozen() ? 'paused' : 'running';
}

/** Its control group. */
export function groupOf({ cgroupsPath, isScope }: ContainerRecord): ContainerCgroup {
  const driver = isScope === true ? 'systemd' : 'cgroupfs';
  return openCgroups(readHostFacts().cgroups, driver).open(cgroupsPath);
}

async function isAtGate(root: string, id: string): Promise<boolean> {
  try {
    const shim = await connect(socketOf(root, id));
    const { started } = await shim.hello();
    shim.disconnect();
    return !started;
  } catch (error) {
    const gone = ['ENOENT', 'ECONNREFUSED', 'EPIPE', 'ENOTDIR'];
    if (error instanceof ErrnoError && gone.includes(error.code)) return false;
    throw error;
  }
}

/** A zombie has ended, whoever has yet to reap it. */
export function isAlive({ pid, pidStart }: ContainerRecord): boolean {
  const stat = pid === undefined ? undefined : readStat(pid);
  return stat !== undefined && stat.start === pidStart && !['Z', 'X'].includes(stat.state);
}

/** From /proc/<pid>/stat; undefined when there is no such process. */
export function readStat(
  pid: number,
): { readonly state: string; readonly start: string } | undefined {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name may hold anything, blanks and parentheses too: what follows the last one is fields.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', start: fields[19] ?? '' };
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(codeOf(error))) return undefined;
    throw error;
  }
}

/** One transition at a time. Throws `OciError` when another takes too long, or it is gone. */
export async function withLock<T>(
  root: string,
  id: string,
  act: () => Promise<T>,
): Promise<T> {
  readRecord(root, id);
  const path = join(folderOf(root, id), 'lock');
  const untilMs = Date.now() + LOCK_TIMEOUT_MS;
  for (;;) {
    const lock = tryLockFile(path);
    if (lock === undefined) {
      if (Date.now() > untilMs) throw new OciError(`container ${id} is busy`);
      await sleep(LOCK_RETRY_MS);
      continue;
    }
    try {
      return await act();
    } finally {
      lock.release();
    }
  }
}

/** Forgets it. Idempotent. */
export function forget(root: string, id: string): void {
  fs.rmSync(folderOf(root, id), { recursive: true, force: true });
}
