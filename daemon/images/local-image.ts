/**
 * Images that did not come from a registry: blobs are in the content store already, or about to be;
 * this unpacks the layers, makes a manifest where there is none, and registers.
 */
import { systemError } from '../../api-spec/errors.js';
import type { Descriptor } from '../content/index.js';
import { mediaTypes } from '../registry/index.js';
import type { Statement } from '../store/store.js';
import { changes, type LayerRecord } from './catalog.js';
import { parseImageConfig } from './image-config.js';
import { createSlots } from './exclusive.js';
import type { ImageEvent } from './keeper.js';
import { layerFailure } from './layer-failure.js';
import { layerKeys } from './layer-keys.js';
import { mendLayers } from './mend.js';
import type { PullContext } from './pull.js';

/** Each has threads of its own. */
const maxAtOnce = 2;

/** An image whose blobs are here. */
export interface LocalImage {
  readonly configText: string;
  readonly id: string;
  /** Blobs in the content store, lowest first, one for each diffID of the config. */
  readonly layers: readonly Descriptor[];
  /** The manifest that came with it; otherwise one is written. */
  readonly manifest?: Buffer;
  readonly manifestType?: string;
  readonly parentId?: string;
  /** What else belongs into the transaction. */
  readonly statements: readonly Statement[];
  readonly events: readonly ImageEvent[];
  /** Told before each layer that has to be unpacked. */
  readonly onLayer?: (layer: Descriptor) => void;
  /** Layers that are being unpacked already, by diffID. */
  readonly underWay?: ReadonlyMap<string, Promise<LayerRecord>>;
  readonly signal: AbortSignal;
}

/**
 * Unpacks what is not there, verified against the diffIDs, and registers. The caller holds the
 * blobs and layers.
 */
export async function registerLocalImage(context: PullContext, image: LocalImage): Promise<void> {
  const { diffIds } = parseImageConfig(image.configText);
  if (diffIds.length !== image.layers.length) {
    throw systemError("layers from manifest don't match image configuration");
  }
  const keys = layerKeys(diffIds, context.driver.layerIdentity);
  const wanted = image.layers.map((blob, height) => {
    const layer = keys[height] ?? { key: '', parents: [] };
    return { blob, layer, diffId: diffIds[height] ?? '' };
  });
  const records = await ensureLayers(context, wanted, image);
  const stack = await mendLayers(context.driver, records);
  const mending = stack.filter(({ diffId }) => diffId === '').map(({ storageKey }) => storageKey);
  const hold = await context.keeper.hold({ layers: mending, blobs: [] });
  try {
    await register(context, image, stack);
  } finally {
    await hold.release({ keepPartials: false });
  }
}

/** A layer with its blob, which is in the content store. */
export interface WantedLayer {
  readonly blob: Descriptor;
  readonly layer: { readonly key: string; readonly parents: readonly string[] };
  readonly diffId: string;
}

/** Several at once where they do not stand on each other; each that was begun has ended. */
async function ensureLayers(
  context: PullContext,
  wanted: readonly WantedLayer[],
  image: LocalImage,
): Promise<readonly LayerRecord[]> {
  const atOnce = context.driver.layerIdentity === 'diffID' ? maxAtOnce : 1;
  const slots = createSlots(atOnce);
  const failed = new AbortController();
  const signal = AbortSignal.any([image.signal, failed.signal]);
  const done = new Map<string, Promise<LayerRecord>>(image.underWay);
  const records = wanted.map((one) => {
    // The same layer twice in one image is unpacked once.
    const known = done.get(one.layer.key);
    if (known !== undefined) image.onLayer?.(one.blob);
    const record =
      known ?? slots.run(() => ensureLayer(context, one, { ...image, signal }), signal);
    done.set(one.layer.key, record);
    return record.catch((error: unknown) => {
      failed.abort(error);
      throw error;
    });
  });
  await Promise.allSettled(records);
  image.signal.throwIfAborted();
  return Promise.all(records).catch((error: unknown) => {
    throw failed.signal.aborted ? failed.signal.reason : error;
  });
}

/** Unpacks a layer unless it is there; verified. The caller holds both. */
export async function ensureLayer(
  context: PullContext,
  wanted: WantedLayer,
  options: Pick<LocalImage, 'signal' | 'onLayer'>,
): Promise<LayerRecord> {
  return (await knownLayer(context, wanted)) ?? unpackInto(context, wanted, options);
}

/** A layer that is there, by its row and on disk. */
export async function knownLayer(
  { catalog, driver }: PullContext,
  { blob, layer, diffId }: WantedLayer,
): Promise<LayerRecord | undefined> {
  const known = catalog.layer(layer.key);
  const isSame = blob.digest === diffId || catalog.diffIdOf(blob.digest) === diffId;
  return isSame && (await driver.hasLayer(layer.key)) ? known : undefined;
}

/**
 * Unpacks a layer, verified. `show`: it is not durable yet, and what has to be synced is noted.
 */
export async function unpackInto(
  context: PullContext,
  wanted: WantedLayer,
  { signal, onLayer, show }: Pick<LocalImage, 'signal' | 'onLayer'> & { readonly show?: boolean },
): Promise<LayerRecord> {
  const { content, driver, unsynced } = context;
  const { blob, layer, diffId } = wanted;
  onLayer?.(blob);
  const stage = await driver.stageLayer(layer);
  try {
    const source = { path: content.path(blob.digest) };
    const { path: target, whiteouts } = stage;
    const unpacked = await context.unpack({ source, target, whiteouts, signal });
    if (unpacked.diffId !== diffId) {
      throw systemError(`invalid diffID for layer: expected ${diffId}, got ${unpacked.diffId}`);
    }
    if (show === true) unsynced.add(await stage.show());
    else await stage.commit();
    const { sizeBytes, impliedDirectories: implied } = unpacked;
    return { storageKey: layer.key, diffId, sizeBytes, implied };
  } catch (error) {
    await stage.abort();
    throw layerFailure(error, blob.digest, signal);
  }
}

async function register(
  context: PullContext,
  image: LocalImage,
  stack: readonly LayerRecord[],
): Promise<void> {
  const { catalog, content, keeper } = context;
  const mediaType = image.manifestType ?? mediaTypes.ociManifest;
  const configText = Buffer.from(image.configText);
  const bytes =
    image.manifest ??
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType,
        config: { mediaType: mediaTypes.ociConfig, digest: image.id, size: configText.length },
        layers: image.layers,
      }),
    );
  const [manifest] = await Promise.all([content.put(bytes), content.put(configText)]);
  const { diffIds } = parseImageConfig(image.configText);
  const layerBlobs = image.layers.map(({ digest }, height) => ({
    digest,
    diffId: diffIds[height] ?? '',
  }));
  const previous = catalog.image(image.id) === undefined ? [] : catalog.blobs(image.id);
  await keeper.commit({
    statements: [
      ...changes.addImage({
        id: image.id,
        configText: image.configText,
        manifest: { mediaType, digest: manifest.digest, size: manifest.sizeBytes },
        layers: stack,
        layerBlobs,
        ...(image.parentId === undefined ? {} : { parentId: image.parentId }),
      }),
      ...image.statements,
    ],
    events: image.events,
  });
  await keeper.collect({ layers: [], blobs: previous });
}
