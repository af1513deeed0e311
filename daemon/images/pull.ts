/**
 * `docker pull`: resolve → refuse → fetch → record → announce.
 *
 *     tag ─► index ─► manifest ─► config ─► layers, all at once ─► one transaction
 *
 * Nothing is registered before every byte of it is verified and on disk. What a failed pull leaves
 * is downloads to go on with.
 */
import { statfs } from 'node:fs/promises';
import type { AuthConfig } from '../../api-spec/index.js';
import { invalidParameter, noSpace, systemError } from '../../api-spec/errors.js';
import { diskReserveBytes } from '../../native/unpack/index.js';
import type { Descriptor } from '../content/index.js';
import {
  choosePlatform,
  hostPlatform,
  parsePlatform,
  platformName,
  pullError,
  RegistryError,
  satisfies,
  type FetchedManifest,
  type ImageManifest,
  type Platform,
  type Repository,
} from '../registry/index.js';
import { changes, type Catalog, type LayerRecord } from './catalog.js';
import { fetchConfig } from './fetch-config.js';
import { parseImageConfig, type ImageConfig } from './image-config.js';
import type { Keeper } from './keeper.js';
import { layerKeys } from './layer-keys.js';
import type { LayerSource, LayerStep } from './layer-source.js';
import { mendLayers } from './mend.js';
import type { ImageContext, ProgressSink } from './needs.js';
import { Progress, shortId } from './progress.js';
import {
  familiarName,
  familiarRepository,
  fullName,
  parseReference,
  repositoryOf,
  withDigest,
  withTag,
  type Reference,
} from './reference.js';

/** As in `POST /images/create?fromImage=`. */
export interface PullRequest {
  readonly image: string;
  /** A tag or a digest; empty for what `image` says, or all tags. */
  readonly tag: string;
  /** `os[/arch[/variant]]`; empty for this machine's. */
  readonly platform: string;
  readonly auth: AuthConfig;
  readonly sink: ProgressSink;
  readonly signal: AbortSignal;
}

/** What a pull works with. */
export interface PullContext extends ImageContext {
  readonly catalog: Catalog;
  readonly keeper: Keeper;
  readonly layerSource: LayerSource;
}

