/**
 * A lock that belongs to an open file, not to a process (an OFD lock of fcntl(2)): it ends with the
 * descriptor, so also by kill -9, and no other open of the same file can drop it by accident.
 */
import { closeSync, openSync } from 'node:fs';
import { endianness, constants as osConstants } from 'node:os';
import koffi from 'koffi';
import { ErrnoError } from './errno-error.js';

const F_OFD_SETLK = 37;
const F_WRLCK = 1;
/** struct flock of 64-bit Linux: l_type, l_whence, (pad), l_start, l_len, l_pid, (pad). */
const SIZEOF_FLOCK = 32;

const fcntl = koffi.load(null).func('fcntl', 'int', ['int', 'int', 'void *']);

/** A lock that is held; `release` is idempotent. */
export interface FileLock {
  release(): void;
}

const nameOf = (errno: number): string =>
  Object.entries(osConstants.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;

function wholeFile(): Buffer {
  const flock = Buffer.alloc(SIZEOF_FLOCK);
  // l_whence, l_start and l_len stay 0: from the first byte to the end, however long it grows.
  if (endianness() === 'LE') flock.writeInt16LE(F_WRLCK, 0);
  else flock.writeInt16BE(F_WRLCK, 0);
  return flock;
}

/**
 * Locks `path` for writing, making the file (0600) when it is missing. Undefined when another open
 * file holds it. Throws `ErrnoError` of fcntl, or what open(2) said. Fast: never waits.
 */
export function tryLockFile(path: string): FileLock | undefined {
  const fd = openSync(path, 'a', 0o600);
  const failed = fcntl(fd, F_OFD_SETLK, wholeFile()) < 0;
  const errno = koffi.errno();
  if (!failed) {
    let held = true;
    return {
      release: () => {
        if (held) closeSync(fd);
        held = false;
      },
    };
  }
  closeSync(fd);
  const code = nameOf(errno);
  if (code === 'EAGAIN' || code === 'EACCES') return undefined;
  throw new ErrnoError('fcntl', code, path);
}
