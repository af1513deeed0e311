/** From what a user wrote to an image: a name, a digest, an id or the beginning of one. */
import { invalidParameter, notFound } from '../../api-spec/errors.js';
import type { Catalog, ImageRecord } from './catalog.js';
import {
  familiarName,
  fullName,
  parseImageId,
  parseReference,
  repositoryOf,
  withDefaultTag,
  type Reference,
} from './reference.js';

/** What was found, and by which name: none when it was by id. */
export interface Found {
  readonly image: ImageRecord;
  readonly reference: Reference | undefined;
}

/**
 * In Docker's order: a whole id, a name, then the beginning of an id. `ApiError` 400 for what is no
 * reference, 404 `No such image: x:latest`.
 */
export function findImage(catalog: Catalog, name: string): Found {
  if (name === '') throw invalidParameter('invalid reference format');
  const whole = parseImageId(name);
  if (whole !== undefined) {
    const image = catalog.image(whole);
    if (image === undefined) throw notFound(`No such image: ${whole}`);
    return { image, reference: undefined };
  }
  const reference = withDefaultTag(parseReference(name));
  const named = imageOf(catalog, reference);
  if (named !== undefined) return { image: named, reference };
  const image = imageByPrefix(catalog, name);
  if (image === undefined) throw notFound(`No such image: ${familiarName(reference)}`);
  return { image, reference: undefined };
}

function imageOf(catalog: Catalog, reference: Reference): ImageRecord | undefined {
  const id =
    reference.digest === undefined
      ? catalog.imageOfTag(fullName(reference))
      : catalog.imageOfDigest(repositoryOf(reference), reference.digest);
  return id === undefined ? undefined : catalog.image(id);
}

function imageByPrefix(catalog: Catalog, name: string): ImageRecord | undefined {
  const hex = name.replace(/^sha256:/, '');
  if (!/^[a-f0-9]{1,64}$/.test(hex)) return undefined;
  const [id, another] = catalog.idsWithPrefix(`sha256:${hex}`);
  return id === undefined || another !== undefined ? undefined : catalog.image(id);
}
