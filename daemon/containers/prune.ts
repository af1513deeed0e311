import { ApiError, conflict, invalidParameter } from '../../api-spec/errors.js';
import type { ContainerPruneResponse } from '../../api-spec/index.js';
import type { Context } from './context.js';
import { compileFilters } from './filters.js';
import type { Filters } from './filters.js';
import { removeContainer } from './remove.js';
import { isLive } from './state.js';

const pruneFilterNames = ['until', 'label', 'label!'];

/** Makes a prune that refuses (`ApiError` 409) while another is under way, as Docker's does. */
export function createPrune(
  context: Context,
): (filters: Filters) => Promise<ContainerPruneResponse> {
  let busy = false;
  return async (filters) => {
    const unknown = Object.keys(filters).find((name) => !pruneFilterNames.includes(name));
    if (unknown !== undefined) throw invalidParameter(`invalid filter '${unknown}'`);
    if ((filters['until'] ?? []).length > 1) {
      throw invalidParameter('more than one until filter specified');
    }
    if (busy) throw conflict('a prune operation is already running');
    busy = true;
    try {
      return await prune(context, filters);
    } finally {
      busy = false;
    }
  };
}

async function prune(context: Context, filters: Filters): Promise<ContainerPruneResponse> {
  const passes = compileFilters(filters, {
    book: context.book,
    imagesBelow: (name) => context.images.below(name),
  });
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const container of context.book.all()) {
    const { state } = container.record;
    const isBusy = isLive(state) || state.status === 'restarting';
    // A build still wants what its own container has changed.
    if (isBusy || container.record.ephemeral === true || !passes(container)) continue;
    const { sizeBytes } = await context.rootfs.usage(container.id);
    try {
      await removeContainer(context, container, { force: false, volumes: false });
    } catch (error) {
      // Started or removed by somebody else meanwhile: it is not ours to prune.
      if (error instanceof ApiError && error.kind === 'Conflict') continue;
      throw error;
    }
    deleted.push(container.id);
    reclaimed += sizeBytes;
  }
  return { ContainersDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed };
}
