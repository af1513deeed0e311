/** When events happen, and how they are stored. */
import type { Statement } from '../store/index.js';
import type { Happening } from './filter.js';

/** How many events are kept for `since`; the oldest go first. */
const maxKept = 20_000;
/** How many come between two looks for some that are too old. */
const trimEvery = 500;

/** An event with its place in time; `timeNs` grows strictly. */
export interface StampedEvent extends Happening {
  readonly timeNs: bigint;
}

/** What gives events their place in time, and puts them into the book. */
export interface Stamps {
  /** Now, or a moment after the last one: times never repeat or go back. */
  readonly stamp: (happening: Happening) => StampedEvent;
  /** To be carried out in the order of the events, once for each. */
  readonly statements: (event: StampedEvent) => readonly Statement[];
}

/** A sequence of its own. */
export function stamps(nowNs: () => bigint = wallClockNs): Stamps {
  let lastNs = 0n;
  let count = 0;
  return {
    stamp: (happening) => {
      const now = nowNs();
      lastNs = now > lastNs ? now : lastNs + 1n;
      return { ...happening, timeNs: lastNs };
    },
    statements: (event) => {
      const trim = count++ % trimEvery === 0 ? [trimming] : [];
      return [insertion(event), ...trim];
    },
  };
}

const insertion = ({ timeNs, type, action, id, attributes }: StampedEvent): Statement => ({
  sql:
    'INSERT INTO events (time_ns, type, action, actor_id, attributes) ' +
    'VALUES (?, ?, ?, ?, ?)',
  params: [timeNs, type, action, id, JSON.stringify(attributes)],
});

const trimming: Statement = {
  sql: 'DELETE FROM events WHERE seq <= (SELECT max(seq) FROM events) - ?',
  params: [maxKept],
};

/** The wall clock, with the monotonic clock's sub-millisecond digits to tell neighbours apart. */
function wallClockNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n);
}
