/** What steps have made, kept for the next build: lookup, record, list, prune. */
import type { Statement, Store } from '../store/store.js';
import { openUses } from './uses.js';

/** What one step made. */
export interface CacheRecord {
  readonly key: string;
  readonly id: string;
  readonly parent: string;
  readonly document: string;
  readonly cmdIsOwn: boolean;
  readonly kind: 'regular' | 'source.local';
  readonly description: string;
  /** Empty strings and zeros for a step without a layer. */
  readonly storageKey: string;
  readonly diffId: string;
  readonly blobSizeBytes: number;
  readonly sizeBytes: number;
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number;
  readonly usageCount: number;
}

/** A record without what it made. */
export type ListedRecord = Omit<CacheRecord, 'document'>;

/** Records in the database; reads are synchronous. */
export interface Cache {
  /** Also one that was only added. */
  find(key: string): CacheRecord | undefined;
  /** All that are written down, the one that was used longest ago first. */
  all(): readonly ListedRecord[];
  /** How many there are, and bytes of their layers, each once. */
  totals(): { readonly records: number; readonly sizeBytes: number };
  /** Kept in memory with what else belongs to it, until `flush`; a crash before loses it. */
  add(record: CacheRecord, statements: readonly Statement[]): void;
  /** How many were added and are not written down. */
  readonly pending: number;
  /** How many were ever added since the start. */
  readonly additions: number;
  /**
   * Writes down what was added before, once `settle` has made its layers durable; on a failure it
   * is forgotten. A power cut may lose the records, which only costs time.
   */
  flush(settle: () => Promise<void>): Promise<void>;
  /** A later build found these; written down a second later at most. */
  touch(keys: Iterable<string>, nowMs: number): void;
  /** Durable: what it stood on may be removed afterwards. */
  remove(keys: readonly string[]): Promise<void>;
  /** Storage keys of all layers that records name. */
  layersInUse(): ReadonlySet<string>;
  /** Those of `digests` that are blobs of these layers. */
  blobsInUse(digests: readonly string[]): ReadonlySet<string>;
  /** Writes down what was only told so far. */
  close(): void;
}

type Row = ListedRow & { readonly document: string };

type ListedRow = {
  readonly key: string;
  readonly id: string;
  readonly parent: string;
  readonly cmd_is_own: number;
  readonly kind: string;
  readonly description: string;
  readonly storage_key: string;
  readonly diff_id: string;
  readonly blob_size_bytes: number;
  readonly size_bytes: number;
  readonly created_at_ms: number;
  readonly last_used_at_ms: number;
  readonly usage_count: number;
};

/** Over the tables of `tables.ts`. */
export function openCache(store: Store): Cache {
  const pending = new Map<string, Pending>();
  const uses = openUses(store);
  let additions = 0;
  const records = (): readonly CacheRecord[] => [...pending.values()].map(({ record }) => record);
  return {
    find: (key) =>
      pending.get(key)?.record ??
      store
        .rows<Row>('SELECT * FROM build_records WHERE key = ?', key)
        .map((row) => ({ ...recordOf(row), document: row.document }))[0],
    all: () => {
      uses.flush();
      return store
        .rows<ListedRow>(`SELECT ${listed} FROM build_records ORDER BY last_used_at_ms`)
        .map(recordOf);
    },
    totals: () =>
      store.rows<{ records: number; sizeBytes: number }>(totals)[0] ?? { records: 0, sizeBytes: 0 },
    add: (record, statements) => {
      additions += 1;
      pending.set(record.key, { record, statements });
    },
    get additions() {
      return additions;
    },
    get pending() {
      return pending.size;
    },
    flush: (settle) => flush(store, pending, settle),
    touch: (keys, nowMs) => uses.add(keys, nowMs),
    remove: (keys) =>
      store.commit(
        keys.map((key) => ({ sql: 'DELETE FROM build_records WHERE key = ?', params: [key] })),
        'full',
      ),
    layersInUse: () =>
      new Set(
        store
          .rows<{
            storage_key: string;
          }>("SELECT DISTINCT storage_key FROM build_records WHERE storage_key <> ''")
          .map((row) => row.storage_key)
          .concat(records().flatMap(({ storageKey }) => (storageKey === '' ? [] : storageKey))),
      ),
    blobsInUse: (digests) => {
      const added = new Set(records().map(({ diffId }) => diffId));
      return new Set(
        store
          .rows<{ diff_id: string }>(blobsAmong, JSON.stringify(digests))
          .map((row) => row.diff_id)
          .concat(digests.filter((digest) => added.has(digest))),
      );
    },
    close: () => uses.flush(),
  };
}

const listed =
  'key, id, parent, cmd_is_own, kind, description, storage_key, diff_id, blob_size_bytes, ' +
  'size_bytes, created_at_ms, last_used_at_ms, usage_count';

const blobsAmong =
  'SELECT DISTINCT diff_id FROM build_records WHERE diff_id IN (SELECT value FROM json_each(?))';

const totals =
  'SELECT coalesce(sum(records), 0) AS records, coalesce(sum(bytes), 0) AS sizeBytes FROM ' +
  '(SELECT count(*) AS records, max(size_bytes) AS bytes FROM build_records GROUP BY storage_key)';

interface Pending {
  readonly record: CacheRecord;
  readonly statements: readonly Statement[];
}

async function flush(
  store: Store,
  pending: Map<string, Pending>,
  settle: () => Promise<void>,
): Promise<void> {
  const all = [...pending];
  if (all.length === 0) return;
  try {
    await settle();
    const statements = all.flatMap(([, one]) => [...one.statements, insert(one.record)]);
    await store.commit(statements, 'normal');
  } finally {
    for (const [key, one] of all) if (pending.get(key) === one) pending.delete(key);
  }
}

function recordOf(row: ListedRow): ListedRecord {
  return {
    key: row.key,
    id: row.id,
    parent: row.parent,
    cmdIsOwn: row.cmd_is_own === 1,
    // Only `insert` writes this column.
    kind: row.kind as CacheRecord['kind'],
    description: row.description,
    storageKey: row.storage_key,
    diffId: row.diff_id,
    blobSizeBytes: row.blob_size_bytes,
    sizeBytes: row.size_bytes,
    createdAtMs: row.created_at_ms,
    lastUsedAtMs: row.last_used_at_ms,
    usageCount: row.usage_count,
  };
}

function insert(record: CacheRecord): Statement {
  return {
    sql: 'INSERT OR REPLACE INTO build_records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    params: [
      record.key,
      record.id,
      record.parent,
      record.document,
      record.cmdIsOwn ? 1 : 0,
      record.kind,
      record.description,
      record.storageKey,
      record.diffId,
      record.blobSizeBytes,
      record.sizeBytes,
      record.createdAtMs,
      record.lastUsedAtMs,
      record.usageCount,
    ],
  };
}
