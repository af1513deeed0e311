/**
 * A program under way, its descriptors as streams: what `child_process` does, without the fork that
 * stops the daemon for as long as its page tables take to be copied (tens of milliseconds).
 */
import { closeSync, constants as files, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, ErrnoError } from './errno-error.js';
import { builtFile } from './libc.js';
import { O_PATH } from './open-flags.js';
import { reapExit, socketPair, spawn, type Exit } from './spawn.js';

/** What a descriptor of the child is: an open file of ours, a stream of ours, or /dev/null. */
export type ChildFd = number | 'reads' | 'writes' | 'nothing';

/** A program of `native`, and what it is given. */
export interface ChildRequest {
  /** As `native/build.mjs` calls it. */
  readonly program: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** Descriptors from 0 on; open files stay the caller's, and open until `spawned`. */
  readonly fds: readonly ChildFd[];
}

/** A child, or one that is about to be; it is reaped whatever happens. */
export interface Child {
  /** Our ends, by the child's descriptor. */
  readonly streams: ReadonlyMap<number, Socket>;
  /** Rejects with `ErrnoError` when it could not be executed; its streams are destroyed then. */
  readonly spawned: Promise<void>;
  /** Once it has ended; rejects as `spawned` does. */
  readonly exited: Promise<Exit>;
  /** SIGKILL, also before it has been executed; nothing once it has ended. */
  kill(): void;
}

/** Executables, kept open: a path is looked up once. */
const programs = new Map<string, number>();

function programFd(name: string): number {
  const known = programs.get(name);
  if (known !== undefined) return known;
  try {
    const fd = openSync(builtFile(name), O_PATH | files.O_RDONLY);
    programs.set(name, fd);
    return fd;
  } catch (error) {
    throw new ErrnoError('open', codeOf(error) || 'EIO', name);
  }
}

/**
 * Starts it; its end is seen when its descriptor `watched`, one that it writes, has been closed.
 */
export function startChild(request: ChildRequest, watched: number): Child {
  const streams = new Map<number, Socket>();
  const theirs: number[] = [];
  const fds = request.fds.map((kind, fd) => {
    if (typeof kind === 'number') return kind;
    if (kind === 'nothing') return -1;
    const [ours, other] = socketPair();
    theirs.push(other);
    const writes = kind === 'writes';
    streams.set(fd, new Socket({ fd: ours, readable: writes, writable: !writes }));
    return other;
  });
  const life: Life = { pid: undefined, doomed: false };
  const spawned = execute(request, fds, life).finally(() => theirs.forEach((fd) => closeSync(fd)));
  spawned.catch(() => streams.forEach((stream) => stream.destroy()));
  const end = streams.get(watched);
  const closed = new Promise((resolve) => end?.once('close', resolve));
  const exited = spawned.then(() => closed).then(() => ended(life));
  // Whatever feeds it has nobody to feed any more.
  const unfed = (): void =>
    request.fds.forEach((kind, fd) => {
      if (kind === 'reads') streams.get(fd)?.destroy();
    });
  exited.then(unfed, unfed);
  return { streams, spawned, exited, kill: () => kill(life) };
}

interface Life {
  /** Undefined before it was executed and after it was reaped: the number may be another's. */
  pid: number | undefined;
  doomed: boolean;
}

async function execute(
  { program, args, env }: ChildRequest,
  fds: readonly number[],
  life: Life,
): Promise<void> {
  life.pid = await spawn(programFd(program), [program, ...args], { fds, env });
  if (life.doomed) kill(life);
}

function kill(life: Life): void {
  life.doomed = true;
  if (life.pid !== undefined) process.kill(life.pid, 'SIGKILL');
}

const LAST_PAUSE_MS = 100;

/** What closes its descriptors is about to end: this asks at once, and then ever more seldom. */
async function ended(life: Life): Promise<Exit> {
  if (life.pid === undefined) throw new Error('a child that was never executed');
  for (let pauseMs = 0; ; pauseMs = Math.min(2 * pauseMs + 1, LAST_PAUSE_MS)) {
    const exit = reapExit(life.pid);
    if (exit !== undefined) {
      life.pid = undefined;
      return exit;
    }
    await sleep(pauseMs);
  }
}
