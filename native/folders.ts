/** Many folders by one call in a pool's thread, while the main thread goes on. */
import { tsdocker } from './libc.js';

/**
 * Makes folders (of this mode), one after the other; one that is there already is fine. Resolves
 * with how many are there before the first that cannot be made: all of them, mostly.
 */
export function makeFolders(paths: readonly string[], mode: number): Promise<number> {
  return new Promise((resolve, reject) => {
    tsdocker().tsd_make_folders.async([...paths, null], mode, (error, made) =>
      error === null ? resolve(made) : reject(error));
  });
}

/** Removes the empty ones. Resolves with how many are left, for whatever reason. */
export function removeFolders(paths: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    tsdocker().tsd_remove_folders.async([...paths, null], (error, left) =>
      error === null ? resolve(left) : reject(error));
  });
}
