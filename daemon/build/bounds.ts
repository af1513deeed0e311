/** The cache stays within its bounds without being asked: what was not used for longest goes. */
import type { BuildContext } from './needs.js';
import { pruneCache, type PruneContext, type PruneRequest } from './prune.js';

/** How much the cache may have. */
export interface CacheBounds {
  /** Undefined: a tenth of its disk. 0 for no bound. */
  readonly maxBytes: number | undefined;
  /** Rules in their order; if there are any, `maxBytes` means nothing. */
  readonly policies: readonly PruneRequest[];
  readonly maxRecords: number;
}

/** Looks after the bounds. */
export interface Bounded {
  /** After a build; what has to go goes in the background, one pass at a time. */
  check(): void;
}

/** Over the cache of one builder; a failure is told to `warn`, and the next build tries again. */
export function keepBounded(
  context: PruneContext,
  { bounds, warn }: { readonly bounds: CacheBounds; readonly warn: BuildContext['warn'] },
): Bounded {
  const { cache, cacheMounts, disk } = context;
  let seen = -1;
  let isBusy = false;

  const maxBytes = async (): Promise<number> => {
    if (bounds.policies.length > 0) return 0;
    return bounds.maxBytes ?? Math.ceil((await disk()).sizeBytes / 10);
  };

  const look = async (): Promise<void> => {
    for (const policy of bounds.policies) await pruneCache(context, policy);
    const maxUsed = await maxBytes();
    const { sizeBytes, records } = cache.totals();
    const used = cacheMounts.all().reduce((sum, mount) => sum + mount.sizeBytes, sizeBytes);
    if (records <= bounds.maxRecords && (maxUsed === 0 || used <= maxUsed)) return;
    const keep = { reserved: 0, maxUsed, minFree: 0, records: bounds.maxRecords };
    await pruneCache(context, { all: false, keep, filters: {} });
  };

  return {
    check() {
      // A build that found everything made nothing.
      if (isBusy || cache.additions === seen) return;
      seen = cache.additions;
      isBusy = true;
      look()
        .catch((error: unknown) => warn('the build cache is not within its bounds', error))
        .finally(() => (isBusy = false));
    },
  };
}
