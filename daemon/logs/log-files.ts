/**
 * The files of one log, oldest first: `path.4` … `path.1`, `path`, while they are being rotated.
 */
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';

/** One open file of a log. The descriptor stays right when the file is renamed or removed. */
export interface LogFile {
  readonly handle: FileHandle;
  readonly inode: bigint;
  /** As it was when the file was opened. */
  readonly sizeBytes: number;
}

/** More files than anybody keeps; a bound on the search. */
const maxRotated = 1000;
const maxTries = 8;

async function openOne(path: string): Promise<LogFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const { ino, size } = await handle.stat({ bigint: true });
  return { handle, inode: ino, sizeBytes: Number(size) };
}

/** Closes all of them, also when one fails. */
export async function closeLogFiles(files: Iterable<LogFile>): Promise<void> {
  await Promise.all([...files].map((file) => file.handle.close()));
}

async function openNewestFirst(path: string): Promise<readonly LogFile[]> {
  const files: LogFile[] = [];
  const current = await openOne(path);
  if (current !== undefined) files.push(current);
  for (let number = 1; number <= maxRotated; number += 1) {
    const file = await openOne(`${path}.${number}`);
    if (file === undefined) break;
    files.push(file);
  }
  return files;
}

/**
 * Opens all files of the log, oldest first; the caller closes them. A rotation in the middle of it
 * shows one file under two names: then it is done again, so that none is missing or double.
 */
export async function openLogFiles(path: string): Promise<readonly LogFile[]> {
  for (let attempt = 1; ; attempt += 1) {
    const files = await openNewestFirst(path);
    const inodes = new Set(files.map((file) => file.inode));
    if (inodes.size === files.length) return [...files].reverse();
    if (attempt < maxTries) {
      await closeLogFiles(files);
      continue;
    }
    const seen = new Set<bigint>();
    const doubles = files.filter((file) => seen.has(file.inode) || !seen.add(file.inode));
    await closeLogFiles(doubles);
    return files.filter((file) => !doubles.includes(file)).reverse();
  }
}
