import { close, fdatasync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { ErrnoError } from '../../native/errno-error.js';
import { keepRoom } from '../../native/keep-room.js';

/** Makes what is in a file last. */
export interface LogSync {
  /** Resolves when everything written before the call would survive a power cut. */
  durable(): Promise<void>;
  /** Waits for what is under way. */
  close(): Promise<void>;
}

/**
 * What the log grows to before checkpoints let it begin anew, and some more: on a full disk things
 * can still be removed, which begins with a record.
 */
const roomBytes = 8 * 1024 * 1024;

/**
 * Syncs of the file at `path`, in the pool's threads. Who comes while one is under way shares the
 * next one: it may have begun before their pages were there.
 */
export function createLogSync(path: string): LogSync {
  const fd = openSync(path, 'r+');
  keepRoomFor(fd);
  let current: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  const begin = (): Promise<void> => {
    next = undefined;
    const sync = new Promise<void>((resolve, reject) => {
      fdatasync(fd, (error) => {
        if (current === sync) current = undefined;
        if (error === null) resolve();
        else reject(error);
      });
    });
    current = sync;
    return sync;
  };

  return {
    durable() {
      if (current === undefined) return begin();
      next ??= current.then(begin, begin);
      return next;
    },
    async close() {
      while (current !== undefined) await Promise.allSettled([next ?? current]);
      await promisify(close)(fd);
    },
  };
}

function keepRoomFor(fd: number): void {
  try {
    keepRoom(fd, roomBytes);
  } catch (error) {
    // A disk that is full already, or that keeps no room for anyone.
    if (!(error instanceof ErrnoError)) throw error;
  }
}
