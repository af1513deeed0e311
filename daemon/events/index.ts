import type { Statement, Store } from '../store/index.js';
import { matches } from './filter.js';
import type { EventFilters, Happening } from './filter.js';
import { stamps, type StampedEvent } from './stamps.js';

export { eventFilterNames } from './filter.js';
export type { EventFilters, Happening } from './filter.js';
export type { StampedEvent } from './stamps.js';

/** How many events may wait for a client that does not read before it is cut off. */
const maxWaiting = 10_000;

/** An event that will be true once its transaction is. */
export interface PendingEvent {
  /** Goes into the transaction of the change that it tells of. */
  readonly statements: readonly Statement[];
  /** Tells the listeners; to be called once the transaction has been committed. */
  readonly announce: () => void;
}

/** The book of events: each is stored before anybody is told, and times never repeat or go back. */
export interface Events {
  stamp(event: Happening): PendingEvent;
  /** Stores and tells an event that belongs to no other change. */
  emit(event: Happening): Promise<void>;
  /**
   * The same of one that nobody waits for: it has its time now, and is stored before anything that
   * is stamped later and before anybody is told what there was. At once if somebody listens, else
   * in so little time that only a daemon that is killed loses it.
   */
  soon(event: Happening): void;
  /**
   * Stores a change that nobody waits for together with its events, as `soon` does; resolves when
   * there is nothing left to tell.
   */
  keepSoon(statements: readonly Statement[], events: readonly Happening[]): Promise<void>;
  /**
   * What happened since `sinceNs` (from the store), then what happens until `untilNs` or `signal`.
   * Without either only what is new; with `untilNs` alone all that there is. It listens from the
   * call on, not from the first `next`.
   */
  watch(range: EventRange, signal: AbortSignal): AsyncGenerator<StampedEvent, void, undefined>;
}

/** Which events are wanted, in ns since the epoch; both ends belong to it. */
export interface EventRange {
  readonly sinceNs?: bigint;
  readonly untilNs?: bigint;
  readonly filters: EventFilters;
}

interface Row extends Record<string, string | number> {
  time_ns: string;
  type: string;
  action: string;
  actor_id: string;
  attributes: string;
}

/** What events are made by, where it is not the usual. */
export interface EventsOptions {
  readonly nowNs?: () => bigint;
  /** Told when an event that nobody waits for could not be stored. */
  readonly onLost?: (error: unknown) => void;
}

/** Events in a store of their own table: one sequence, strictly growing times. */
export function createEvents(
  store: Store,
  { nowNs, onLost = () => undefined }: EventsOptions = {},
): Events {
  const listeners = new Set<(event: StampedEvent) => void>();
  const book = stamps(nowNs);
  const stamp = (happening: Happening): PendingEvent => {
    const event = book.stamp(happening);
    // Who begins to listen later finds it in the store.
    const announce = (): void => listeners.forEach((listener) => listener(event));
    return { statements: book.statements(event), announce };
  };
  const keepSoon: Events['keepSoon'] = async (also, happened) => {
    if (happened.length === 0 || listeners.size === 0) {
      const events = happened.map(book.stamp);
      // How they are stored is thought about for many at once, when their transaction is made.
      store.soon(() => [...also, ...events.flatMap(book.statements)]);
      return;
    }
    const pending = happened.map(stamp);
    const statements = [...also, ...pending.flatMap((event) => event.statements)];
    await store.commit(statements, 'normal');
    for (const { announce } of pending) announce();
  };
  return {
    stamp,
    async emit(happening) {
      const pending = stamp(happening);
      await store.commit(pending.statements, 'normal');
      pending.announce();
    },
    soon: (happening) => void keepSoon([], [happening]).catch(onLost),
    keepSoon,
    watch(range, signal) {
      store.flush();
      const queue = new LiveQueue(signal);
      const listener = (event: StampedEvent): void => queue.push(event);
      listeners.add(listener);
      signal.addEventListener('abort', () => listeners.delete(listener), { once: true });
      const end = (): void => void listeners.delete(listener);
      const past = readPast(store, range);
      // Whoever does not read on does not learn of it either.
      past.catch(() => undefined);
      return drain({ past, queue, range, end });
    },
  };
}

/** What has been announced and not yet been read by one watcher. */
class LiveQueue {
  readonly #waiting: StampedEvent[] = [];
  #wake: (() => void) | undefined;
  overflowed = false;

  constructor(readonly signal: AbortSignal) {
    signal.addEventListener('abort', () => this.#wake?.(), { once: true });
  }

  push(event: StampedEvent): void {
    if (this.#waiting.length >= maxWaiting) this.overflowed = true;
    else this.#waiting.push(event);
    this.#wake?.();
  }

  /** The next event; undefined at the deadline, when aborted, or after an overflow. */
  async next(untilMs: number | undefined): Promise<StampedEvent | undefined> {
    for (;;) {
      const event = this.#waiting.shift();
      if (event !== undefined) return event;
      const left = untilMs === undefined ? undefined : untilMs - Date.now();
      if (this.signal.aborted || this.overflowed) return undefined;
      if (left !== undefined && left <= 0) return undefined;
      await this.#pause(left);
    }
  }

  #pause(ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, Math.min(ms, 2 ** 31 - 1));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

interface Drain {
  readonly past: Promise<readonly StampedEvent[]>;
  readonly queue: LiveQueue;
  readonly range: EventRange;
  readonly end: () => void;
}

async function* drain(run: Drain): AsyncGenerator<StampedEvent, void, undefined> {
  const { queue, end } = run;
  const { untilNs, filters } = run.range;
  try {
    const past = await run.past;
    yield* past;
    let lastNs = past.at(-1)?.timeNs ?? 0n;
    const untilMs = untilNs === undefined ? undefined : Number(untilNs / 1_000_000n);
    for (;;) {
      const event = await queue.next(untilMs);
      if (event === undefined || (untilNs !== undefined && event.timeNs > untilNs)) return;
      // What was committed between listening and reading the past is in both.
      if (event.timeNs <= lastNs || !matches(event, filters)) continue;
      lastNs = event.timeNs;
      yield event;
    }
  } finally {
    end();
  }
}

async function readPast(store: Store, range: EventRange): Promise<readonly StampedEvent[]> {
  const { sinceNs, untilNs, filters } = range;
  if (sinceNs === undefined && untilNs === undefined) return [];
  // Commits keep their order: what happened before the question is in the book after this one.
  await store.commit([], 'normal');
  const rows = store.rows<Row>(
    'SELECT CAST(time_ns AS TEXT) AS time_ns, type, action, actor_id, attributes FROM events ' +
      'WHERE time_ns >= ? AND time_ns <= ? ORDER BY seq',
    sinceNs ?? 0n,
    untilNs ?? 2n ** 63n - 1n,
  );
  return rows.map(fromRow).filter((event) => matches(event, filters));
}

function fromRow(row: Row): StampedEvent {
  return {
    // Only `stamp` writes this table.
    type: row.type as Happening['type'],
    action: row.action,
    id: row.actor_id,
    attributes: JSON.parse(row.attributes) as Record<string, string>,
    timeNs: BigInt(row.time_ns),
  };
}
