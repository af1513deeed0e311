/** Room on a disk that is ours before it is needed. */
import koffi from 'koffi';
import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';

const fallocate = koffi
  .load(null)
  .func('int fallocate(int fd, int mode, int64_t offset, int64_t length)');

const FALLOC_FL_KEEP_SIZE = 1;

/**
 * The first `bytes` of a file can be written from now on, however full its disk becomes; its size
 * stays as it is. Throws `ErrnoError`: ENOSPC, or EOPNOTSUPP where the filesystem has no such call.
 */
export function keepRoom(fd: number, bytes: number): void {
  // koffi's functions are untyped; fallocate returns an int.
  const result = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, bytes) as number;
  if (result < 0) throw new ErrnoError('fallocate', errnoName(koffi.errno()));
}
