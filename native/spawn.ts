import { closeSync } from 'node:fs';
import { ErrnoError } from './errno-error.js';
import { builtFile, checked, tsdocker } from './libc.js';

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

/**
 * Starts a program by vfork, without a copy of this process, however large that is (0.2 ms): in a
 * session of its own, cwd `/`, no environment, all signals at their defaults, fds 0…2 on /dev/null
 * and 3… as given; nothing else is inherited. The fds stay the caller's to close. The child is
 * ours to `reap`. A thread of the pool waits for the child's exec (vfork suspends the caller, on a
 * busy machine for milliseconds). Rejects with `ErrnoError`.
 */
export async function spawn(
  execFd: number,
  argv: readonly string[],
  fds: readonly number[],
): Promise<number> {
  const list = Int32Array.from(fds);
  const pid = await new Promise<number>((resolve, reject) => {
    tsdocker().tsd_spawn.async(execFd, [...argv, null], list, list.length, (error, result) =>
      error === null ? resolve(result) : reject(error),
    );
  });
  return checked(pid, 'execveat', argv[0]);
}

/** A shim with these fds from 3 on; `name` is shown in its command line. */
export function spawnShim(fds: readonly number[], name: string): Promise<number> {
  return spawn(shimProgramFd(), ['tsdocker-shim', 'monitor', name], fds);
}

/** True once a child of ours has ended (and then it is no zombie any more). Never waits. */
export function reap(pid: number): boolean {
  const result = tsdocker().tsd_reap(pid);
  // ECHILD: reaped before, or a shim of an earlier daemon, which is not our child.
  return result !== 0;
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
