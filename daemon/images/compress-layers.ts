/**
 * Layers that were made here are kept as plain tars; a registry gets them compressed. What was
 * compressed once is kept instead of the plain tar, so that the next push, to whatever registry,
 * sends the very same bytes.
 */
import { availableParallelism } from 'node:os';
import { compressed, compressionOf, magicBytes } from '../archive/index.js';
import type { ContentStore, Descriptor } from '../content/index.js';
import { parseManifest, type ImageManifest } from '../registry/index.js';
import { changes, type ImageRecord, type LayerRecord } from './catalog.js';
import { createSlots } from './exclusive.js';
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
/** Layers at once: each is a process that keeps one processor busy. */
const maxAtOnce = Math.min(4, Math.max(1, availableParallelism()));

/** As it is kept, its layers plain or not. */
export async function asStored(content: ContentStore, image: ImageRecord): Promise<PushableImage> {
  const { digest, mediaType } = image.manifest;
  const bytes = await content.readAll(digest, maxManifestBytes);
  const document = parseManifest(bytes, mediaType);
  if (document.kind === 'index') throw systemError('an image cannot have an index as its manifest');
  return { image, bytes, document };
}

/** Its manifest, once no layer of it is plain; `hold` gets the blobs that are made for it. */
export async function pushable(
  context: PullContext,
  image: ImageRecord,
  options: Options,
): Promise<PushableImage> {
  const stored = await asStored(context.content, image);
  const { bytes, document } = stored;
  if (!document.layers.some(isPlain)) return stored;
  const layers = await allCompressed(context, { image, layers: document.layers }, options);
  // It has passed `parseManifest`: an object.
  const parsed = JSON.parse(bytes.toString('utf8')) as Readonly<Record<string, unknown>>;
  const text = Buffer.from(JSON.stringify({ ...parsed, layers }));
  const replaced = await replaceManifest(context, image, { text, layers });
  return { image: replaced, bytes: text, document: { ...document, layers } };
}

interface Options {
  readonly hold: Hold;
  readonly signal: AbortSignal;
}

/** Some at once; all have ended, whatever failed. The same layer twice is compressed once. */
async function allCompressed(
  context: PullContext,
  { image, layers }: { readonly image: ImageRecord; readonly layers: readonly Descriptor[] },
  options: Options,
): Promise<readonly Descriptor[]> {
  const slots = createSlots(maxAtOnce);
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const begun = new Map<string, Promise<Descriptor>>();
  const compress = (layer: Descriptor, diffId: string): Promise<Descriptor> =>
    slots
      .run(() => compressedLayer(context, { layer, diffId }, { ...options, signal }), signal)
      .catch((error: unknown) => {
        failed.abort(error);
        throw error;
      });
  const results = layers.map((layer, height) => {
    if (!isPlain(layer)) return Promise.resolve(layer);
    const diffId = image.config.diffIds[height] ?? '';
    const result = begun.get(diffId) ?? compress(layer, diffId);
    begun.set(diffId, result);
    return result;
  });
  await Promise.allSettled(results);
  options.signal.throwIfAborted();
  return Promise.all(results).catch((error: unknown) => {
    throw failed.signal.aborted ? failed.signal.reason : error;
  });
}

function isPlain({ mediaType }: Descriptor): boolean {
  return mediaType.endsWith('.tar');
}

/** OCI writes `.tar+gzip`, Docker `.tar.gzip`. */
function compressedType(mediaType: string): string {
  return mediaType.startsWith('application/vnd.oci.') ? `${mediaType}+gzip` : `${mediaType}.gzip`;
}

async function compressedLayer(
  { catalog, content }: PullContext,
  { layer, diffId }: { readonly layer: Descriptor; readonly diffId: string },
  { hold, signal }: Options,
): Promise<Descriptor> {
  const mediaType = compressedType(layer.mediaType);
  const others = catalog.blobsOfLayer(diffId).filter((digest) => digest !== layer.digest);
  await hold.add({ layers: [], blobs: others });
  for (const digest of others) {
    const found = await content.stat(digest);
    if (found === undefined || !(await isGzip(content, digest))) continue;
    return { mediaType, digest, size: found.sizeBytes };
  }
  const draft = await content.draft();
  try {
    const made = await compressed({ path: content.path(layer.digest) }, draft.fd, signal);
    if (made.plainDigest !== diffId) {
      throw systemError(`layer ${layer.digest} is damaged: it has digest ${made.plainDigest}`);
    }
    await hold.add({ layers: [], blobs: [made.digest] });
    await draft.commit(made.digest);
    return { mediaType, digest: made.digest, size: made.sizeBytes };
  } catch (error) {
    await draft.abort();
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
