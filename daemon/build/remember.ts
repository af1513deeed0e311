/** A step's result: out of the cache, out of another image's history, or made and written down. */
import { createHash } from 'node:crypto';
import type { BuildLayer } from '../images/builds.js';
import type { HistoryEntry, ImageConfig } from '../images/image-config.js';
import type { Build } from './build.js';
import type { CacheRecord } from './cache.js';
import {
  afterStep,
  documentOf,
  stateOfDocument,
  type RunConfig,
  type StageState,
} from './state.js';

/** A step, as far as it is known before it is carried out. */
export interface StepKey {
  /** As the history will show it: what it does, and digests of what it reads. */
  readonly createdBy: string;
  /** What else makes a difference and is not shown. */
  readonly extra: readonly string[];
  readonly config: RunConfig;
  readonly author?: string;
  readonly cmdIsOwn?: boolean;
  readonly kind: CacheRecord['kind'];
  readonly description: string;
}

/** The state after a step that was carried out before; undefined for none. */
export async function recall(
  build: Build,
  state: StageState,
  step: StepKey,
): Promise<StageState | undefined> {
  const { useCache, cacheFrom } = build.request;
  if (!useCache) return undefined;
  // As with Docker, who names images wants nothing else: they are what others have, too.
  const named = cacheFrom.length > 0;
  return named ? recallImage(build, state, step) : recallRecord(build, state, step);
}

async function recallRecord(
  build: Build,
  state: StageState,
  step: StepKey,
): Promise<StageState | undefined> {
  const { cache, hold } = build;
  const key = keyOf(state, step);
  const record = cache.find(key);
  if (record === undefined) return undefined;
  const { storageKey, diffId, blobSizeBytes } = record;
  const isThere = diffId === '' || (await hold.keepLayer({ storageKey, digest: diffId }));
  if (!isThere) return undefined;
  const blob = { mediaType: layerType, digest: diffId, size: blobSizeBytes };
  build.found.add(key);
  return stateOfDocument(state, {
    id: record.id,
    document: record.document,
    cmdIsOwn: record.cmdIsOwn,
    layer: diffId === '' ? undefined : { diffId, storageKey, blob },
  });
}

const layerType = 'application/vnd.oci.image.layer.v1.tar';

function keyOf(state: StageState, { createdBy, extra }: StepKey): string {
  const text = JSON.stringify([state.id, state.platform, createdBy, ...extra]);
  return createHash('sha256').update(text).digest('hex');
}

/** An image of `--cache-from` whose history goes on from here with just this step. */
async function recallImage(
  build: Build,
  state: StageState,
  step: StepKey,
): Promise<StageState | undefined> {
  for (const name of build.request.cacheFrom) {
    const found = build.context.images.find(name);
    if (found === undefined || !goesOn(found.config, state, step)) continue;
    const base = await build.context.images.whole(found);
    await build.hold.keepBase(base);
    const height = state.history.length;
    const entry = base.config.history[height];
    if (entry === undefined) continue;
    const layer =
      entry.empty_layer === true ? undefined : layerAt(build, base, state.diffIds.length);
    if (entry.empty_layer !== true && layer === undefined) continue;
    return afterStep(
      state,
      { ...step, createdBy: entry.created_by ?? '', createdAt: entry.created ?? '', layer },
      build.context.version,
    );
  }
  return undefined;
}

function layerAt(
  build: Build,
  base: { readonly config: ImageConfig; readonly layers: readonly BuildLayer['blob'][] },
  height: number,
): { diffId: string; blob: BuildLayer['blob']; storageKey: string } | undefined {
  const diffId = base.config.diffIds[height];
  const blob = base.layers[height];
  const keys = build.context.images.storageKeys(base.config.diffIds.slice(0, height + 1));
  const storageKey = keys.at(-1);
  return diffId === undefined || blob === undefined || storageKey === undefined
    ? undefined
    : { diffId, blob, storageKey };
}

function goesOn({ history, diffIds }: ImageConfig, state: StageState, step: StepKey): boolean {
  const height = state.history.length;
  return (
    state.history.every((entry, at) => sameEntry(entry, history[at])) &&
    state.diffIds.every((diffId, at) => diffIds[at] === diffId) &&
    history[height]?.created_by === step.createdBy
  );
}

function sameEntry(one: HistoryEntry, other: HistoryEntry | undefined): boolean {
  return (
    other !== undefined &&
    one.created_by === other.created_by &&
    one.created === other.created &&
    (one.empty_layer ?? false) === (other.empty_layer ?? false)
  );
}

/** How many steps a crash of the daemon may cost; a flush of many costs little more than of one. */
const maxPending = 64;

/** The state after a step that was carried out now, written down for the next build. */
export async function remember(
  build: Build,
  state: StageState,
  { step, layer }: { readonly step: StepKey; readonly layer: BuildLayer | undefined },
): Promise<StageState> {
  const nowMs = build.context.nowMs();
  const createdAt = new Date(nowMs).toISOString();
  const next = afterStep(state, { ...step, createdAt, layer }, build.context.version);
  build.cache.add(
    {
      key: keyOf(state, step),
      id: next.id,
      parent: state.id,
      document: documentOf(next, build.context.version),
      cmdIsOwn: next.cmdIsOwn,
      kind: step.kind,
      description: step.description,
      storageKey: layer?.storageKey ?? '',
      diffId: layer?.diffId ?? '',
      blobSizeBytes: layer?.blob.size ?? 0,
      sizeBytes: layer?.sizeBytes ?? 0,
      createdAtMs: nowMs,
      lastUsedAtMs: nowMs,
      usageCount: 0,
    },
    layer === undefined ? [] : [layer.statement],
  );
  if (build.cache.pending >= maxPending) await build.flush();
  return next;
}
