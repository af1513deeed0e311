import type { TextFile } from './text-file.js';

const chunkBytes = 256 * 1024;
/** A line of the shim holds 16 KiB, at most six times as much escaped; the rest is attributes. */
const maxLineBytes = 4 * 1024 * 1024;
const newline = 0x0a;

/** Whole lines, each with its newline, and where the next begins. */
export interface Lines {
  readonly bytes: Buffer;
  readonly end: number;
}

/**
 * The whole lines at `offset`, some 256 KiB of them; undefined where none has ended before `limit`.
 * What grows beyond every line's bound is no log: it is passed over, and the next line found.
 */
export async function linesAt(
  file: TextFile,
  offset: number,
  limit: number,
): Promise<Lines | undefined> {
  let start = offset;
  for (let wanted = chunkBytes; ; wanted *= 2) {
    const size = Math.min(wanted, limit - start);
    if (size <= 0) return undefined;
    const buffer = Buffer.allocUnsafe(size);
    const bytesRead = await file.read(buffer, size, start);
    const end = buffer.subarray(0, bytesRead).lastIndexOf(newline) + 1;
    if (end > 0) return { bytes: buffer.subarray(0, end), end: start + end };
    if (bytesRead < size || start + size >= limit) return undefined;
    if (wanted < maxLineBytes) continue;
    start += size;
    wanted = chunkBytes / 2;
  }
}
