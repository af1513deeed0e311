/**
 * Builds: one engine, doors before it.
 *
 *     POST /build ─► classic/ ──┬─► engine ─► stage ─► run-step, copy-step, config-step
 *     (others) ─────────────────┘                └─► cache (SQLite), images, containers
 *
 * Invariants: the engine knows no protocol; nothing of a build that did not end is registered; its
 * containers and files go with it, or at the next start.
 */
import { statfs } from 'node:fs/promises';
import { invalidParameter } from '../../api-spec/errors.js';
import type { BuildCache, BuildPruneResponse } from '../../api-spec/index.js';
import { openCache } from './cache.js';
import { openCacheMounts } from './cache-mounts.js';
import { buildClassic, type ClassicRequest } from './classic/door.js';
import type { Engine } from './engine.js';
import type { BuildContext } from './needs.js';
import { pruneCache, rowOf, rowOfMount, type PruneContext, type PruneRequest } from './prune.js';
import { keepBounded, type CacheBounds } from './bounds.js';
import { sweepScratch } from './scratch.js';
import type { Slots } from './slots.js';

export { healthOfText } from './healthcheck.js';
export { buildCacheMountTables, buildTables } from './tables.js';
export type { CacheBounds } from './bounds.js';
export type { BuildContext, ContainersNeed } from './needs.js';
export type { ClassicRequest } from './classic/door.js';
export type { PruneRequest } from './prune.js';

/** What the service is built from. */
export interface BuilderOptions extends BuildContext {
  readonly slots: Slots;
  readonly isShared: PruneContext['isShared'];
  readonly collect: PruneContext['collect'];
  readonly bounds: CacheBounds;
}

/** See each verb's own module for its errors. */
export interface Builder {
  /** `POST /build`. */
  build(request: ClassicRequest): Promise<void>;
  /** Ends the builds that were given this id; `ApiError` 404 when there are none. */
  cancel(buildId: string): Promise<void>;
  prune(request: PruneRequest): Promise<BuildPruneResponse>;
  /** Rows of `system df`. */
  usage(): readonly BuildCache[];
  /** Storage keys of the layers that the cache stands on. */
  layersInUse(): ReadonlySet<string>;
  blobsInUse(digests: readonly string[]): ReadonlySet<string>;
  /** After a start: removes what unfinished builds left; says what. */
  recover(): Promise<readonly string[]>;
  /** Ends every build: the daemon stops. */
  close(): void;
}

/** The builder over its needs; `recover` is called before the first build. */
export function createBuilder(options: BuilderOptions): Builder {
  const cache = openCache(options.store);
  const cacheMounts = openCacheMounts({ ...options, folder: `${options.folder}/cache` });
  const engine: Engine = { context: options, cache, cacheMounts, slots: options.slots };
  const underWay = new Map<AbortController, string>();
  const disk = () => diskOf(options.folder);
  const pruneContext = { ...options, cache, cacheMounts, disk };
  const bounded = keepBounded(pruneContext, options);
  return {
    build: async (request) => {
      const ending = new AbortController();
      underWay.set(ending, request.query.buildid);
      const signal = AbortSignal.any([request.signal, ending.signal]);
      try {
        await buildClassic(engine, { ...request, signal });
      } finally {
        underWay.delete(ending);
        bounded.check();
      }
    },
    cancel: (buildId) => {
      if (buildId === '') return Promise.reject(invalidParameter('build ID not provided'));
      const found = [...underWay].filter(([, id]) => id === buildId);
      for (const [ending] of found) ending.abort(new Error('context canceled'));
      return Promise.resolve();
    },
    prune: (request) => pruneCache(pruneContext, request),
    usage: () => [
      ...cache.all().map((record) => rowOf(record, options.isShared)),
      ...cacheMounts.all().map(rowOfMount),
    ],
    layersInUse: () => cache.layersInUse(),
    blobsInUse: (digests) => cache.blobsInUse(digests),
    recover: async () => [
      ...(await sweepScratch(`${options.folder}/builds`, options.removeTree)),
      ...(await sweepScratch(`${options.folder}/trash`, options.removeTree)),
      ...(await sweepScratch(options.secretFolder, options.removeTree)),
      ...(await cacheMounts.recover()),
    ],
    close: () => {
      for (const ending of underWay.keys()) ending.abort(new Error('the daemon stops'));
      cache.close();
    },
  };
}

async function diskOf(folder: string): Promise<{ freeBytes: number; sizeBytes: number }> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
}
