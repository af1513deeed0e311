/** Bytes compressed as Node cannot: by the system's programs. */
import { execFileSync } from 'node:child_process';

const by =
  (program: string) =>
  (bytes: Buffer): Buffer =>
    execFileSync(program, ['-c'], { input: bytes });

/** An .xz. */
export const xzBytes = by('xz');
/** A .bz2. */
export const bzip2Bytes = by('bzip2');
/** A .zst; the program comes in a package of the same name. */
export const zstdBytes = by('zstd');
