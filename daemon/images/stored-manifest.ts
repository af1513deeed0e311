/** The manifest that an image is kept with. */
import type { ContentStore, Descriptor } from '../content/index.js';
import { parseManifest } from '../registry/index.js';
import { remember } from '../remember.js';

/** As registries bound it. */
const maxManifestBytes = 4 * 2 ** 20;

/** What is read is by its digest, and never changes. */
const known = new Map<string, readonly Descriptor[]>();

/** The blobs of an image's layers, lowest first. Rejects where the manifest is not in the store. */
export async function layerBlobsOf(
  content: ContentStore,
  manifest: Descriptor,
): Promise<readonly Descriptor[]> {
  const { digest, mediaType } = manifest;
  const before = known.get(`${mediaType} ${digest}`);
  if (before !== undefined && content.has(digest)) return before;
  const document = parseManifest(await content.readAll(digest, maxManifestBytes), mediaType);
  const layers = document.kind === 'manifest' ? document.layers : [];
  return remember(known, `${mediaType} ${digest}`, layers);
}
