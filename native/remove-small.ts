import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';
import { inThread, tsdocker } from './libc.js';

/** More than this is a process's work (`removeTree`), which can be killed. */
const MAX_ENTRIES = 256;

/**
 * Removes a tree of a few entries in one call of a pool's thread; no link in it is followed. False
 * when it has more than 256 entries or is deeper than sixteen folders: then some of it may be left,
 * for `removeTree`. Absent is success. Rejects with `ErrnoError`.
 */
export async function removeSmallTree(path: string): Promise<boolean> {
  const result = await inThread(tsdocker().tsd_remove_small, path, MAX_ENTRIES);
  if (result >= 0) return true;
  const code = errnoName(result);
  if (code === 'E2BIG') return false;
  throw new ErrnoError('unlinkat', code, path);
}
