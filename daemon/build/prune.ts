/** `build/prune`, and what `system df` shows of the cache. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { BuildCache, BuildPruneResponse } from '../../api-spec/index.js';
import type { Cache, ListedRecord } from './cache.js';
import type { CacheMounts } from './cache-mounts.js';
import { durationNs } from './dockerfile/duration.js';

/** As the client asks. */
export interface PruneRequest {
  /** Also what images that are kept still stand on. */
  readonly all: boolean;
  readonly keep: KeepSpace;
  readonly filters: Readonly<Record<string, readonly string[]>>;
}

/**
 * As BuildKit reads its three sizes, in bytes: what was used longest ago goes first. Zeros keep
 * nothing.
 */
export interface KeepSpace {
  /** So much stays in any case. */
  readonly reserved: number;
  /** So much stays at most; 0 is no bound. */
  readonly maxUsed: number;
  /** So much of the disk is to be free. */
  readonly minFree: number;
  /** So many records stay at most; undefined is no bound. */
  readonly records?: number;
}

/** What pruning works with. */
export interface PruneContext {
  readonly cache: Cache;
  readonly cacheMounts: CacheMounts;
  /** Layers that images stand on. */
  readonly isShared: (storageKey: string) => boolean;
  /** Removes layers and blobs that nothing uses any more. */
  readonly collect: (things: {
    readonly layers: readonly string[];
    readonly blobs: readonly string[];
  }) => Promise<void>;
  /** That the cache lies on. */
  readonly disk: () => Promise<{ readonly freeBytes: number; readonly sizeBytes: number }>;
  readonly nowMs: () => number;
}

/** A record or a cache of `RUN --mount`, as its row shows it. */
interface Candidate {
  readonly row: BuildCache;
  readonly lastUsedAtMs: number;
  /** Undefined for a cache. */
  readonly record?: ListedRecord;
  readonly name: string;
}

/** Removes records and caches that no step has, then the layers that only they stood on. */
export async function pruneCache(
  context: PruneContext,
  request: PruneRequest,
): Promise<BuildPruneResponse> {
  const { nowMs } = context;
  const matches = matcherOf(request.filters, nowMs());
  const all = candidatesOf(context);
  const loose = all.filter(({ row }) => {
    const protects = !request.all && row.Shared && request.filters['shared'] === undefined;
    return !protects && !row.InUse;
  });
  const used = usedBytes(all);
  const keepBytes = await keptBytes(context, request.keep, used);
  const keepRecords = request.keep.records ?? Infinity;
  const doomed = beyond(loose.filter(matches), {
    bytes: used - keepBytes,
    records: all.length - keepRecords,
  });
  return doomed.length === 0 ? { CachesDeleted: null, SpaceReclaimed: 0 } : remove(context, doomed);
}

function candidatesOf({ cache, cacheMounts, isShared }: PruneContext): readonly Candidate[] {
  const records = cache.all().map((record): Candidate => {
    const { key: name, lastUsedAtMs } = record;
    return { row: rowOf(record, isShared), lastUsedAtMs, record, name };
  });
  const mounts = cacheMounts.all().map((mount): Candidate => {
    const { name, lastUsedAtMs } = mount;
    return { row: rowOfMount(mount), lastUsedAtMs, name };
  });
  return [...records, ...mounts].sort((one, other) => one.lastUsedAtMs - other.lastUsedAtMs);
}

/** What would be free without all of these: a layer of several records counts once. */
function usedBytes(candidates: readonly Candidate[]): number {
  const sizes = candidates.flatMap(({ row, record, name }): [string, number][] =>
    row.Shared ? [] : [[record?.storageKey ?? name, row.Size]],
  );
  return [...new Map(sizes).values()].reduce((sum, size) => sum + size, 0);
}

async function keptBytes(
  { disk }: PruneContext,
  { reserved, maxUsed, minFree, records }: KeepSpace,
  used: number,
): Promise<number> {
  const isBound = reserved > 0 || maxUsed > 0 || minFree > 0;
  if (!isBound) return records === undefined ? -Infinity : used;
  const most = maxUsed > 0 ? maxUsed : minFree > 0 ? used : 0;
  const missing = minFree > 0 ? Math.max(0, minFree - (await disk()).freeBytes) : 0;
  return Math.max(reserved, Math.min(most, used - missing));
}

