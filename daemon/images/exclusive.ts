import { abortReason } from '../../native/abort-reason.js';

/** One at a time, in the order of the calls. */
export type Exclusive = <T>(work: () => Promise<T>) => Promise<T>;

/** A lock of its own; a failed turn does not stop the next. */
export function createExclusive(): Exclusive {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work, work);
    last = turn;
    return turn;
  };
}

/** How many may work at once; the others wait in the order of their calls. */
export interface Slots {
  /** Whether a call now would have to wait. */
  readonly full: boolean;
  /** Runs `work` when there is room; rejects with the signal's reason if it is aborted before. */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** `count` slots. */
export function createSlots(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];
  const enter = (signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    if (free > 0) {
      free -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        waiting.splice(waiting.indexOf(admit), 1);
        reject(abortReason(signal));
      };
      const admit = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      signal.addEventListener('abort', leave, { once: true });
      waiting.push(admit);
    });
  };
  return {
    get full() {
      return free === 0;
    },
    run: async (work, signal) => {
      await enter(signal);
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next === undefined) free += 1;
        else next();
      }
    },
  };
}

/** Work that goes on beside its maker, so much of it at once. */
export interface BoundedWork {
  /** Resolves when there is room for more; rejects with what failed before. */
  add(work: Promise<void>): Promise<void>;
  /** Resolves when all has ended, however it did. */
  settled(): Promise<void>;
  /** Rejects with the first failure, once all has ended. */
  all(): Promise<void>;
}

/** `limit` at once. */
export function boundedWork(limit: number): BoundedWork {
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const refuse = (): void => {
    if (failures.length > 0) throw failures[0];
  };
  const settled = async (): Promise<void> => {
    await Promise.all(underWay);
  };
  return {
    add: async (work) => {
      const ended = work.catch((error: unknown) => void failures.push(error));
      const listed: Promise<void> = ended.then(() => void underWay.delete(listed));
      underWay.add(listed);
      while (underWay.size >= limit) await Promise.race(underWay);
      refuse();
    },
    settled,
    all: async () => {
      await settled();
      refuse();
    },
  };
}
