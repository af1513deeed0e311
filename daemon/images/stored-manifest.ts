/** The manifest that an image is kept with. */
import type { ContentStore, Descriptor } from '../content/index.js';
import { parseManifest } from '../registry/index.js';

/** As registries bound it. */
const maxManifestBytes = 4 * 2 ** 20;

/** The blobs of an image's layers, lowest first. */
export async function layerBlobsOf(
  content: ContentStore,
  manifest: Descriptor,
): Promise<readonly Descriptor[]> {
  const bytes = await content.readAll(manifest.digest, maxManifestBytes);
  const document = parseManifest(bytes, manifest.mediaType);
  return document.kind === 'manifest' ? document.layers : [];
}
