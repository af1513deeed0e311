/**
 * What builds ask of images: a base to begin with, layers to put on top, and an image at the end.
 * Layers and blobs are held by the build's own hold until rows refer to them.
 */
import { ApiError, notFound, systemError } from '../../api-spec/errors.js';
import type { AuthConfig, JsonMessage } from '../../api-spec/index.js';
import { digestOf, type Descriptor } from '../content/index.js';
import {
  hostPlatform,
  mediaTypes,
  parsePlatform,
  platformName,
  satisfies,
} from '../registry/index.js';
import type { LayerStage } from '../../storage-drivers/driver.js';
import type { Statement } from '../store/store.js';
import { changes, type ImageRecord, type LayerRecord } from './catalog.js';
import { parseImageConfig, type ImageConfig } from './image-config.js';
import { distinctKeys, layerKeys } from './layer-keys.js';
import type { Hold } from './keeper.js';
import { knownLayer, registerLocalImage, unpackInto, type WantedLayer } from './local-image.js';
import { layerFailure } from './layer-failure.js';
import { findImage } from './lookup.js';
import { pull, type PullContext } from './pull.js';
import { fullName, familiarName, parseReference } from './reference.js';
import { layerBlobsOf } from './stored-manifest.js';
import { tagImage, targetReference } from './tag.js';

/** An image that a stage begins with. */
export interface BuildBase {
  readonly id: string;
  readonly config: ImageConfig;
  /** One for each diffID, lowest first. */
  readonly layers: readonly Descriptor[];
  /** What the storage driver stacks for it, lowest first. */
  readonly storageKeys: readonly string[];
}

/** A layer that a step made. */
export interface BuildLayer {
  readonly blob: Descriptor;
  readonly diffId: string;
  readonly storageKey: string;
  readonly sizeBytes: number;
  /** The row that describes it: belongs to the transaction of the first row that refers to it. */
  readonly statement: Statement;
}

/** Writes one layer as a plain tar. */
export type WriteLayer = (fd: number) => Promise<{
  readonly diffId: string;
  readonly tarBytes: number;
  readonly entries: number;
  /** Where it lies unpacked already. */
  readonly taken?: {
    readonly sizeBytes: number;
    readonly stage: (key: string) => LayerStage;
  };
}>;

/** What one build keeps from being removed while it runs. */
export interface BuildHold {
  /**
   * Makes a layer out of what `write` writes; undefined when that is nothing. It lasts once
   * `settle` has resolved: until then nothing that lasts may refer to it.
   */
  addLayer(
    beneath: readonly string[],
    write: WriteLayer,
    signal: AbortSignal,
  ): Promise<BuildLayer | undefined>;
  /** Makes all layers so far durable. */
  settle(): Promise<void>;
  /** What is there of a layer that was made before stays; false when it is not there any more. */
  keepLayer(layer: { readonly storageKey: string; readonly digest: string }): Promise<boolean>;
  /** Everything that an image stands on stays. */
  keepBase(base: BuildBase): Promise<void>;
  /** Registers the image under its names; durable when it returns. */
  register(image: NewBuild): Promise<void>;
  /** Gives an image that is there these names. */
  tag(id: string, tags: readonly string[]): Promise<void>;
  release(): Promise<void>;
}

/** An image that a build ends with. */
export interface NewBuild {
  readonly configText: string;
  readonly layers: readonly Descriptor[];
  /** The image that it begins with; empty for none. */
  readonly parentId: string;
  /** `name[:tag]`, checked before by `checkTag`. */
  readonly tags: readonly string[];
  readonly signal: AbortSignal;
}

/** Where a base is looked for, and how it is fetched. */
export interface BaseRequest {
  readonly name: string;
  /** `os[/arch[/variant]]`, empty for any. */
  readonly platform: string;
  /** Fetches it even if it is there. */
  readonly pull: boolean;
  readonly auth: AuthConfig;
  readonly sink: (message: JsonMessage) => Promise<void>;
  readonly signal: AbortSignal;
}

