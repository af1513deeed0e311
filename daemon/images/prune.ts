/** `docker image prune`: removals, each by the rules of `remove.ts`. */
import type { ImageDeleteResponseItem, ImagePruneResponse } from '../../api-spec/index.js';
import { ApiError } from '../../api-spec/errors.js';
import { layersSizeBytes } from './ancestry.js';
import type { ImageRecord } from './catalog.js';
import { checkFilters, flagFilter, labelsMatch, untilMs, type Filters } from './filters.js';
import { familiarName } from './reference.js';
import { namesOf, removeImage, type RemoveContext } from './remove.js';
import { createdSeconds } from './show.js';

const pruneFilters = ['dangling', 'label', 'label!', 'until'];

/**
 * Removes what no container uses: images without a tag, or with `dangling=false` all of them. What
 * others stand on stays without its names, and goes with the last of these.
 */
export async function pruneImages(
  context: RemoveContext,
  filters: Filters,
): Promise<ImagePruneResponse> {
  checkFilters(filters, pruneFilters);
  const danglingOnly = flagFilter(filters, 'dangling', true);
  const until = untilMs(filters, context.nowMs()) ?? Number.POSITIVE_INFINITY;
  const { catalog, users } = context;
  const before = layersSizeBytes(catalog);
  const deleted: ImageDeleteResponseItem[] = [];
  for (const image of catalog.images()) {
    const isOld = createdSeconds(image.config.created) * 1000 < until;
    if (!isOld || !labelsMatch(image.config.config.Labels ?? {}, filters)) continue;
    if (danglingOnly && catalog.tags(image.id).length > 0) continue;
    if (users.usersOf(image.id).length > 0) continue;
    deleted.push(...(await removeAllNames(context, image)));
  }
  return {
    ImagesDeleted: deleted.length === 0 ? null : deleted,
    SpaceReclaimed: Math.max(0, before - layersSizeBytes(catalog)),
  };
}

/** Name by name, as users would; or by its id. What cannot go stays. */
async function removeAllNames(
  context: RemoveContext,
  { id }: ImageRecord,
): Promise<readonly ImageDeleteResponseItem[]> {
  const names = namesOf(context.catalog, id).map(familiarName);
  const gone: ImageDeleteResponseItem[] = [];
  for (const name of names.length === 0 ? [id] : names) {
    try {
      gone.push(...(await removeImage(context, name, { force: false })));
    } catch (error) {
      // It has a child, or it has gone already: as a parent, or by its last tag.
      const isOver = error instanceof ApiError && /^(Conflict|NotFound)$/.test(error.kind);
      if (!isOver) throw error;
    }
  }
  return gone;
}
