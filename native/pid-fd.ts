import koffi from 'koffi';
import { ErrnoError } from './errno-error.js';
import { errnoName } from './errno.js';

/** The same on every architecture. */
const SYS_PIDFD_OPEN = 434;

const libc = koffi.load(null);
const pidfdOpen = libc.func('syscall', 'long', ['long', 'int', 'uint']);

/**
 * A descriptor of a process, which stays that process's whatever becomes of its number; the
 * caller's to close. Throws `ErrnoError` ESRCH when there is none. (pidfd_open(2))
 */
export function openPidFd(pid: number): number {
  const fd = Number(pidfdOpen(SYS_PIDFD_OPEN, pid, 0));
  if (fd < 0) throw new ErrnoError('pidfd_open', errnoName(koffi.errno()), String(pid));
  return fd;
}
