import koffi from 'koffi';
import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';

const libc = koffi.load(null);
const nativePoll = libc.func('int poll(void *, ulong, int)');
const POLLHUP = 0x10;
const POLLFD_BYTES = 8;

/**
 * Which of these sockets have been closed at their other end, both ways: a half-closed one is not.
 * Node tells the two apart only when it writes. Fast: it does not wait. Throws `ErrnoError`.
 */
export function hungUp(fds: readonly number[]): readonly boolean[] {
  const polled = Buffer.alloc(POLLFD_BYTES * fds.length);
  // With no events asked for, hanging up is all that is told.
  for (const [index, fd] of fds.entries()) polled.writeInt32LE(fd, POLLFD_BYTES * index);
  // koffi's functions are untyped; poll returns an int.
  const result = nativePoll(polled, fds.length, 0) as number;
  if (result < 0) throw new ErrnoError('poll', errnoName(koffi.errno()), 'sockets');
  return fds.map((_, index) => {
    const events = polled.readInt16LE(POLLFD_BYTES * index + 6);
    return (events & POLLHUP) !== 0;
  });
}
