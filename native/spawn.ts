import { closeSync } from 'node:fs';
import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';
import { builtFile, checked, inThread, tsdocker } from './libc.js';

/** The shim as an fd that can be executed: a sealed memfd, or a read-only mount of the file. */
let shimProgram: number | undefined;

/**
 * The fd of the shim's program, made once and kept: no container can write to what it executes
 * (CVE-2019-5736). Pass it to a launch for `--init`: `execveat` of it with
 * `argv: ['/sbin/docker-init', '--', …command]`. Throws `ErrnoError` (not built, no memory).
 */
export function shimProgramFd(): number {
  shimProgram ??= openShimProgram(builtFile('tsdocker-shim'));
  return shimProgram;
}

function openShimProgram(path: string): number {
  const sealed = tsdocker().tsd_seal_program(path, 'tsdocker-shim');
  if (sealed >= 0) return sealed;
  const ENOENT = -2;
  if (sealed === ENOENT) throw new ErrnoError('open', 'ENOENT', path);
  // vm.memfd_noexec=2 forbids executable memfds.
  return checked(tsdocker().tsd_open_read_only(path), 'open_tree', path);
}

/** -EAGAIN: too much is passed, or too many start at this moment. */
const notNow = -11;

/** What a program gets besides its arguments. */
export interface Inherited {
  /** Its descriptors from 0 on, -1 for /dev/null; nothing else of ours is inherited. */
  readonly fds: readonly number[];
  /** `name=value`; nothing by default. */
  readonly env?: readonly string[];
}

/**
 * Starts a program by vfork, without a copy of this process, however large that is (0.2 ms): in a
 * session of its own, cwd `/`, all signals at their defaults. The fds stay the caller's to close.
 * The child is ours to `reap`. A thread of the pool waits for the child's exec (vfork suspends the
 * caller, on a busy machine for milliseconds). Rejects with `ErrnoError`.
 */
export async function spawn(
  execFd: number,
  argv: readonly string[],
  { fds, env = [] }: Inherited,
): Promise<number> {
  const list = Int32Array.from(fds);
  const { tsd_spawn: call } = tsdocker();
  const pid = await inThread(call, execFd, [...argv, null], [...env, null], list, list.length);
  return checked(pid, 'execveat', argv[0]);
}

/**
 * A shim with these fds from 3 on; `name` is shown in its command line. Where it can, nothing
 * waits for the exec: the pid is there at once, and `spawnFailure` tells of a failure when the
 * child has ended. The fds are the caller's to close when it has settled. Rejects with
 * `ErrnoError`.
 */
export async function spawnShim(fds: readonly number[], name: string): Promise<number> {
  const argv = ['tsdocker-shim', 'monitor', name];
  const inherited = [-1, -1, -1, ...fds];
  const list = Int32Array.from(inherited);
  const pid = tsdocker().tsd_spawn_now(shimProgramFd(), [...argv, null], list, list.length);
  return pid === notNow ? spawn(shimProgramFd(), argv, { fds: inherited }) : checked(pid, 'clone');
}

/** Why a shim that `spawnShim` started was never executed; undefined when it was. */
export function spawnFailure(pid: number): ErrnoError | undefined {
  const result = tsdocker().tsd_spawn_failure(pid);
  return result === 0 ? undefined : new ErrnoError('execveat', errnoName(result), 'tsdocker-shim');
}

/** True once a child of ours has ended (and then it is no zombie any more). Never waits. */
export function reap(pid: number): boolean {
  // ECHILD: reaped before, or a shim of an earlier daemon, which is not our child.
  return tsdocker().tsd_reap(pid, new Int32Array(1)) !== 0;
}

/** How a child of ours ended. */
export interface Exit {
  /** Null when a signal ended it. */
  readonly code: number | null;
  /** Its number; null when none did. */
  readonly signal: number | null;
}

/** As `reap`, with the status; undefined while it runs. `ErrnoError` for no child of ours. */
export function reapExit(pid: number): Exit | undefined {
  const status = new Int32Array(1);
  if (checked(tsdocker().tsd_reap(pid, status), 'waitpid') === 0) return undefined;
  // Filled by the call above, as wait(2) packs it.
  const word = status[0] as number;
  const signal = word & 0x7f;
  return signal === 0 ? { code: (word >> 8) & 0xff, signal: null } : { code: null, signal };
}

/** A connected pair of stream sockets, close-on-exec, blocking. */
export function socketPair(): [number, number] {
  const pair = new Int32Array(2);
  checked(tsdocker().tsd_socketpair(pair), 'socketpair');
  // Filled by the call above.
  return [pair[0] as number, pair[1] as number];
}

/** Closes what may not have been opened. */
export function closeFds(fds: readonly number[]): void {
  for (const fd of fds) if (fd >= 0) closeSync(fd);
}
