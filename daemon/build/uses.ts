/**
 * Which records builds have found, written down now and then: a record's row carries its document,
 * so that to count one as used rewrites pages of it, for twenty as long as half a build of them.
 */
import type { Statement, Store } from '../store/store.js';

/** How long a use waits for others. */
const GATHER_MS = 1000;

/** Uses that are not written down yet. A daemon that is killed loses those of a second. */
export interface Uses {
  /** A build found the records with these keys. */
  add(keys: Iterable<string>, nowMs: number): void;
  /** Writes them down: reads see them once it returns. */
  flush(): void;
}

interface Use {
  readonly lastUsedAtMs: number;
  readonly count: number;
}

/** Over the records of `tables.ts`. */
export function openUses(store: Pick<Store, 'flush' | 'soon'>): Uses {
  let waiting = new Map<string, Use>();
  let timer: NodeJS.Timeout | undefined;
  const write = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.size === 0) return;
    const those = waiting;
    waiting = new Map();
    store.soon(() => [counted(those)]);
  };
  return {
    add: (keys, nowMs) => {
      for (const key of keys) {
        waiting.set(key, { lastUsedAtMs: nowMs, count: (waiting.get(key)?.count ?? 0) + 1 });
      }
      if (waiting.size > 0) timer ??= setTimeout(write, GATHER_MS).unref();
    },
    flush: () => {
      write();
      store.flush();
    },
  };
}

/** One statement for all: twenty take ten times as long. */
function counted(uses: ReadonlyMap<string, Use>): Statement {
  const rows = [...uses].map(([key, { lastUsedAtMs, count }]) => [key, lastUsedAtMs, count]);
  return { sql: countAll, params: [JSON.stringify(rows)] };
}

const countAll =
  'UPDATE build_records SET last_used_at_ms = used.value ->> 1, ' +
  'usage_count = usage_count + (used.value ->> 2) ' +
  'FROM json_each(?) AS used WHERE build_records.key = used.value ->> 0';
