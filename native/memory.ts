import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';

let trim: ((keepBytes: number) => number) | undefined;

/**
 * Returns to the kernel what the C library holds and nobody uses. Fast (a millisecond or so); with
 * a C library that cannot (musl) it does nothing. (malloc_trim(3))
 */
export function releaseFreeMemory(): void {
  trim ??= loadTrim();
  trim(0);
}

function loadTrim(): (keepBytes: number) => number {
  try {
    // koffi's functions are untyped; this one takes a size and returns an int.
    const found = koffi.load(null).func('int malloc_trim(size_t)');
    return (keepBytes) => found(keepBytes) as number;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return () => 0;
  }
}

const MADV_DONTNEED = 4;

/**
 * Lets go of the program's code and constants as far as they were only read on the way here: the
 * pages stay in the kernel's cache, which may now drop them, and come back a few at a time when
 * they are wanted. Only mappings of files that cannot be written to and never were. (madvise(2))
 * Takes some milliseconds; throws `ErrnoError`.
 */
export function releaseProgramText(): void {
  madvise ??= loadMadvise();
  for (const { start, size } of programText(readFileSync('/proc/self/smaps', 'utf8'))) {
    if (madvise(start, size, MADV_DONTNEED) < 0) {
      throw new ErrnoError('madvise', errnoName(koffi.errno()), 'program text');
    }
  }
}

type Madvise = (start: number, size: number, advice: number) => number;

let madvise: Madvise | undefined;

function loadMadvise(): Madvise {
  // koffi's functions are untyped; this one returns an int.
  return koffi.load(null).func('int madvise(uintptr_t, size_t, int)') as Madvise;
}

/** Private mappings of files, without a written page, in text of the form of /proc/PID/smaps. */
export function programText(
  smaps: string,
): readonly { readonly start: number; readonly size: number }[] {
  return smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/).flatMap((mapping) => {
    const head = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p [0-9a-f]+ \S+ [1-9]\d* +\//.exec(mapping);
    if (head === null || !/^Anonymous: +0 kB$/m.test(mapping)) return [];
    const [start, end] = [Number.parseInt(head[1] ?? '', 16), Number.parseInt(head[2] ?? '', 16)];
    return [{ start, size: end - start }];
  });
}
