/** `index.json`: the image tables as other OCI tools read them. Pure but for the reads. */
import type { Descriptor } from '../content/index.js';
import type { Catalog } from './catalog.js';

/** One descriptor for each tag, and one without a name for an image that has none. */
export function index(catalog: Pick<Catalog, 'tags' | 'images'>): readonly Descriptor[] {
  const names = new Map<string, string[]>();
  for (const { reference, imageId } of catalog.tags()) {
    names.set(imageId, [...(names.get(imageId) ?? []), reference]);
  }
  return catalog.images().flatMap(({ id, manifest }) => {
    const references = names.get(id);
    if (references === undefined) return [manifest];
    return references.map((reference) => ({
      ...manifest,
      annotations: {
        'io.containerd.image.name': reference,
        'org.opencontainers.image.ref.name': reference,
      },
    }));
  });
}
