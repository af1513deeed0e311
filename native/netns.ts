/**
 * Work inside another network namespace: setns, the work, setns back, all in one synchronous
 * stretch, so that no other code of this thread ever runs in the wrong place. Fast.
 */
import * as fs from 'node:fs';
import koffi from 'koffi';
import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';

const CLONE_NEWNET = 0x40000000;
const libc = koffi.load(null);
const setns = libc.func('setns', 'int', ['int', 'int']);
const unshare = libc.func('unshare', 'int', ['int']);

/** A network namespace: of a process that is in it, or by an fd of this process. */
export type Netns = { readonly pid: number } | { readonly fd: number };

/** The thread could not return to its own namespace, and must do nothing more. */
export class LostInNetnsError extends Error {
  override readonly name = 'LostInNetnsError';
}

/** Opens a network namespace, anew in any case; the caller closes the fd. */
export function openNetns(netns: Netns): number {
  const [path, about] = 'pid' in netns
    ? [`/proc/${netns.pid}/ns/net`, `netns of ${netns.pid}`]
    : [`/proc/self/fd/${netns.fd}`, `netns ${netns.fd}`];
  try {
    return fs.openSync(path, fs.constants.O_RDONLY);
  } catch (error) {
    // openSync throws nothing but Node's own error with the errno's name as its code.
    throw new ErrnoError('open', (error as NodeJS.ErrnoException).code ?? 'EIO', about);
  }
}

/**
 * A new network namespace with nobody in it, for as long as its fd is open, which is the caller's
 * to close. Throws `ErrnoError` from unshare, and `LostInNetnsError` as `insideNetns` does.
 */
export function makeNetns(): number {
  return andBack(() => {
    // koffi declares unshare as int, so the call yields a number.
    const result = unshare(CLONE_NEWNET) as number;
    if (result < 0) throw new ErrnoError('unshare', errnoName(koffi.errno()), 'network namespace');
    return openOwn();
  });
}

const openOwn = (): number => fs.openSync('/proc/thread-self/ns/net', fs.constants.O_RDONLY);

/**
 * Runs `work`, which must be synchronous, with this thread in the namespace `netnsFd`; sockets and
 * paths below /proc/sys/net that it opens belong there. Throws `ErrnoError` from setns, and
 * `LostInNetnsError` when there is no way back.
 */
export function insideNetns<Result>(netnsFd: number, work: () => Result): Result {
  return andBack(() => {
    enter(netnsFd);
    return work();
  });
}

/** Runs what may leave this thread's namespace, and comes back. */
function andBack<Result>(work: () => Result): Result {
  const home = openOwn();
  try {
    try {
      return work();
    } finally {
      goHome(home);
    }
  } finally {
    fs.closeSync(home);
  }
}

/** A thread that cannot go back would do all its later work in a container. */
function goHome(home: number): void {
  try {
    enter(home);
  } catch (error) {
    throw new LostInNetnsError('this thread is lost in a foreign network namespace', {
      cause: error,
    });
  }
}

function enter(fd: number): void {
  // koffi declares setns as int, so the call yields a number.
  const result = setns(fd, CLONE_NEWNET) as number;
  if (result < 0) throw new ErrnoError('setns', errnoName(koffi.errno()));
}
