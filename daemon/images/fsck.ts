/**
 * `tsdockerd fsck`: are the images on disk what they were when they were acknowledged?
 *
 *     blob   its bytes have its digest
 *     layer  its files are those that its blob unpacks to
 *
 * A layer is compared by unpacking it once more. What is damaged is made anew from a whole blob
 * where there is one; what cannot be is taken away, so that the next pull or load brings it back.
 */
import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import type { LayerKey } from '../../storage-drivers/driver.js';
import { changes, type ImageRecord } from './catalog.js';
import { layerKeys } from './layer-keys.js';
import { parseManifest } from '../registry/index.js';
import type { PullContext } from './pull.js';

/** One thing that is not as it was. */
export interface Damage {
  readonly what: 'blob' | 'layer';
  /** Digest of the blob, storage key of the layer. */
  readonly name: string;
  readonly why: 'missing' | 'wrong content' | 'cannot be compared: its blob is damaged';
  /** Images, by their first name or id, that are touched by it. */
  readonly images: readonly string[];
  readonly repair: 'none' | 'made anew' | 'taken away: pull or load the image again';
}

/** How to look. */
export interface FsckOptions {
  readonly repair: boolean;
  readonly signal: AbortSignal;
}

const maxManifestBytes = 4 * 2 ** 20;

/** All damage; the daemon of this data root must not be running. */
export async function checkImages(
  context: PullContext,
  options: FsckOptions,
): Promise<readonly Damage[]> {
  const check: Check = { context, ...options, blobs: new Map(), layers: new Set(), found: [] };
  for (const image of context.catalog.images()) {
    for (const digest of context.catalog.blobs(image.id)) await checkBlob(check, image, digest);
    await checkLayers(check, image);
  }
  if (options.repair) await takeAwayBlobs(check);
  return check.found;
}

interface Check extends FsckOptions {
  readonly context: PullContext;
  /** Those that were looked at: why they are damaged, or undefined. */
  readonly blobs: Map<string, Damage['why'] | undefined>;
  readonly layers: Set<string>;
  readonly found: Damage[];
}

async function checkBlob(check: Check, image: ImageRecord, digest: string): Promise<void> {
  if (check.blobs.has(digest)) return;
  const { content } = check.context;
  const isThere = (await content.stat(digest)) !== undefined;
  const why = isThere ? await wrongContent(check, digest) : 'missing';
  check.blobs.set(digest, why);
  if (why === undefined) return;
  // The config is in the database as well; everything else comes from where it came from.
  const configText = digest === image.id ? check.context.catalog.configText(image.id) : undefined;
  const repair = !check.repair
    ? 'none'
    : configText === undefined
      ? 'taken away: pull or load the image again'
      : 'made anew';
  if (repair === 'made anew') {
    await content.put(Buffer.from(configText ?? ''));
    check.blobs.set(digest, undefined);
  }
  check.found.push({ what: 'blob', name: digest, why, images: usersOf(check, digest), repair });
}

async function wrongContent(
  { context, signal }: Check,
  digest: string,
): Promise<'wrong content' | undefined> {
  const hash = createHash('sha256');
  await pipeline(context.content.read(digest), hash, { signal });
  return `sha256:${hash.digest('hex')}` === digest ? undefined : 'wrong content';
}

function usersOf({ context: { catalog } }: Check, digest: string): readonly string[] {
  return catalog
    .images()
    .filter(({ id }) => catalog.blobs(id).includes(digest))
    .map(({ id }) => nameOf(catalog, id));
}

function nameOf(catalog: PullContext['catalog'], id: string): string {
  return catalog.tags(id)[0]?.reference ?? id;
}

/** Lowest first, as each may stand on the one before. */
async function checkLayers(check: Check, image: ImageRecord): Promise<void> {
  const { context } = check;
  const { manifest, config } = image;
  const isKnown = check.blobs.get(manifest.digest) === undefined;
  const document = isKnown
    ? parseManifest(
        await context.content.readAll(manifest.digest, maxManifestBytes),
        manifest.mediaType,
      )
    : undefined;
  const blobs = document?.kind === 'manifest' ? document.layers : [];
  for (const [height, layer] of layerKeys(
    config.diffIds,
    context.driver.layerIdentity,
  ).entries()) {
    if (check.layers.has(layer.key)) continue;
    check.layers.add(layer.key);
    await checkLayer(check, image, { layer, blob: blobs[height]?.digest });
  }
}

async function checkLayer(
  check: Check,
  image: ImageRecord,
  { layer, blob }: { readonly layer: LayerKey; readonly blob: string | undefined },
): Promise<void> {
  const { context, repair, found } = check;
  const images = [nameOf(context.catalog, image.id)];
  const report = { what: 'layer' as const, name: layer.key, images };
  if (blob === undefined || check.blobs.get(blob) !== undefined) {
    const why = 'cannot be compared: its blob is damaged';
    if (repair) await takeAwayLayer(context, layer.key);
    const done = repair ? 'taken away: pull or load the image again' : 'none';
    found.push({ ...report, why, repair: done });
    return;
  }
  const why = await compareLayer(check, layer, blob);
  if (why !== undefined) found.push({ ...report, why, repair: repair ? 'made anew' : 'none' });
}

/** Unpacks it beside what is kept, which it replaces if that is to be mended. */
async function compareLayer(
  { context, repair, signal }: Check,
  layer: LayerKey,
  blob: string,
): Promise<'missing' | 'wrong content' | undefined> {
  const { content, driver, unpack } = context;
  const isThere = await driver.hasLayer(layer.key);
  const stage = await driver.stageLayer(layer);
  try {
    const { path: target, whiteouts } = stage;
    await unpack({ source: { path: content.path(blob) }, target, whiteouts, signal });
    const isSame = isThere && (await stage.isAsKept(signal));
    if (isSame || !repair) {
      await stage.abort();
    } else {
      await driver.removeLayer(layer.key);
      await stage.commit();
    }
    if (isSame) return undefined;
    return isThere ? 'wrong content' : 'missing';
  } catch (error) {
    await stage.abort();
    throw error;
  }
}

async function takeAwayLayer(context: PullContext, key: string): Promise<void> {
  await context.store.commit([changes.removeLayer(key)], 'full');
  await context.driver.removeLayer(key);
}

async function takeAwayBlobs({ context, blobs }: Check): Promise<void> {
  for (const [digest, why] of blobs) {
    if (why === undefined) continue;
    await context.store.commit([changes.removeLayerBlob(digest)], 'full');
    await context.content.delete(digest);
  }
}
