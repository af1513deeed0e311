import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CommandError } from './errors.js';

/**
 * Writes a file beside its place and moves it there when it is whole: a broken stream leaves what
 * was there before. `mode` as in open(2).
 */
export async function writeWhole(
  path: string,
  content: Readable | Iterable<string>,
  mode = 0o600,
): Promise<void> {
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    await pipeline(content, createWriteStream(draft, { flags: 'wx', mode }));
    await rename(draft, path);
  } catch (problem) {
    await rm(draft, { force: true });
    if (!(problem instanceof Error) || !('syscall' in problem)) throw problem;
    const reason =
      'code' in problem && problem.code === 'ENOENT'
        ? 'no such file or directory'
        : problem.message;
    throw new CommandError(`open ${path}: ${reason}`, 1, { cause: problem });
  }
}
