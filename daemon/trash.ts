/** Folders that go out of the way at once and are removed when nobody waits for it. */
import { mkdirSync, renameSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { hasCode } from '../native/errno-error.js';
import { removeSmallTree } from '../native/remove-small.js';

/**
 * The daemon's own folders only: what a container may have filled is removed by a process apart.
 */
export interface Trash {
  /** The name is free when it resolves; absence is no error. */
  take(path: string): Promise<void>;
  /** Removes what an earlier daemon left. */
  empty(): Promise<void>;
  /** Takes everything of `folder` whose name is not known; says what. */
  sweep(folder: string, known: ReadonlySet<string>): Promise<readonly string[]>;
}

/** For how long things lie there before they are removed: whoever took them goes on undisturbed. */
const REST_MS = 50;

/** Opens the trash below `folder`, which is on the same filesystem as what it will take. */
export function openTrash(folder: string, onError: (error: unknown) => void): Trash {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const remove = async (path: string): Promise<void> => {
    if (!(await removeSmallTree(path))) await rm(path, { recursive: true, force: true });
  };
  let resting: string[] = [];
  const removeRested = (): void => {
    for (const path of resting) remove(path).catch(onError);
    resting = [];
  };
  const trash: Trash = {
    take(path) {
      const taken = join(folder, randomBytes(12).toString('hex'));
      try {
        renameSync(path, taken);
      } catch (error) {
        if (hasCode(error, 'ENOENT')) {
          return Promise.resolve();
        }
        throw error;
      }
      if (resting.length === 0) setTimeout(removeRested, REST_MS).unref();
      resting.push(taken);
      return Promise.resolve();
    },
    async empty() {
      for (const name of await readdir(folder)) await remove(join(folder, name));
    },
    async sweep(swept, known) {
      const unknown = (await readdir(swept)).filter((name) => !known.has(name));
      for (const name of unknown) await trash.take(join(swept, name));
      return unknown.map((name) => `removed ${join(swept, name)}, which no record names`);
    },
  };
  return trash;
}
