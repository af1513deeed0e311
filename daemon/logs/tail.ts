import type { LogFile } from './log-files.js';

const blockBytes = 64 * 1024;
const newline = 0x0a;

/** Where to begin: a file of the list and a position in it. */
export interface TailStart {
  readonly index: number;
  readonly offset: number;
}

interface Count {
  lines: number;
}

/**
 * Position behind the newline that ends the line before the wanted ones, or undefined when the file
 * has too few. `count.lines` goes down by the newlines that were passed.
 */
async function searchFile(
  file: LogFile,
  endBytes: number,
  count: Count,
): Promise<number | undefined> {
  const text = await file.text();
  const block = Buffer.allocUnsafe(blockBytes);
  let end = Math.min(endBytes, Number(text.stat().size));
  while (end > 0) {
    const start = Math.max(0, end - blockBytes);
    const bytesRead = await text.read(block, end - start, start);
    const view = block.subarray(0, bytesRead);
    for (let at = view.lastIndexOf(newline); at >= 0; ) {
      // The newest line's own newline counts as well: the one that is one too many is the border.
      if (count.lines === 0) return start + at + 1;
      count.lines -= 1;
      at = at === 0 ? -1 : view.lastIndexOf(newline, at - 1);
    }
    end = start;
  }
  return undefined;
}

/**
 * Where the last `lines` lines begin in files that are ordered oldest first. Reads backwards, only
 * as far as it must. A last line without its newline, which is still being written, counts as none.
 */
export async function findTail(files: readonly LogFile[], lines: number): Promise<TailStart> {
  const newest = files.length - 1;
  const count = { lines };
  for (let index = newest; index >= 0; index -= 1) {
    const file = files[index];
    if (file === undefined) break;
    const offset = await searchFile(file, file.sizeBytes, count);
    if (offset !== undefined) return { index, offset };
  }
  return { index: 0, offset: 0 };
}
