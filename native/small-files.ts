/** Several small files by one call in a pool's thread, while the main thread goes on. */
import { inThread, tsdocker } from './libc.js';

/** A file and all that is to be in it; no NUL. */
export interface SmallFile {
  readonly path: string;
  readonly text: string;
}

/**
 * Writes them in place, one after the other; a new one gets this mode. Resolves with how many were
 * written before the first that cannot be.
 */
export function writeSmallFiles(files: readonly SmallFile[], mode: number): Promise<number> {
  const paths = [...files.map(({ path }) => path), null];
  const texts = [...files.map(({ text }) => text), null];
  return inThread(tsdocker().tsd_write_files, paths, texts, mode);
}
