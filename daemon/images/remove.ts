/** `docker rmi`, by Docker's rules and in its words. */
import type { ImageDeleteResponseItem } from '../../api-spec/index.js';
import { conflict } from '../../api-spec/errors.js';
import type { Statement } from '../store/store.js';
import { changes, type Catalog, type ImageRecord } from './catalog.js';
import type { ImageEvent, Keeper } from './keeper.js';
import { chainIds, layerKeys } from './layer-keys.js';
import { findForPlatform, siblingsOf } from './indexes.js';
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
import { digestReference } from './show.js';

/** What a removal works with. */
export interface RemoveContext extends ImageContext {
  readonly catalog: Catalog;
  readonly keeper: Keeper;
}

/** How an image is to go. */
export interface Removal {
  /** Also with several names, and from under containers that do not run. */
  readonly force: boolean;
  /** Leaves its parents, even if nothing else needs them. */
  readonly noprune?: boolean;
}

/** Removes a name, and the image with its last one; or the image by its id. */
export async function removeImage(
  context: RemoveContext,
  name: string,
  { force, noprune = false }: Removal,
): Promise<readonly ImageDeleteResponseItem[]> {
  const { image, reference } = findImage(context.catalog, name);
  const names = namesOf(context.catalog, image.id);
  if (reference === undefined) {
    refuse(context, image, { force, names: isSingle(names) ? [] : names });
    return deleteWithParents(context, image, { going: askedFor(names), noprune });
  }
  if (!force && isSingle(names)) refuseLastName(context, image, reference);
  const going = goingWith(reference, names);
  const isLast = names.length === going.asked.length + going.along.length;
  // What still keeps the image keeps it without a name.
  if (!isLast || isNeeded(context, image, { force, names: [] })) {
    return untag(context, image, going);
  }
  return deleteWithParents(context, image, { going, noprune });
}

/** The image, then each parent that has no name and that nothing needs any more. */
async function deleteWithParents(
  context: RemoveContext,
  image: ImageRecord,
  { going, noprune }: { readonly going: Going; readonly noprune: boolean },
): Promise<readonly ImageDeleteResponseItem[]> {
  const { catalog } = context;
  const gone = [...(await deleteImage(context, image, going))];
  let parent = noprune ? undefined : parentOf(catalog, image);
  while (parent !== undefined) {
    if (isNeeded(context, parent, { force: false, names: namesOf(catalog, parent.id) })) break;
    gone.push(...(await deleteImage(context, parent, askedFor([]))));
    parent = parentOf(catalog, parent);
  }
  return gone;
}

function parentOf(catalog: Catalog, { parentId }: ImageRecord): ImageRecord | undefined {
  return parentId === undefined ? undefined : catalog.image(parentId);
}

/**
 * Removes an image for these platforms alone, OCI ones as JSON; its names stay with what is left of
 * it, and go with the last.
 */
export async function removePlatforms(
  context: RemoveContext,
  name: string,
  { force, platforms }: { readonly force: boolean; readonly platforms: readonly string[] },
): Promise<readonly ImageDeleteResponseItem[]> {
  const { catalog } = context;
  const { image } = findImage(catalog, name);
  const wanted = platforms.map((one) => findForPlatform(catalog, name, one).image);
  const ids = new Set(wanted.map(({ id }) => id));
  const all = siblingsOf(catalog, image);
  const [heir] = all.filter(({ id }) => !ids.has(id));
  const going = all.filter(({ id }) => ids.has(id));
  for (const one of going) refuse(context, one, { force, names: [] });
  if (heir !== undefined) {
    const names = going.flatMap(({ id }) => namesOf(catalog, id));
    await context.keeper.commit({
      statements: names.map((own) => passedOn(own, heir)),
      events: [],
    });
  }
  const gone: ImageDeleteResponseItem[] = [];
  for (const one of going) {
    gone.push(...(await deleteImage(context, one, askedFor(namesOf(catalog, one.id)))));
  }
  return gone;
}

function passedOn(name: Reference, { id }: ImageRecord): Statement {
  return name.digest === undefined
    ? changes.setTag(fullName(name), id)
    : changes.setDigest(repositoryOf(name), name.digest, id);
}

