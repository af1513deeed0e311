import koffi from 'koffi';

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
