/** Temporary folders of one build, which go with it, and after a crash at the next start. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** All below one folder. */
export interface Scratch {
  /** A new, empty folder of mode 0700. */
  make(): Promise<string>;
  /** Takes all of them out of the way; their bytes go later. */
  remove(): Promise<void>;
}

/** For one build, below `root`. */
export function openScratch(
  root: string,
  removeTree: (path: string) => Promise<void>,
): Scratch {
  const folder = join(root, randomBytes(12).toString('hex'));
  // Most builds need none.
  let made: Promise<unknown> | undefined;
  return {
    async make() {
      made ??= mkdir(folder, { recursive: true, mode: 0o700 });
      await made;
      const path = join(folder, randomBytes(8).toString('hex'));
      await mkdir(path, { mode: 0o755 });
      return path;
    },
    remove: async () => {
      if (made === undefined) return;
      const doomed = join(root, '..', 'trash', randomBytes(12).toString('hex'));
      await mkdir(join(root, '..', 'trash'), { recursive: true, mode: 0o700 });
      await rename(folder, doomed);
      // The name is free; what remains of it after a crash goes at the next start.
      removeTree(doomed).catch(() => undefined);
    },
  };
}

/** Removes what builds of an earlier daemon left; says what. */
export async function sweepScratch(
  root: string,
  removeTree: (path: string) => Promise<void>,
): Promise<readonly string[]> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const names = await readdir(root);
  for (const name of names) await removeTree(join(root, name));
  return names.map((name) => `removed the files of the unfinished build ${name}`);
}
