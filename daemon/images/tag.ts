/** `docker tag`. */
import { invalidParameter } from '../../api-spec/errors.js';
import { changes, type Catalog } from './catalog.js';
import type { Keeper } from './keeper.js';
import { findImage } from './lookup.js';
import {
  familiarName,
  familiarRepository,
  fullName,
  parseReference,
  withDefaultTag,
  withTag,
  type Reference,
} from './reference.js';

/** Reads the new name of an image; undefined when there is none to give. */
export function targetReference(repo: string, tag: string): Reference | undefined {
  if (repo === '') return undefined;
  const named = parseReference(repo);
  if (named.digest !== undefined) throw invalidParameter('cannot import digest reference');
  if (familiarRepository(named) === 'sha256') {
    throw invalidParameter('refusing to create an ambiguous tag using digest algorithm as name');
  }
  return tag === '' ? withDefaultTag(named) : withTag(named, tag);
}

/** Gives an image another name, taking the name from whichever had it. */
export async function tagImage(
  { catalog, keeper, nowMs }: { catalog: Catalog; keeper: Keeper; nowMs: number },
  name: string,
  target: { readonly repo: string; readonly tag: string },
): Promise<void> {
  // Docker looks at the new name first.
  const reference = targetReference(target.repo, target.tag);
  const { image } = findImage(catalog, name);
  if (reference === undefined) return;
  const labels = image.config.config.Labels ?? {};
  const touched = changes.touchTagTime(image.id, nowMs);
  const events = [
    { action: 'tag', id: image.id, attributes: { ...labels, name: familiarName(reference) } },
  ];
  if (catalog.imageOfTag(fullName(reference)) === image.id) {
    await keeper.note({ statements: [touched], events });
    return;
  }
  const named = changes.setTag(fullName(reference), image.id);
  await keeper.commit({ statements: [named, touched], events });
}