/** Tags first, as they are shown. */
export function namesOf(catalog: Catalog, imageId: string): readonly Reference[] {
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

/** Names that go. */
interface Going {
  /** Each is told of by an event. */
  readonly asked: readonly Reference[];
  readonly along: readonly Reference[];
}

function askedFor(names: readonly Reference[]): Going {
  return { asked: names, along: [] };
}

/** The last tag of a repository takes the digests there along. */
function goingWith(reference: Reference, names: readonly Reference[]): Going {
  const there = names.filter((name) => repositoryOf(name) === repositoryOf(reference));
  const isAsked = (name: Reference): boolean =>
    reference.digest === undefined
      ? fullName(name) === fullName(reference)
      : name.digest === reference.digest;
  const rest = there.filter((name) => !isAsked(name));
  const isLastTag =
    reference.digest === undefined && rest.every(({ digest }) => digest !== undefined);
  return { asked: there.filter(isAsked), along: isLastTag ? rest : [] };
}

function refuseLastName(context: RemoveContext, image: ImageRecord, reference: Reference): void {
  const [user] = context.users.usersOf(image.id);
  if (user === undefined) return;
  throw conflict(
    `conflict: unable to remove repository reference "${familiarName(reference)}" (must force) - ` +
      `container ${user.id.slice(0, 12)} is using its referenced image ${shortId(image.id)}`,
  );
}

/** What is asked of an image that is to go; its names only if they speak against it. */
interface Asked {
  readonly force: boolean;
  readonly names: readonly Reference[];
}

function refuse(context: RemoveContext, image: ImageRecord, asked: Asked): void {
  const found = obstacle(context, image, asked);
  if (found === undefined) return;
  const how = found.byForce ? 'must be forced' : 'cannot be forced';
  throw conflict(`conflict: unable to delete ${shortId(image.id)} (${how}) - image ${found.why}`);
}

function isNeeded(context: RemoveContext, image: ImageRecord, asked: Asked): boolean {
  return obstacle(context, image, asked) !== undefined;
}

interface Obstacle {
  readonly why: string;
  readonly byForce: boolean;
}

/** The first reason in Docker's order why an image cannot go. */
function obstacle(
  { catalog, users }: RemoveContext,
  { id }: ImageRecord,
  { force, names }: Asked,
): Obstacle | undefined {
  if (catalog.children(id).length > 0) {
    return { why: 'has dependent child images', byForce: false };
  }
  const containers = users.usersOf(id);
  const running = containers.find((user) => user.running);
  if (running !== undefined) return { why: usedBy('running', running.id), byForce: false };
  if (force) return undefined;
  if (names.length > 0) return { why: 'is referenced in multiple repositories', byForce: true };
  const [user] = containers;
  return user === undefined ? undefined : { why: usedBy('stopped', user.id), byForce: true };
}

function usedBy(state: 'running' | 'stopped', id: string): string {
  return `is being used by ${state} container ${id.slice(0, 12)}`;
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
  { asked, along }: Going,
): Promise<readonly ImageDeleteResponseItem[]> {
  const names = [...asked, ...along];
  await context.keeper.commit({
    statements: names.map(removalOf),
    events: asked.map(() => event('untag', image)),
  });
  return names.map(untagged);
}

function untagged(name: Reference): ImageDeleteResponseItem {
  return { Untagged: familiarName(name) };
}

async function deleteImage(
  context: RemoveContext,
  image: ImageRecord,
  { asked, along }: Going,
): Promise<readonly ImageDeleteResponseItem[]> {
  const { catalog, keeper, driver } = context;
  const names = [...asked, ...along];
  const keys = catalog.layerKeys(image.id);
  const blobs = catalog.blobs(image.id);
  await keeper.commit({
    statements: [...names.map(removalOf), ...changes.removeImage(image.id)],
    events: [...asked.map(() => event('untag', image)), event('delete', image)],
  });
  const gone = new Set(
    (await keeper.collect({ layers: keys, blobs })).map((one) => one.storageKey),
  );
  const chain = chainIds(image.config.diffIds);
  const layers = layerKeys(image.config.diffIds, driver.layerIdentity).flatMap(({ key }, height) =>
    gone.has(key) ? [chain[height] ?? key] : [],
  );
  return [
    ...names.map(untagged),
    { Deleted: image.id },
    ...layers.reverse().map((id) => ({ Deleted: id })),
  ];
}
