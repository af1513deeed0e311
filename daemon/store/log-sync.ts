import { close, fdatasync, fstatSync, openSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { systemError } from '../../api-spec/errors.js';
import { ErrnoError, hasCode } from '../../native/errno-error.js';
import { keepRoom } from '../../native/keep-room.js';
import { yieldProcessor } from '../../native/libc.js';

/** Makes what is in a file last. */
export interface LogSync {
  /** Resolves when everything written before the call would survive a power cut. */
  durable(): Promise<void>;
  /** A log of which a sync has failed may have lost anything: what follows in it is lost too. */
  failure(): Error | undefined;
  /** Waits for what is under way. */
  close(): Promise<void>;
}

/**
 * What the log grows to before checkpoints let it begin anew, and some more: on a full disk things
 * can still be removed, which begins with a record. All of it is written once: a sync of what lies
 * there waits for data alone, half as long as one of a file that grows, whose filesystem has to
 * note where.
 */
const roomBytes = 8 * 1024 * 1024;
/** What is written at once. */
const pieceBytes = 1024 * 1024;

/**
 * Syncs of the file at `path`, in the pool's threads. Who comes while one is under way shares the
 * next one: it may have begun before their pages were there.
 */
export function createLogSync(path: string): LogSync {
  const fd = openSync(path, 'r+');
  keepRoomFor(fd);
  writeAhead(fd);
  let current: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let failed: Error | undefined;

  const begin = (): Promise<void> => {
    next = undefined;
    if (failed !== undefined) return Promise.reject(failed);
    const sync = new Promise<void>((resolve, reject) => {
      fdatasync(fd, (error) => {
        if (current === sync) current = undefined;
        if (error === null) {
          resolve();
          return;
        }
        failed ??= systemError(
          `database: ${error.message}; nothing more is written until the daemon is started again`);
        reject(failed);
      });
    });
    current = sync;
    // The thread has the disk to set to work, which takes it microseconds. Woken on this very
    // processor, it would wait for all that its caller has to do meanwhile.
    yieldProcessor();
    return sync;
  };
  // Of what it begins with; a failure is kept for who comes next.
  begin().catch(() => undefined);

  return {
    failure: () => failed,
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

/** Zeros are no frame of SQLite's log (sqlite.org/fileformat2.html, 4.1): it ends before them. */
function writeAhead(fd: number): void {
  let { size } = fstatSync(fd);
  if (size >= roomBytes) return;
  const zeros = Buffer.alloc(pieceBytes);
  try {
    while (size < roomBytes) {
      size += writeSync(fd, zeros, 0, Math.min(pieceBytes, roomBytes - size), size);
    }
  } catch (error) {
    if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
  }
}
