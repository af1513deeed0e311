/**
 * A hint to ext4: things in this folder have nothing to do with each other.
 *
 * It puts a new file into the block group of its folder and, looking for a free inode, passes over
 * all that were freed there in the last minutes, one by one for every file. Where a tree of some
 * ten thousand files was removed shortly before, another of that size then takes seconds more.
 */
import { constants, closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';

/** `linux/fs.h`; the same on all 64-bit machines that Node runs on. */
const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;
/** `chattr +T` */
const FS_TOPDIR_FL = 0x00020000;

/** What a file system says that has no such flags, or not this one. */
const unknown = new Set(['ENOTTY', 'EOPNOTSUPP', 'ENOTSUP', 'EINVAL', 'EPERM', 'ENOSYS']);

const ioctl = koffi.load(null).func('ioctl', 'int', ['int', 'ulong', 'void *']);

/** Asks that each new folder in this one begins elsewhere on the disk; a wish, never an error. */
export function spreadFolders(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const flags = new Uint32Array(2);
    if (!control(fd, FS_IOC_GETFLAGS, flags, path)) return;
    const [now = 0] = flags;
    if ((now & FS_TOPDIR_FL) !== 0) return;
    flags[0] = now | FS_TOPDIR_FL;
    control(fd, FS_IOC_SETFLAGS, flags, path);
  } finally {
    closeSync(fd);
  }
}

/** Whether the file system knows the call. */
function control(fd: number, request: number, flags: Uint32Array, path: string): boolean {
  // koffi declares the call as int.
  const result: unknown = ioctl(fd, request, flags);
  if (result === 0) return true;
  const code = errnoName(koffi.errno());
  if (unknown.has(code)) return false;
  throw new ErrnoError('ioctl', code, path);
}
