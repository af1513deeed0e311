import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of the files below a folder, each inode once: what `du -b` counts without folders. */
export async function bytesBelow(path: string, seen = new Set<number>()): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) sum += await bytesBelow(child, seen);
    const { ino, size } = await lstat(child);
    if (entry.isFile() && !seen.has(ino)) sum += size;
    seen.add(ino);
  }
  return sum;
}
