/**
 * Layers that were made here are kept as plain tars; a registry gets them compressed. What was
 * compressed once is kept instead of the plain tar, so that the next push, to whatever registry,
 * sends the very same bytes.
 */
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { compressionOf, magicBytes } from '../archive/index.js';
import type { ContentStore, Descriptor } from '../content/index.js';
import { parseManifest, type ImageManifest } from '../registry/index.js';
import { changes, type ImageRecord, type LayerRecord } from './catalog.js';
import type { Hold } from './keeper.js';
import type { PullContext } from './pull.js';
import { systemError } from '../../api-spec/errors.js';

/** An image as a registry takes it. */
export interface PushableImage {
  readonly image: ImageRecord;
  readonly bytes: Buffer;
  readonly document: ImageManifest;
}

const maxManifestBytes = 4 * 2 ** 20;
/** zlib's own default, and Docker's. */
const gzipLevel = 6;

/** Its manifest, once no layer of it is plain; `hold` gets the blobs that are made for it. */
export async function pushable(
  context: PullContext,
  image: ImageRecord,
  options: { readonly hold: Hold; readonly signal: AbortSignal },
): Promise<PushableImage> {
  const { content } = context;
  const { mediaType } = image.manifest;
  const bytes = await content.readAll(image.manifest.digest, maxManifestBytes);
  const document = parseManifest(bytes, mediaType);
  if (document.kind === 'index') throw systemError('an index cannot be pushed');
  if (!document.layers.some(isPlain)) return { image, bytes, document };
  const layers: Descriptor[] = [];
  for (const [height, layer] of document.layers.entries()) {
    const diffId = image.config.diffIds[height] ?? '';
    layers.push(isPlain(layer) ? await compressed(context, { layer, diffId }, options) : layer);
  }
  // It has passed `parseManifest`: an object.
  const parsed = JSON.parse(bytes.toString('utf8')) as Readonly<Record<string, unknown>>;
  const text = Buffer.from(JSON.stringify({ ...parsed, layers }));
  const replaced = await replaceManifest(context, image, { text, layers });
  return { image: replaced, bytes: text, document: { ...document, layers } };
}

function isPlain({ mediaType }: Descriptor): boolean {
  return mediaType.endsWith('.tar');
}

/** OCI writes `.tar+gzip`, Docker `.tar.gzip`. */
function compressedType(mediaType: string): string {
  return mediaType.startsWith('application/vnd.oci.') ? `${mediaType}+gzip` : `${mediaType}.gzip`;
}

async function compressed(
  { catalog, content }: PullContext,
  { layer, diffId }: { readonly layer: Descriptor; readonly diffId: string },
  { hold, signal }: { readonly hold: Hold; readonly signal: AbortSignal },
): Promise<Descriptor> {
  const mediaType = compressedType(layer.mediaType);
  const others = catalog.blobsOfLayer(diffId).filter((digest) => digest !== layer.digest);
  await hold.add({ layers: [], blobs: others });
  for (const digest of others) {
    const found = await content.stat(digest);
    if (found === undefined || !(await isGzip(content, digest))) continue;
    return { mediaType, digest, size: found.sizeBytes };
  }
  const ingest = await content.ingest({});
  try {
    await pipeline(
      content.read(layer.digest),
      createGzip({ level: gzipLevel }),
      async (chunks: AsyncIterable<Uint8Array>) => {
        for await (const chunk of chunks) await ingest.write(chunk);
      },
      { signal },
    );
    await hold.add({ layers: [], blobs: [ingest.verify()] });
    const { digest, sizeBytes } = await ingest.commit();
    return { mediaType, digest, size: sizeBytes };
  } catch (error) {
    await ingest.abort();
    throw error;
  }
}

async function isGzip(content: ContentStore, digest: string): Promise<boolean> {
  for await (const chunk of content.read(digest)) {
    // No encoding is set: chunks are bytes.
    return compressionOf((chunk as Buffer).subarray(0, magicBytes)) === 'gzip';
  }
  return false;
}

/** The same image, whose blobs are now the compressed ones; the plain tars go. */
async function replaceManifest(
  { catalog, content, keeper }: PullContext,
  image: ImageRecord,
  { text, layers }: { readonly text: Buffer; readonly layers: readonly Descriptor[] },
): Promise<ImageRecord> {
  const { id, config } = image;
  const [{ digest, sizeBytes }, configBytes] = await Promise.all([
    content.put(text),
    content.readAll(id, maxManifestBytes),
  ]);
  const manifest = { mediaType: image.manifest.mediaType, digest, size: sizeBytes };
  const previous = catalog.blobs(id);
  const stack = catalog
    .layerKeys(id)
    .map((key) => catalog.layer(key))
    .filter((layer): layer is LayerRecord => layer !== undefined);
  const layerBlobs = layers.map((layer, height) => ({
    digest: layer.digest,
    diffId: config.diffIds[height] ?? '',
  }));
  const configText = configBytes.toString('utf8');
  await keeper.commit({
    statements: changes.addImage({ id, configText, manifest, layers: stack, layerBlobs }),
    events: [],
  });
  await keeper.collect({ layers: [], blobs: previous });
  return { ...image, manifest };
}
