/** Rotated log files are compressed while their container runs, one file of all at a time. */
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ErrnoError } from '../../native/errno-error.js';
import type { Task } from '../runtime/task.js';
import { highestNumber, openCurrent, type LogFile } from './log-files.js';
import { pack } from './packed.js';

/** Who rotates the files also renames them: it alone knows which number a file has by now. */
export type Rotator = Pick<Task, 'logTurn' | 'logCompressed'>;

/** One at a time: the work is done in the thread pool, which others need as well. */
export class Packer {
  #last: Promise<unknown> = Promise.resolve();
  /** By rotator, for as long as it is there. */
  readonly #wishes = new Map<Rotator, Wish>();

  /** `failed` is told what ends the compressing of one log. */
  constructor(readonly failed: (error: unknown, path: string) => void) {}

  /**
   * Whether what has been rotated of the log at `path`, and what will be, is compressed, until its
   * rotator has gone or something else is said. What a crash leaves half done is removed or done
   * again.
   */
  attend(path: string, rotator: Rotator, isWanted: boolean): void {
    const before = this.#wishes.get(rotator);
    if (before !== undefined) {
      before.isWanted = isWanted;
      before.onChange();
    } else if (isWanted) {
      const wish: Wish = { isWanted, onChange: () => undefined };
      this.#wishes.set(rotator, wish);
      this.#keep(path, rotator, wish)
        .catch((error: unknown) => this.failed(error, path))
        .finally(() => this.#wishes.delete(rotator));
    }
  }

  async #keep(path: string, rotator: Rotator, wish: Wish): Promise<void> {
    await removeDrafts(path);
    let seen = 0n;
    let turn: Promise<void> | undefined;
    try {
      for (;;) {
        const changed = new Promise<void>((resolve) => (wish.onChange = resolve));
        if (wish.isWanted) await this.#all(path, rotator);
        // A rotator is asked once at a time.
        turn ??= rotator.logTurn(seen).then((now) => {
          seen = now;
          turn = undefined;
        });
        await Promise.race([turn, changed]);
      }
    } catch (error) {
      if (!isFarewell(error)) throw error;
    }
  }

  async #all(path: string, rotator: Rotator): Promise<void> {
    for (;;) {
      const turn = this.#last.then(() => packOne(path, rotator));
      this.#last = turn.catch(() => undefined);
      if (!(await turn)) return;
    }
  }
}

interface Wish {
  isWanted: boolean;
  onChange: () => void;
}

/** The container has ended, or it was a shim that knows no such thing. */
function isFarewell(error: unknown): boolean {
  return error instanceof ErrnoError && ['EPIPE', 'ENODATA', 'ENOSYS'].includes(error.code);
}

/** The newest first: the oldest may be removed at any moment. False when there is none left. */
async function packOne(path: string, rotator: Rotator): Promise<boolean> {
  const file = newestPlain(path);
  if (file === undefined) return false;
  const { inode, birthNs } = file.identity;
  const draft = `${path}.z${inode}`;
  try {
    await pack(file.file, { inode, birthNs, sizeBytes: file.sizeBytes }, draft);
    if (!(await rotator.logCompressed(inode))) await rm(draft, { force: true });
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  } finally {
    file.close();
  }
  return true;
}

function newestPlain(path: string): LogFile | undefined {
  const last = highestNumber(path);
  for (let number = 1; number <= last; number += 1) {
    const file = openCurrent(`${path}.${number}`);
    if (file !== undefined) return file;
  }
  return undefined;
}

async function removeDrafts(path: string): Promise<void> {
  const folder = dirname(path);
  const drafts = (await readdir(folder)).filter((name) => name.startsWith(`${basename(path)}.z`));
  for (const name of drafts) await rm(join(folder, name), { force: true });
}
