/** `build/prune`, and what `system df` shows of the cache. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { BuildCache, BuildPruneResponse } from '../../api-spec/index.js';
import type { Cache, CacheRecord } from './cache.js';
import { durationNs } from './dockerfile/duration.js';

/** As the client asks. */
export interface PruneRequest {
  /** Also what images that are kept still stand on. */
  readonly all: boolean;
  /** Oldest go first, until no more than this is left; undefined takes all that match. */
  readonly keepBytes: number | undefined;
  readonly filters: Readonly<Record<string, readonly string[]>>;
}

/** What pruning works with. */
export interface PruneContext {
  readonly cache: Cache;
  /** Layers that images stand on. */
  readonly isShared: (storageKey: string) => boolean;
  /** Removes layers and blobs that nothing uses any more. */
  readonly collect: (things: {
    readonly layers: readonly string[];
    readonly blobs: readonly string[];
  }) => Promise<void>;
  readonly nowMs: () => number;
}

/** Removes records, then the layers that only they stood on. */
export async function pruneCache(
  context: PruneContext,
  request: PruneRequest,
): Promise<BuildPruneResponse> {
  const { cache, isShared, collect, nowMs } = context;
  const all = cache.all();
  const rows = all.map((record) => ({ record, row: rowOf(record, isShared) }));
  const matches = matcherOf(request.filters, nowMs());
  const candidates = rows.filter(({ record, row }) => {
    const protects = !request.all && row.Shared && request.filters['shared'] === undefined;
    return !protects && matches(record, row);
  });
  const total = all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const doomed = beyond(candidates, total, request.keepBytes);
  if (doomed.length === 0) return { CachesDeleted: null, SpaceReclaimed: 0 };
  await cache.remove(doomed.map(({ key }) => key));
  const layers = doomed.filter(({ storageKey }) => storageKey !== '');
  await collect({
    layers: layers.map(({ storageKey }) => storageKey),
    blobs: layers.map(({ diffId }) => diffId),
  });
  const left = cache.layersInUse();
  const freed = new Map(
    layers
      .filter(({ storageKey }) => !left.has(storageKey) && !isShared(storageKey))
      .map(({ storageKey, sizeBytes }) => [storageKey, sizeBytes]),
  );
  return {
    CachesDeleted: doomed.map(({ key }) => key.slice(0, idDigits)),
    SpaceReclaimed: [...freed.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0),
  };
}

const idDigits = 25;

function beyond(
  candidates: readonly { readonly record: CacheRecord }[],
  totalBytes: number,
  keepBytes: number | undefined,
): readonly CacheRecord[] {
  const doomed: CacheRecord[] = [];
  let left = totalBytes;
  for (const { record } of candidates) {
    if (keepBytes !== undefined && keepBytes > 0 && left <= keepBytes) break;
    doomed.push(record);
    left -= record.sizeBytes;
  }
  return doomed;
}

/** One row of `system df`. */
export function rowOf(record: CacheRecord, isShared: (storageKey: string) => boolean): BuildCache {
  const { key, kind, description, sizeBytes, createdAtMs, lastUsedAtMs, usageCount } = record;
  return {
    ID: key.slice(0, idDigits),
    Type: kind,
    Description: description,
    InUse: false,
    Shared: record.storageKey !== '' && isShared(record.storageKey),
    Size: sizeBytes,
    CreatedAt: new Date(createdAtMs).toISOString(),
    LastUsedAt: new Date(lastUsedAtMs).toISOString(),
    UsageCount: usageCount,
  };
}

type Test = (record: CacheRecord, row: BuildCache) => boolean;

function matcherOf(filters: PruneRequest['filters'], nowMs: number): Test {
  const tests = Object.entries(filters).map(([name, values]) => testOf(name, values, nowMs));
  return (record, row) => tests.every((test) => test(record, row));
}

/** Values of one filter are alternatives. */
function testOf(name: string, values: readonly string[], nowMs: number): Test {
  const any = (matches: (value: string) => boolean): boolean => values.some(matches);
  switch (name) {
    case 'id':
      return (_, row) => any((value) => row.ID.startsWith(value));
    case 'parent':
      return (record) => any((value) => record.parent.replace('sha256:', '').startsWith(value));
    case 'type':
      return (record) => any((value) => record.kind === value);
    case 'description':
      return (record) => any((value) => record.description.includes(value));
    case 'inuse':
    case 'private':
    case 'shared':
      return flagTest(name, values);
    case 'until':
    case 'unused-for': {
      const limits = values.map((value) => nowMs - ageMs(value));
      return (record) => limits.every((limit) => record.lastUsedAtMs < limit);
    }
    default:
      // Records have no labels.
      return () => name === 'label!';
  }
}

function flagTest(name: 'inuse' | 'private' | 'shared', values: readonly string[]): Test {
  const wanted = values.map((value) => !['0', 'false', 'f'].includes(value.toLowerCase()));
  return (_, row) => {
    const actual = { inuse: row.InUse, shared: row.Shared, private: !row.Shared }[name];
    return wanted.includes(actual);
  };
}

function ageMs(text: string): number {
  const ns = durationNs(text) ?? (/^\d+$/.test(text) ? Number(text) * 1e9 : undefined);
  if (ns === undefined) throw invalidParameter(`invalid duration ${JSON.stringify(text)}`);
  return ns / 1e6;
}
