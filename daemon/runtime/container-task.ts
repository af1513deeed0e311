/** A live container under its shim: `Task` for the containers service. */
import { rmSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { ErrnoError, hasCode } from '../../native/errno-error.js';
import type { ExitStatus } from '../../native/shim/monitor-settings.js';
import type { Exited, Shim } from '../../native/shim/client.js';
import { failures, type ContainerCgroup } from './cgroup/index.js';
import type { BundlePaths } from './bundle.js';
import type { ForeignContainer } from './foreign/container.js';
import type { LaterHooks } from './later-hooks.js';
import { launchFailure } from './launch-error.js';
import { keepNames, keptNames } from './name-sockets.js';
import type { AttachOptions, Task, TaskExit } from './task.js';

/** What a task is made of. */
export interface TaskParts {
  readonly containerId: string;
  readonly pid: number;
  readonly shimPid: number;
  readonly shim: Shim;
  readonly cgroup: ContainerCgroup;
  readonly paths: BundlePaths;
  /** The part of it that is another runtime's. */
  readonly foreign: Pick<ForeignContainer, 'failure' | 'remove'> | undefined;
  /** What follows its start and its end; absent: whoever has that. */
  readonly laterHooks?: LaterHooks;
  /** Opens the gate; absent for one that was found running. */
  readonly open?: () => Promise<void>;
}

const SIGKILL = 9;

/** `SIGKILL` and nobody to say so: what Docker shows when it cannot know. */
const UNKNOWN_EXIT = 255;

/** The task over its parts; `shim` is for those who hold sockets in it. */
export function containerTask(parts: TaskParts): Task & { readonly shim: Shim } {
  const { shim, cgroup } = parts;
  const exited = shim.exited.then((exit) => taskExit(exit, parts));
  let disposal: Promise<void> | undefined;
  let hasEnded = false;
  void exited.then(() => {
    hasEnded = true;
  });
  return {
    containerId: parts.containerId,
    pid: parts.pid,
    shimPid: parts.shimPid,
    shim,
    start: () => start(parts),
    attach: (options: AttachOptions): Promise<Duplex> => shim.attach(options),
    attachAfterLog: (options: AttachOptions) => shim.attachAfterLog(options),
    logTurn: (seen) => shim.logTurn(seen),
    oomTurn: (seen) => shim.oomTurn(seen),
    logCompressed: (inode) => shim.logCompressed(inode),
    logKeep: (files) => shim.logKeep(files),
    logSettings: (bounds) => shim.logSettings(bounds),
    ports: {
      hold: (fd) => shim.portHold(fd),
      aim: (place, forward) => shim.portAim(place, forward),
      drop: (place) => shim.portDrop(place),
      keepNames: (sockets) => keepNames(shim, sockets),
      keptNames: () => keptNames(shim),
    },
    signal: (signal) => shim.signal(signal),
    resize: (rows, columns) => shim.resize(rows, columns),
    pidFd: () => shim.getFd({ kind: 'pidfd' }),
    rootDir: () => shim.getFd({ kind: 'rootDir' }),
    canPause: cgroup.places.freezer !== '',
    pause: () => cgroup.freeze(),
    unpause: () => cgroup.thaw(),
    exited,
    dispose: () => (disposal ??= dispose(parts, hasEnded)),
  };
}

async function start(parts: TaskParts): Promise<void> {
  const { open, cgroup, foreign } = parts;
  try {
    await open?.();
  } catch (error) {
    // The shim has undone its part; a failed launch leaves nothing.
    await foreign?.remove();
    await cgroup.remove();
    throw foreign === undefined ? launchFailure(error) : foreign.failure(error);
  }
  await afterStart(parts);
}

/** The hooks that follow a start; one that fails ends the container, and is thrown. */
export async function afterStart(
  { containerId, cgroup, laterHooks }: Pick<TaskParts, 'containerId' | 'cgroup' | 'laterHooks'>,
): Promise<void> {
  try {
    await laterHooks?.afterStart(containerId);
  } catch (error) {
    await cgroup.kill();
    throw error;
  }
}

async function taskExit(exit: Exited, parts: TaskParts): Promise<TaskExit> {
  const status = exit.lost ? await readExit(parts.paths.exit) : exit;
  if (status !== undefined) return toTaskExit(status);
  // Without its shim nobody reads its output or reaps it: it ends with it.
  await parts.cgroup.kill();
  return {
    exitCode: UNKNOWN_EXIT,
    oomKilled: false,
    finishedAtMs: Date.now(),
    error: 'the shim was killed: the exit code is not known',
  };
}

/** The part of a status that the containers service keeps. */
export function toTaskExit(status: ExitStatus): TaskExit {
  const { exitCode, oomKilled, finishedAtMs } = status;
  return { exitCode, oomKilled, finishedAtMs };
}

/** What the shim wrote at the end; undefined when it did not come to that. */
export async function readExit(path: string): Promise<ExitStatus | undefined> {
  let text: string;
  try {
    text = await fs.readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  return JSON.parse(text) as ExitStatus; // written whole, by rename, by our own shim
}

/** Ends what still runs; tries everything, then tells all that failed. */
async function dispose(parts: TaskParts, hasEnded: boolean): Promise<void> {
  const { containerId, shim, cgroup, paths, foreign, laterHooks } = parts;
  const results = await Promise.allSettled([
    endShim(shim, hasEnded).finally(() => rmSync(paths.socket, { force: true })),
    cgroup.kill().then(() => foreign?.remove()).then(() => cgroup.remove()),
  ]);
  const followed = await Promise.allSettled([laterHooks?.afterEnd(containerId)]);
  const errors = failures([...results, ...followed]);
  if (errors.length > 0) throw new AggregateError(errors, 'the task is not wholly removed');
}

/**
 * Also for a process that never passed its gate; one that is known to have ended is not killed. A
 * shim that has gone already is fine.
 */
export async function endShim(shim: Shim, hasEnded = false): Promise<void> {
  try {
    if (!hasEnded) await shim.signal(SIGKILL);
  } catch (error) {
    if (!(error instanceof ErrnoError && error.code === 'EPIPE')) throw error;
  }
  const exit = await shim.exited;
  if (!exit.lost) await shim.bye();
}
