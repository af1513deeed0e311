/** What other services ask about images by name, without wanting the image itself. */
import { ApiError } from '../../api-spec/errors.js';
import type { Catalog } from './catalog.js';
import { findImage } from './lookup.js';

/** The id that `name` means now; undefined when it means none. */
export function idOfName(catalog: Catalog, name: string): string | undefined {
  try {
    return findImage(catalog, name).image.id;
  } catch (error) {
    // Not found, ambiguous, or no reference at all: it names nothing.
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

/** Ids of the image that `name` means, and of all whose layers begin with its own. */
export function imagesBelow(catalog: Catalog, name: string): ReadonlySet<string> {
  const id = idOfName(catalog, name);
  if (id === undefined) return new Set();
  const base = catalog.layerKeys(id);
  const isBelow = (other: string): boolean => {
    const layers = catalog.layerKeys(other);
    return base.length > 0 && base.every((key, at) => layers[at] === key);
  };
  return new Set([
    id,
    ...catalog
      .images()
      .map((image) => image.id)
      .filter(isBelow),
  ]);
}

/** Bytes of all unpacked layers, each counted once. */
export function layersSizeBytes(catalog: Catalog): number {
  return [...catalog.allLayers()].reduce(
    (sum, key) => sum + (catalog.layer(key)?.sizeBytes ?? 0),
    0,
  );
}