/** The image service as builds see it. */
export interface BuildImages {
  /** From the store or a registry; `ApiError` in the words of a pull. */
  base(request: BaseRequest): Promise<BuildBase>;
  /** From the store alone, without its layers' blobs. */
  find(name: string): BuildBase | undefined;
  /** One that was found, with the blobs of its layers. */
  whole(found: BuildBase): Promise<BuildBase>;
  /** The host of the registry that a name belongs to; `ApiError` 400 for what is no name. */
  registryOf(name: string): string;
  /** `name:tag` as users see it; `ApiError` 400 for what is none. */
  checkTag(text: string): string;
  hold(): Promise<BuildHold>;
  /** Storage keys of a stack of layers that were made here. */
  storageKeys(diffIds: readonly string[]): readonly string[];
}

/** Over the image service's own context. */
export function buildImages(context: PullContext): BuildImages {
  return {
    base: (request) => baseOf(context, request),
    find: (name) => {
      const image = localImage(context, name);
      return image === undefined ? undefined : shallowBase(context, image);
    },
    whole: (found) => {
      const image = context.catalog.image(found.id);
      if (image === undefined) throw notFound(`No such image: ${found.id}`);
      return wholeBase(context, image);
    },
    registryOf: (name) => parseReference(name).domain,
    checkTag: (text) => {
      const reference = targetReference(text, '');
      return reference === undefined ? '' : familiarName(reference);
    },
    hold: () => openBuildHold(context),
    storageKeys: (diffIds) =>
      layerKeys(diffIds, context.driver.layerIdentity).map(({ key }) => key),
  };
}

function localImage(context: PullContext, name: string): ImageRecord | undefined {
  try {
    return findImage(context.catalog, name).image;
  } catch (error) {
    if (error instanceof ApiError && error.kind === 'NotFound') return undefined;
    throw error;
  }
}

function fitsPlatform(image: ImageRecord, platform: string): boolean {
  if (platform === '') return true;
  const { os, architecture, variant } = image.config;
  const actual = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  return satisfies(parsePlatform(platform), actual);
}

async function baseOf(context: PullContext, request: BaseRequest): Promise<BuildBase> {
  const { name, platform, sink, signal, auth } = request;
  const there = localImage(context, name);
  if (there !== undefined && !request.pull && fitsPlatform(there, platform)) {
    return wholeBase(context, there);
  }
  const tag = parseReference(name).tag === undefined ? 'latest' : '';
  const image = name.includes('@') ? { image: name, tag: '' } : { image: name, tag };
  await pull(context, { ...image, platform, auth, sink, signal });
  const pulled = localImage(context, name);
  if (pulled === undefined) throw notFound(`No such image: ${name}`);
  if (!fitsPlatform(pulled, platform)) {
    const wanted = platform === '' ? platformName(hostPlatform()) : platform;
    throw notFound(`image with reference ${name} does not match the platform ${wanted}`);
  }
  return wholeBase(context, pulled);
}

function shallowBase(context: PullContext, image: ImageRecord): BuildBase {
  const storageKeys = distinctKeys(context.catalog.layerKeys(image.id));
  return { id: image.id, config: image.config, layers: [], storageKeys };
}

async function wholeBase(context: PullContext, image: ImageRecord): Promise<BuildBase> {
  const layers = await layerBlobsOf(context.content, image.manifest);
  if (layers.length !== image.config.diffIds.length) {
    throw systemError("layers from manifest don't match image configuration");
  }
  return { ...shallowBase(context, image), layers };
}

