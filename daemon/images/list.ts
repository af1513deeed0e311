/** `GET /images/json`. */
import type { ImageSummary } from '../../api-spec/index.js';
import type { Catalog, ImageRecord } from './catalog.js';
import {
  checkFilters,
  flagFilter,
  labelsMatch,
  referenceMatches,
  untilMs,
  type Filters,
} from './filters.js';
import { findImage } from './lookup.js';
import { familiarName, parseReference } from './reference.js';
import { createdSeconds, imageSummary } from './show.js';

const listFilters = ['dangling', 'label', 'before', 'since', 'reference', 'until'];

/** As in `GET /images/json`. */
export interface ListRequest {
  /** Also what has no name and only others stand on. */
  readonly all?: boolean;
  readonly filters: Filters;
  readonly sharedSize: boolean;
  /** With each row what its index names. */
  readonly manifests?: boolean;
}

/** Newest first. */
export function listImages(
  catalog: Catalog,
  request: ListRequest,
  nowMs: number,
): readonly ImageSummary[] {
  const { filters } = request;
  checkFilters(filters, listFilters);
  const names = namesByImage(catalog);
  const keep = selector(catalog, filters, nowMs);
  const shared = request.sharedSize ? sharedSizes(catalog) : undefined;
  const images = catalog.images();
  const parents = new Set(images.flatMap(({ parentId }) => parentId ?? []));
  // What only others stand on does not dangle.
  const hidesParents = request.all !== true || flagFilter(filters, 'dangling', false);
  return images
    .filter(keep)
    .filter(({ id }) => !hidesParents || names.has(id) || !parents.has(id))
    .flatMap((image) => {
      const shown = shownNames(names.get(image.id) ?? { tags: [], digests: [] }, filters);
      const sharedSize = shared?.get(image.id) ?? -1;
      return shown === undefined ? [] : [imageSummary(image, { ...shown, sharedSize })];
    })
    .sort((one, other) => other.Created - one.Created);
}

interface Names {
  readonly tags: string[];
  readonly digests: string[];
}

function namesByImage(catalog: Catalog): ReadonlyMap<string, Names> {
  const names = new Map<string, Names>();
  const of = (imageId: string): Names => {
    const known = names.get(imageId) ?? { tags: [], digests: [] };
    names.set(imageId, known);
    return known;
  };
  for (const { reference, imageId } of catalog.tags()) of(imageId).tags.push(reference);
  for (const row of catalog.digests()) {
    of(row.imageId).digests.push(`${row.repository}@${row.digest}`);
  }
  return names;
}

/** The names that the filters leave; undefined when the image is then not shown at all. */
function shownNames(
  names: Names,
  filters: Filters,
): { tags: readonly string[]; digests: readonly string[] } | undefined {
  const patterns = filters['reference'];
  const matched = (full: string): readonly string[] => {
    const reference = parseReference(full);
    const fits = patterns?.some((pattern) => referenceMatches(pattern, reference)) ?? true;
    return fits ? [familiarName(reference)] : [];
  };
  const tags = names.tags.flatMap(matched);
  const digests = names.digests.flatMap(matched);
  const danglingOnly = flagFilter(filters, 'dangling', false);
  if (tags.length + digests.length === 0) {
    const hidden = patterns !== undefined || (filters['dangling'] !== undefined && !danglingOnly);
    return hidden ? undefined : { tags, digests };
  }
  return danglingOnly && tags.length > 0 ? undefined : { tags, digests };
}

function selector(
  catalog: Catalog,
  filters: Filters,
  nowMs: number,
): (image: ImageRecord) => boolean {
  const times = (name: string): readonly number[] =>
    (filters[name] ?? []).map((value) => createdAt(findImage(catalog, value).image));
  const before = Math.min(...times('before'));
  const since = Math.max(...times('since'));
  const until = untilMs(filters, nowMs) ?? Number.POSITIVE_INFINITY;
  return (image) => {
    const created = createdAt(image);
    const inTime = created < before && created > since && created < until;
    return inTime && labelsMatch(image.config.config.Labels ?? {}, filters);
  };
}

function createdAt({ config }: ImageRecord): number {
  const ms = Date.parse(config.created ?? '');
  return Number.isNaN(ms) ? createdSeconds(undefined) * 1000 : ms;
}

/** Bytes of each image in layers that another image has too. */
function sharedSizes(catalog: Catalog): ReadonlyMap<string, number> {
  const users = new Map<string, number>();
  const images = catalog.images().map(({ id }) => ({ id, keys: new Set(catalog.layerKeys(id)) }));
  for (const { keys } of images) {
    for (const key of keys) users.set(key, (users.get(key) ?? 0) + 1);
  }
  return new Map(
    images.map(({ id, keys }) => {
      const shared = [...keys].filter((key) => (users.get(key) ?? 0) > 1);
      return [id, shared.reduce((sum, key) => sum + (catalog.layer(key)?.sizeBytes ?? 0), 0)];
    }),
  );
}
