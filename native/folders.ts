/** Many folders by one call in a pool's thread, while the main thread goes on. */
import { inThread, tsdocker } from './libc.js';

/**
 * Makes folders (of this mode), one after the other; one that is there already is fine. Resolves
 * with how many are there before the first that cannot be made: all of them, mostly.
 */
export function makeFolders(paths: readonly string[], mode: number): Promise<number> {
  return inThread(tsdocker().tsd_make_folders, [...paths, null], mode);
}

/** Removes the empty ones. Resolves with how many are left, for whatever reason. */
export function removeFolders(paths: readonly string[]): Promise<number> {
  return inThread(tsdocker().tsd_remove_folders, [...paths, null]);
}
