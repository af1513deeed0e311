/** Short names of folders, as links beside each other: so a page of options holds 127 of them. */
import { readlinkSync, symlinkSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ErrnoError, hasCode } from '../../native/errno-error.js';

/** The links below one folder; what is known to be there is not looked at again. */
export interface Links {
  readonly dir: string;
  /** Sees to it that it is there. Throws `ErrnoError` EEXIST when it leads somewhere else. */
  make(name: string, target: string): void;
  remove(name: string): Promise<void>;
  /** Removes all. */
  clear(): Promise<void>;
}

/** Opens the links in `dir`, which it makes where there is none. */
export async function openLinks(dir: string): Promise<Links> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const known = new Map<string, string>();
  return {
    dir,
    make(name, target) {
      if (known.get(name) === target) return;
      makeLink(join(dir, name), target);
      known.set(name, target);
    },
    async remove(name) {
      known.delete(name);
      await rm(join(dir, name), { force: true });
    },
    async clear() {
      known.clear();
      await rm(dir, { recursive: true, force: true });
      await mkdir(dir, { mode: 0o700 });
    },
  };
}

function makeLink(path: string, target: string): void {
  try {
    symlinkSync(target, path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    const there = readlinkSync(path);
    if (there !== target) throw new ErrnoError('symlink', 'EEXIST', `${path} -> ${there}`);
  }
}
