/** `docker rmi` and `docker image prune`, by Docker's rules and in its words. */
import type { ImageDeleteResponseItem, ImagePruneResponse } from '../../api-spec/index.js';
import { ApiError, conflict } from '../../api-spec/errors.js';
import type { Statement } from '../store/store.js';
import { changes, type Catalog, type ImageRecord } from './catalog.js';
import { checkFilters, flagFilter, labelsMatch, untilMs, type Filters } from './filters.js';
import type { ImageEvent, Keeper } from './keeper.js';
import { chainIds, layerKeys } from './layer-keys.js';
import { findImage } from './lookup.js';
import type { ImageContext } from './needs.js';
import { shortId } from './progress.js';
import {
  familiarName,
  fullName,
  parseReference,
  repositoryOf,
  type Reference,
} from './reference.js';
import { createdSeconds, digestReference } from './show.js';

/** What a removal works with. */
export interface RemoveContext extends ImageContext {
  readonly catalog: Catalog;
  readonly keeper: Keeper;
}

/** Removes a name, and the image with its last one; or the image by its id. */
export async function removeImage(
  context: RemoveContext,
  name: string,
  { force }: { readonly force: boolean },
): Promise<readonly ImageDeleteResponseItem[]> {
  const { image, reference } = findImage(context.catalog, name);
  const names = namesOf(context.catalog, image.id);
  if (reference === undefined) {
    refuseById(context, image, { force, names });
    return deleteImage(context, image, names);
  }
  if (!force && isSingle(names)) refuseLastName(context, image, reference);
  const going = namesGoingWith(reference, names);
  const rest = names.filter((one) => !going.includes(one));
  if (rest.length > 0) return untag(context, image, going);
  try {
    refuseById(context, image, { force, names: [] });
  } catch (error) {
    // A running container keeps the image; its name goes all the same.
    if (!(error instanceof ApiError)) throw error;
    return untag(context, image, going);
  }
  return deleteImage(context, image, going);
}

/** Tags first, as they are shown. */
function namesOf(catalog: Catalog, imageId: string): readonly Reference[] {
  return [
    ...catalog.tags(imageId).map(({ reference }) => parseReference(reference)),
    ...catalog.digests(imageId).map(digestReference),
  ];
}

/** At most one tag, and no repository but its own. */
function isSingle(names: readonly Reference[]): boolean {
  const tags = names.filter(({ digest }) => digest === undefined);
  const repositories = new Set(names.map(repositoryOf));
  return names.length <= 1 || (tags.length <= 1 && repositories.size === 1);
}

/** The last tag of a repository takes its digests along. */
function namesGoingWith(reference: Reference, names: readonly Reference[]): readonly Reference[] {
  const own = names.filter((name) =>
    reference.digest === undefined
      ? fullName(name) === fullName(reference)
      : name.digest === reference.digest && repositoryOf(name) === repositoryOf(reference),
  );
  if (reference.digest !== undefined) return own;
  const rest = names.filter((name) => !own.includes(name));
  const onlyDigests = rest.every(
    (name) => name.digest !== undefined && repositoryOf(name) === repositoryOf(reference),
  );
  return onlyDigests ? [...own, ...rest] : own;
}

function refuseLastName(context: RemoveContext, image: ImageRecord, reference: Reference): void {
  const [user] = context.users.usersOf(image.id);
  if (user === undefined) return;
  throw conflict(
    `conflict: unable to remove repository reference "${familiarName(reference)}" (must force) - ` +
      `container ${user.id.slice(0, 12)} is using its referenced image ${shortId(image.id)}`,
  );
}

function refuseById(
  context: RemoveContext,
  image: ImageRecord,
  { force, names }: { readonly force: boolean; readonly names: readonly Reference[] },
): void {
  const users = context.users.usersOf(image.id);
  const refuse = (how: string, why: string): Error =>
    conflict(`conflict: unable to delete ${shortId(image.id)} (${how}) - image is ${why}`);
  const running = users.find((user) => user.running);
  if (running !== undefined) {
    throw refuse('cannot be forced', `being used by running container ${running.id.slice(0, 12)}`);
  }
  if (force) return;
  if (!isSingle(names)) throw refuse('must be forced', 'referenced in multiple repositories');
  const [user] = users;
  if (user !== undefined) {
    throw refuse('must be forced', `being used by stopped container ${user.id.slice(0, 12)}`);
  }
}

function removalOf(name: Reference): Statement {
  return name.digest === undefined
    ? changes.removeTag(fullName(name))
    : changes.removeDigest(repositoryOf(name), name.digest);
}

function event(action: string, image: ImageRecord): ImageEvent {
  const labels = image.config.config.Labels ?? {};
  return { action, id: image.id, attributes: { ...labels, name: image.id } };
}

async function untag(
  context: RemoveContext,
  image: ImageRecord,
  names: readonly Reference[],
): Promise<readonly ImageDeleteResponseItem[]> {
  await context.keeper.commit({
    statements: names.map(removalOf),
    events: names.map(() => event('untag', image)),
  });
  return names.map((name) => ({ Untagged: familiarName(name) }));
}

async function deleteImage(
  context: RemoveContext,
  image: ImageRecord,
  names: readonly Reference[],
): Promise<readonly ImageDeleteResponseItem[]> {
  const { catalog, keeper, driver } = context;
  const keys = catalog.layerKeys(image.id);
  const blobs = catalog.blobs(image.id);
  await keeper.commit({
    statements: [...names.map(removalOf), ...changes.removeImage(image.id)],
    events: [...names.map(() => event('untag', image)), event('delete', image)],
  });
  const gone = new Set(
    (await keeper.collect({ layers: keys, blobs })).map((one) => one.storageKey),
  );
  const chain = chainIds(image.config.diffIds);
  const layers = layerKeys(image.config.diffIds, driver.layerIdentity).flatMap(({ key }, height) =>
    gone.has(key) ? [chain[height] ?? key] : [],
  );
  return [
    ...names.map((name) => ({ Untagged: familiarName(name) })),
    { Deleted: image.id },
    ...layers.reverse().map((id) => ({ Deleted: id })),
  ];
}

const pruneFilters = ['dangling', 'label', 'label!', 'until'];

/** Removes what no container uses: images without a tag, or with `dangling=false` all of them. */
export async function pruneImages(
  context: RemoveContext,
  filters: Filters,
): Promise<ImagePruneResponse> {
  checkFilters(filters, pruneFilters);
  const danglingOnly = flagFilter(filters, 'dangling', true);
  const until = untilMs(filters, context.nowMs()) ?? Number.POSITIVE_INFINITY;
  const { catalog, users } = context;
  const before = layerBytes(catalog);
  const deleted: ImageDeleteResponseItem[] = [];
  for (const image of catalog.images()) {
    const isOld = createdSeconds(image.config.created) * 1000 < until;
    if (!isOld || !labelsMatch(image.config.config.Labels ?? {}, filters)) continue;
    if (danglingOnly && catalog.tags(image.id).length > 0) continue;
    if (users.usersOf(image.id).length > 0) continue;
    deleted.push(...(await deleteImage(context, image, namesOf(catalog, image.id))));
  }
  return {
    ImagesDeleted: deleted.length === 0 ? null : deleted,
    SpaceReclaimed: Math.max(0, before - layerBytes(catalog)),
  };
}

function layerBytes(catalog: Catalog): number {
  return [...catalog.allLayers()].reduce(
    (sum, key) => sum + (catalog.layer(key)?.sizeBytes ?? 0),
    0,
  );
}
