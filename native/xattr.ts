/**
 * Extended attributes by path, which Node does not have. Fast; for folders of our own on local
 * disks.
 */
import koffi from 'koffi';
import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';

const libc = koffi.load(null);
const getxattr = libc.func('getxattr', 'long', ['str', 'str', 'void *', 'size_t']);
const setxattr = libc.func('setxattr', 'int', ['str', 'str', 'void *', 'size_t', 'int']);

/** The value, or undefined where there is none or it is longer than `maxBytes`. */
export function readXattr(path: string, name: string, maxBytes: number): Buffer | undefined {
  const value = Buffer.alloc(maxBytes);
  // koffi declares the call as long: a number at these sizes.
  const length = getxattr(path, name, value, maxBytes) as number;
  return length < 0 ? undefined : value.subarray(0, length);
}

/** Sets or replaces. Throws `ErrnoError`: ENOTSUP where the filesystem has none of that kind. */
export function writeXattr(path: string, name: string, value: string): void {
  const bytes = Buffer.from(value);
  // koffi declares the call as int.
  if ((setxattr(path, name, bytes, bytes.length, 0) as number) < 0) {
    throw new ErrnoError('setxattr', errnoName(koffi.errno()), path);
  }
}