/** The first of them, until so much is gone. */
function beyond(
  candidates: readonly Candidate[],
  excess: { readonly bytes: number; readonly records: number },
): readonly Candidate[] {
  const doomed: Candidate[] = [];
  let { bytes, records } = excess;
  for (const candidate of candidates) {
    if (bytes <= 0 && records <= 0) break;
    doomed.push(candidate);
    bytes -= candidate.row.Shared ? 0 : candidate.row.Size;
    records -= candidate.record === undefined ? 0 : 1;
  }
  return doomed;
}

async function remove(
  { cache, cacheMounts, isShared, collect }: PruneContext,
  doomed: readonly Candidate[],
): Promise<BuildPruneResponse> {
  const records = doomed.flatMap(({ record }) => record ?? []);
  await cache.remove(records.map(({ key }) => key));
  const layers = records.filter(({ storageKey }) => storageKey !== '');
  await collect({
    layers: layers.map(({ storageKey }) => storageKey),
    blobs: layers.map(({ diffId }) => diffId),
  });
  const names = doomed.filter(({ record }) => record === undefined).map(({ name }) => name);
  const gone = new Set(await cacheMounts.remove(names));
  const left = cache.layersInUse();
  const isGone = ({ record, name }: Candidate): boolean =>
    record === undefined
      ? gone.has(name)
      : !left.has(record.storageKey) && !isShared(record.storageKey);
  return {
    CachesDeleted: doomed
      .filter(({ record, name }) => record !== undefined || gone.has(name))
      .map(({ row }) => row.ID),
    SpaceReclaimed: usedBytes(doomed.filter(isGone)),
  };
}

/** How many digits of a name are shown. */
const idDigits = 25;

/** One row of `system df`. */
export function rowOf(record: ListedRecord, isShared: (storageKey: string) => boolean): BuildCache {
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

/** The row of a cache of `RUN --mount`. */
export function rowOfMount(mount: ReturnType<CacheMounts['all']>[number]): BuildCache {
  const { name, description, inUse, sizeBytes, createdAtMs, lastUsedAtMs, usageCount } = mount;
  return {
    ID: name.slice(0, idDigits),
    Type: 'exec.cachemount',
    Description: description,
    InUse: inUse,
    Shared: false,
    Size: sizeBytes,
    CreatedAt: new Date(createdAtMs).toISOString(),
    LastUsedAt: new Date(lastUsedAtMs).toISOString(),
    UsageCount: usageCount,
  };
}

type Test = (candidate: Candidate) => boolean;

function matcherOf(filters: PruneRequest['filters'], nowMs: number): Test {
  const tests = Object.entries(filters).map(([name, values]) => testOf(name, values, nowMs));
  return (candidate) => tests.every((test) => test(candidate));
}

/** Values of one filter are alternatives. */
function testOf(name: string, values: readonly string[], nowMs: number): Test {
  const any = (matches: (value: string) => boolean): boolean => values.some(matches);
  switch (name) {
    case 'id':
      return ({ row }) => any((value) => row.ID.startsWith(value));
    case 'parent':
      return ({ record }) =>
        any((value) => record?.parent.replace('sha256:', '').startsWith(value) === true);
    case 'type':
      return ({ row }) => any((value) => row.Type === value);
    case 'description':
      return ({ row }) => any((value) => row.Description.includes(value));
    case 'inuse':
    case 'private':
    case 'shared':
      return flagTest(name, values);
    case 'until':
    case 'unused-for': {
      const limits = values.map((value) => nowMs - ageMs(value));
      return ({ lastUsedAtMs }) => limits.every((limit) => lastUsedAtMs < limit);
    }
    default:
      // Records have no labels.
      return () => name === 'label!';
  }
}

function flagTest(name: 'inuse' | 'private' | 'shared', values: readonly string[]): Test {
  const wanted = values.map((value) => !['0', 'false', 'f'].includes(value.toLowerCase()));
  return ({ row }) => {
    const actual = { inuse: row.InUse, shared: row.Shared, private: !row.Shared }[name];
    return wanted.includes(actual);
  };
}

function ageMs(text: string): number {
  const ns = durationNs(text) ?? (/^\d+$/.test(text) ? Number(text) * 1e9 : undefined);
  if (ns === undefined) throw invalidParameter(`invalid duration ${JSON.stringify(text)}`);
  return ns / 1e6;
}
