/** What a directory tells about its entries, below what Node shows. Fast. */
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';

const BUFFER_BYTES = 4096;
/** struct dirent64: d_ino, d_off, d_reclen (u16), d_type (u8), d_name. */
const D_RECLEN = 16;
const D_TYPE = 18;
const DT_UNKNOWN = 0;

const getdents64 = koffi.load(null).func('getdents64', 'long', ['int', 'void *', 'size_t']);

/**
 * Whether readdir gives the kind of an entry (d_type); overlayfs relies on it. At least `.` is
 * there.
 */
export function knowsKinds(path: string): boolean {
  const fd = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(BUFFER_BYTES);
    // koffi declares the call as long: a number at this size.
    const length = getdents64(fd, buffer, BUFFER_BYTES) as number;
    if (length < 0) throw new ErrnoError('getdents64', errnoName(koffi.errno()), path);
    for (let at = 0; at < length; at += buffer.readUInt16LE(at + D_RECLEN)) {
      if (buffer[at + D_TYPE] === DT_UNKNOWN) return false;
    }
    return length > 0;
  } finally {
    closeSync(fd);
  }
}