async function openBuildHold(context: PullContext): Promise<BuildHold> {
  const { keeper, content, driver } = context;
  const hold = await keeper.hold({ layers: [], blobs: [] });
  const isThere = async (storageKey: string, digest: string): Promise<boolean> =>
    (await driver.hasLayer(storageKey)) && content.has(digest);
  return {
    addLayer: (beneath, write, signal) => addLayer(context, hold, { beneath, write, signal }),
    settle: () => context.unsynced.settle(),
    keepLayer: async ({ storageKey, digest }) => {
      await hold.add({ layers: [storageKey], blobs: [digest] });
      return isThere(storageKey, digest);
    },
    keepBase: ({ storageKeys, layers, id }) =>
      hold.add({ layers: storageKeys, blobs: [id, ...layers.map(({ digest }) => digest)] }),
    register: (image) => register(context, image, (digest) => hold.add(digest)),
    tag: async (id, tags) => {
      const { catalog } = context;
      const nowMs = context.nowMs();
      for (const tag of tags) {
        await tagImage({ catalog, keeper, nowMs }, id, { repo: tag, tag: '' });
      }
    },
    release: () => hold.release({ keepPartials: false }),
  };
}

interface Addition {
  readonly beneath: readonly string[];
  readonly write: WriteLayer;
  readonly signal: AbortSignal;
}

async function addLayer(
  context: PullContext,
  hold: Hold,
  { beneath, write, signal }: Addition,
): Promise<BuildLayer | undefined> {
  const draft = await context.content.draft();
  let stage: LayerStage | undefined;
  try {
    const { diffId, tarBytes, entries, taken } = await write(draft.fd);
    const layer = layerKeys([...beneath, diffId], context.driver.layerIdentity).at(-1);
    if (layer === undefined) throw systemError('a layer without a key');
    stage = taken?.stage(layer.key);
    if (entries === 0) {
      await Promise.all([draft.abort(), stage?.abort()]);
      return undefined;
    }
    await hold.add({ layers: [layer.key], blobs: [diffId] });
    context.unsynced.add(await draft.show(diffId));
    const blob = { mediaType: mediaTypes.ociLayer, digest: diffId, size: tarBytes };
    const wanted = { blob, layer, diffId };
    const record =
      stage === undefined || taken === undefined
        ? await unpacked(context, wanted, signal)
        : await shown(context, wanted, { stage, sizeBytes: taken.sizeBytes });
    const statement = changes.addLayerRow(record);
    return { blob, diffId, storageKey: layer.key, sizeBytes: record.sizeBytes, statement };
  } catch (error) {
    await Promise.all([draft.abort(), stage?.abort()]);
    throw layerFailure(error, 'of the step', signal);
  }
}

async function unpacked(
  context: PullContext,
  wanted: WantedLayer,
  signal: AbortSignal,
): Promise<LayerRecord> {
  const known = await knownLayer(context, wanted);
  return known ?? unpackInto(context, wanted, { signal, show: true });
}

async function shown(
  context: PullContext,
  { layer, diffId }: WantedLayer,
  { stage, sizeBytes }: { readonly stage: LayerStage; readonly sizeBytes: number },
): Promise<LayerRecord> {
  context.unsynced.add(await stage.show());
  // What a container changed has an entry for each folder.
  return { storageKey: layer.key, diffId, sizeBytes, implied: [] };
}

async function register(
  context: PullContext,
  { configText, layers, parentId, tags, signal }: NewBuild,
  add: (things: { layers: string[]; blobs: string[] }) => Promise<void>,
): Promise<void> {
  const id = digestOf(configText);
  await add({ layers: [], blobs: [id] });
  const labels = parseImageConfig(configText).config.Labels ?? {};
  const references = tags.flatMap((tag) => targetReference(tag, '') ?? []);
  await registerLocalImage(context, {
    id,
    configText,
    layers,
    parentId,
    statements: references.flatMap((reference) => [
      changes.setTag(fullName(reference), id),
      changes.touchTagTime(id, context.nowMs()),
    ]),
    events: references.map((reference) => ({
      action: 'tag',
      id,
      attributes: { ...labels, name: familiarName(reference) },
    })),
    signal,
  });
}