/** One pull under way. */
interface Pull {
  readonly context: PullContext;
  readonly reference: Reference;
  readonly repository: Repository;
  readonly platform: Platform;
  /** Whether the user asked for it, so that another one is an error. */
  readonly platformGiven: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

const maxTagsPulled = 10_000;

/** Rejects with `ApiError`, before the first line where Docker answers with a status. */
export async function pull(context: PullContext, request: PullRequest): Promise<void> {
  const named = targetOf(request);
  const platform = request.platform === '' ? hostPlatform() : parsePlatform(request.platform);
  const repository = context.registry.open(named, request.auth);
  const { signal } = request;
  const progress = new Progress(request.sink);
  const platformGiven = request.platform !== '';
  const common = { context, repository, platform, platformGiven, progress, signal };
  const isWhole = named.tag !== undefined || named.digest !== undefined;
  let changed = false;
  try {
    const references = isWhole ? [named] : await allTags(named, repository, signal);
    for (const reference of references) {
      changed = (await pullOne({ ...common, reference })) || changed;
    }
  } catch (error) {
    throw wordedError(error, named, signal);
  }
  const what = changed ? 'Downloaded newer image for' : 'Image is up to date for';
  progress.line({ status: `Status: ${what} ${familiarName(named)}` });
  await progress.flush();
}

function targetOf({ image, tag }: PullRequest): Reference {
  const named = parseReference(image);
  if (tag === '') return named;
  return tag.includes(':') ? withDigest(named, tag) : withTag(named, tag);
}

async function allTags(
  named: Reference,
  repository: Repository,
  signal: AbortSignal,
): Promise<readonly Reference[]> {
  const tags = await repository.tags(signal);
  return tags.slice(0, maxTagsPulled).map((tag) => withTag(named, tag));
}

function wordedError(error: unknown, named: Reference, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  const reference = familiarName(named);
  return pullError(error, { repository: familiarRepository(named), reference });
}

/** Whether anything was new. */
async function pullOne(pulling: Pull): Promise<boolean> {
  const { context, reference, repository, progress, signal } = pulling;
  const wanted = reference.digest ?? reference.tag ?? 'latest';
  const known = await knownDigest(pulling);
  const top = known === undefined ? await fetchTop(repository, wanted, signal) : undefined;
  progress.line({ status: `Pulling from ${reference.path}`, id: wanted });
  const digest = known ?? top?.digest ?? '';
  const before = currentImage(context.catalog, reference);
  const id = top === undefined ? before : await pullImage(pulling, top);
  progress.line({ status: `Digest: ${digest}` });
  return id !== before;
}

async function fetchTop(
  repository: Repository,
  wanted: string,
  signal: AbortSignal,
): Promise<FetchedManifest> {
  try {
    return await repository.manifest(wanted, signal);
  } catch (error) {
    if (!(error instanceof RegistryError) || error.status !== 404) throw error;
    if (error.code !== 'UNKNOWN') throw error;
    throw new RegistryError(404, 'NOT_FOUND', error.message, { cause: error });
  }
}

/** The image that a reference names now. */
function currentImage(catalog: Catalog, reference: Reference): string | undefined {
  return reference.digest === undefined
    ? catalog.imageOfTag(fullName(reference))
    : catalog.imageOfDigest(repositoryOf(reference), reference.digest);
}

/**
 * The digest at the registry, if the image that it names is here already under this name and for
 * this platform: a HEAD, which registries do not count as a pull.
 */
async function knownDigest(pulling: Pull): Promise<string | undefined> {
  const { context, reference, repository, signal, platform } = pulling;
  const id = currentImage(context.catalog, reference);
  const image = id === undefined ? undefined : context.catalog.image(id);
  if (image === undefined || !satisfies(platform, image.config)) return undefined;
  const digest = reference.digest ?? (await repository.resolve(reference.tag ?? 'latest', signal));
  if (digest === undefined || !(await isComplete(context, image.id))) return undefined;
  const there = context.catalog.imageOfDigest(repositoryOf(reference), digest);
  return there === image.id ? digest : undefined;
}

/** Whether all that an image refers to is on disk: what `fsck` took away is fetched again. */
async function isComplete({ catalog, content, driver }: PullContext, id: string): Promise<boolean> {
  const blobs = catalog.blobs(id).map(async (blob) => (await content.stat(blob)) !== undefined);
  const layers = catalog
    .layerKeys(id)
    .map(async (key) => catalog.layer(key) !== undefined && (await driver.hasLayer(key)));
  return (await Promise.all([...blobs, ...layers])).every(Boolean);
}

/** Its id, once it is registered. */
async function pullImage(pulling: Pull, top: FetchedManifest): Promise<string> {
  const { context, repository, signal } = pulling;
  const chosen = await chooseManifest(pulling, top);
  const { document } = chosen;
  if (document.kind === 'index') throw systemError('unsupported: an index within an index');
  const text = await fetchConfig(repository, document.config, signal);
  const config = parseImageConfig(text);
  checkConfig(pulling, config, document);
  const hold = await context.keeper.hold({
    layers: layerKeys(config.diffIds, context.driver.layerIdentity).map(({ key }) => key),
    blobs: [
      top.digest,
      chosen.digest,
      document.config.digest,
      ...document.layers.map(({ digest }) => digest),
    ],
  });
  let complete = false;
  try {
    const layers = await fetchLayers(pulling, document, config);
    const stack = await mendLayers(context.driver, layers);
    await hold.add({ layers: stack.map(({ storageKey }) => storageKey), blobs: [] });
    await register(pulling, { top, chosen, document, text, stack });
    complete = true;
  } finally {
    await hold.release({ keepPartials: !complete });
  }
  return document.config.digest;
}

async function chooseManifest(pulling: Pull, top: FetchedManifest): Promise<FetchedManifest> {
  if (top.document.kind === 'manifest') return top;
  const { platform, repository, signal } = pulling;
  const entry = choosePlatform(platform, top.document.manifests);
  if (entry === undefined) {
    const text = `no matching manifest for ${platformName(platform)} in the manifest list entries`;
    throw new RegistryError(0, 'INVALID', text);
  }
  return repository.manifest(entry.digest, signal, entry.size);
}

function checkConfig(pulling: Pull, config: ImageConfig, manifest: ImageManifest): void {
  if (config.os !== 'linux') {
    throw invalidParameter(
      `image operating system ${JSON.stringify(config.os)} cannot be used on this platform`,
    );
  }
  if (config.diffIds.length !== manifest.layers.length) {
    throw systemError("layers from manifest don't match image configuration");
  }
  if (pulling.platformGiven && !satisfies(pulling.platform, config)) {
    throw systemError(
      `image with reference ${familiarName(pulling.reference)} was found but does not match the ` +
        `specified platform: wanted ${platformName(pulling.platform)}, ` +
        `actual: ${platformName(config)}`,
    );
  }
}

/** All layers, lowest first: those that are there, and the others at once. */
async function fetchLayers(
  pulling: Pull,
  manifest: ImageManifest,
  config: ImageConfig,
): Promise<readonly LayerRecord[]> {
  const { context, progress, repository } = pulling;
  const keys = layerKeys(config.diffIds, context.driver.layerIdentity);
  const wanted = manifest.layers.map((descriptor, height) => {
    const layer = keys[height] ?? { key: '', parents: [] };
    return { descriptor, layer, diffId: config.diffIds[height] ?? '', repository };
  });
  const there = await Promise.all(wanted.map((one) => layerThere(context, one)));
  await checkSpace(
    context,
    wanted.filter((_, height) => there[height] === undefined),
  );
  for (const [height, { descriptor }] of wanted.entries()) {
    const isThere = there[height] !== undefined;
    progress.layer(shortId(descriptor.digest), isThere ? 'Already exists' : 'Pulling fs layer');
  }
  const failed = new AbortController();
  const signal = AbortSignal.any([pulling.signal, failed.signal]);
  let beneath: Promise<unknown> = Promise.resolve();
  const fetched = wanted.map((one, height) => {
    const found = there[height];
    if (found !== undefined) return Promise.resolve(found);
    const onStep = stepPrinter(progress, one.descriptor);
    const getting = context.layerSource.fetch({ ...one, beneath }, onStep, signal);
    const settled = getting.catch((error: unknown) => {
      failed.abort(error);
      throw error;
    });
    beneath = settled;
    return settled;
  });
  // All have to end before what they made may be collected.
  await Promise.allSettled(fetched);
  return Promise.all(fetched).catch((error: unknown) => {
    throw failed.signal.aborted ? failed.signal.reason : error;
  });
}

/** The same layer twice in one image is fetched once, by `LayerSource`. */
async function layerThere(
  { catalog, content, driver }: PullContext,
  wanted: {
    readonly descriptor: Descriptor;
    readonly diffId: string;
    readonly layer: { key: string };
  },
): Promise<LayerRecord | undefined> {
  const record = catalog.layer(wanted.layer.key);
  if (record === undefined || catalog.diffIdOf(wanted.descriptor.digest) !== wanted.diffId) {
    return undefined;
  }
  const [blob, unpacked] = await Promise.all([
    content.stat(wanted.descriptor.digest),
    driver.hasLayer(wanted.layer.key),
  ]);
  return blob !== undefined && unpacked ? record : undefined;
}

async function checkSpace(
  { dataRoot }: PullContext,
  missing: readonly { readonly descriptor: Descriptor }[],
): Promise<void> {
  const needed = missing.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  const { bavail, bsize } = await statfs(dataRoot);
  if (needed + diskReserveBytes <= bavail * bsize) return;
  throw noSpace(
    `not enough space in ${dataRoot}: the image needs at least ${needed} bytes, ` +
      `${bavail * bsize} are free`,
  );
}

function stepPrinter(progress: Progress, { digest, size }: Descriptor): (step: LayerStep) => void {
  const id = shortId(digest);
  return (step) => {
    switch (step.step) {
      case 'waiting':
        return progress.layer(id, 'Waiting');
      case 'downloading':
        return progress.count(id, 'Downloading', { current: step.current, total: size });
      case 'retrying':
        return progress.layer(id, `Retrying in ${Math.ceil(step.inMs / 1000)} seconds`);
      case 'verifying':
        return progress.layer(id, 'Verifying Checksum');
      case 'downloaded':
        return progress.layer(id, 'Download complete');
      case 'extracting':
        return progress.count(id, 'Extracting', { current: step.current, total: size });
      case 'complete':
        return progress.layer(id, 'Pull complete');
    }
  };
}

interface Registration {
  readonly top: FetchedManifest;
  readonly chosen: FetchedManifest;
  readonly document: ImageManifest;
  readonly text: string;
  readonly stack: readonly LayerRecord[];
}

/** Blobs first, then the rows, then the event. */
async function register(
  pulling: Pull,
  { top, chosen, document, text, stack }: Registration,
): Promise<void> {
  const { context, reference } = pulling;
  const { catalog, content, keeper } = context;
  const id = document.config.digest;
  await Promise.all([
    content.put(Buffer.from(text)),
    content.put(chosen.bytes),
    ...(top.document.kind === 'index' ? [content.put(top.bytes)] : []),
  ]);
  const previous = catalog.image(id) === undefined ? [] : catalog.blobs(id);
  const { diffIds } = parseImageConfig(text);
  const layerBlobs = document.layers.map(({ digest }, height) => ({
    digest,
    diffId: diffIds[height] ?? '',
  }));
  const manifest = {
    mediaType: document.mediaType,
    digest: chosen.digest,
    size: chosen.bytes.length,
  };
  const name = familiarName(reference);
  const labels = parseImageConfig(text).config.Labels ?? {};
  await keeper.commit({
    statements: [
      ...changes.addImage({ id, configText: text, manifest, layers: stack, layerBlobs }),
      ...(top.document.kind === 'index'
        ? changes.addIndex(id, {
            mediaType: top.document.mediaType,
            digest: top.digest,
            size: top.bytes.length,
          })
        : []),
      changes.setDigest(repositoryOf(reference), top.digest, id),
      ...(reference.tag === undefined ? [] : [changes.setTag(fullName(reference), id)]),
    ],
    events: [
      { action: 'pull', id: name, attributes: { ...labels, name: familiarRepository(reference) } },
    ],
  });
  await keeper.collect({ layers: [], blobs: previous });
}
