import { Worker } from 'node:worker_threads';
import type { CheckpointReply } from './checkpointer.js';

/** Transactions between two checkpoints: some ten pages each, so the log stays in its room. */
const commitsBetween = 150;
/** Transactions during one checkpoint, after which the others wait for it. */
const maxCommitsDuring = 500;
/** Pages (of 4 KiB) that the log may have before writers wait until it can begin anew. */
const maxPages = 1_500;

/** When the log is moved into the database, and when nobody may write meanwhile. */
export interface Checkpoints {
  /** A transaction was added to the log. */
  count(): void;
  /** Whether writers are to wait; `goOn` is called when they need no longer. */
  isPaused(): boolean;
  close(): Promise<void>;
}

interface Told {
  /** Writers need no longer wait. */
  readonly goOn: () => void;
  /** A checkpoint failed: the log grows until one succeeds. */
  readonly warn: (reason: string) => void;
}

/**
 * Checkpoints of the database at `path`, in a worker that is started when the first is due. Others
 * write on beside it. But SQLite begins its log anew only when all of it has been moved at some
 * moment, so writers wait for the next one when the log has grown large: that one is short, because
 * little is left to move.
 */
export function createCheckpoints(path: string, { goOn, warn }: Told): Checkpoints {
  let worker: Worker | undefined;
  let commits = 0;
  let underWay: 'no' | 'beside writers' | 'alone' = 'no';
  let isPaused = false;
  let isClosing = false;

  const begin = (how: 'beside writers' | 'alone'): void => {
    underWay = how;
    isPaused = how === 'alone';
    commits = 0;
    worker ??= startWorker();
    worker.ref();
    worker.postMessage('checkpoint');
  };
  const end = (): void => {
    if (!isClosing) worker?.unref();
    underWay = 'no';
    isPaused = false;
    goOn();
  };
  const startWorker = (): Worker => {
    const made = new Worker(new URL('./checkpointer.js', import.meta.url), { workerData: path });
    made.on('message', ({ pages, error }: CheckpointReply) => {
      if (error !== undefined) warn(error);
      const isLarge = error === undefined && (isPaused || pages > maxPages);
      if (isLarge && underWay === 'beside writers') begin('alone');
      else end();
    });
    made.on('error', (error) => {
      warn(error.message);
      worker = undefined;
      end();
    });
    return made;
  };

  return {
    count() {
      commits += 1;
      if (underWay === 'no' && commits >= commitsBetween) begin('beside writers');
      else if (commits >= maxCommitsDuring) isPaused = true;
    },
    isPaused: () => isPaused,
    async close() {
      isClosing = true;
      if (worker === undefined) return;
      const ended = new Promise((resolve) => worker?.once('exit', resolve));
      worker.ref();
      worker.postMessage('end');
      await ended;
    },
  };
}
