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

/** The thread could not return to its own namespace, and must do nothing more. */
export class LostInNetnsError extends Error {
  override readonly name = 'LostInNetnsError';
}

/** Opens the network namespace of a process; the caller closes the fd. */
export function openNetns(pid: number): number {
  try {
    return fs.openSync(`/proc/${pid}/ns/net`, fs.constants.O_RDONLY);
  } catch (error) {
    // openSync throws nothing but Node's own error with the errno's name as its code.
    throw new ErrnoError('open', (error as NodeJS.ErrnoException).code ?? 'EIO', `netns of ${pid}`);
  }
}

/**
 * Runs `work`, which must be synchronous, with this thread in the namespace `netnsFd`; sockets and
 * paths below /proc/sys/net that it opens belong there. Throws `ErrnoError` from setns, and
 * `LostInNetnsError` when there is no way back.
 */
export function insideNetns<Result>(netnsFd: number, work: () => Result): Result {
  const home = fs.openSync('/proc/thread-self/ns/net', fs.constants.O_RDONLY);
  try {
    enter(netnsFd);
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
