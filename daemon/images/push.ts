/**
 * `docker push`: resolve → compress what is plain → send what the registry lacks → manifest or
 * index → record.
 */
import type { AuthConfig } from '../../api-spec/index.js';
import { ApiError, invalidParameter, notFound, systemError } from '../../api-spec/errors.js';
import type { Descriptor } from '../content/index.js';
import { RegistryError, uploadBlob, type PushTarget, type Uploaded } from '../registry/index.js';
import { changes, type Catalog, type ImageRecord } from './catalog.js';
import { asStored, pushable, type PushableImage } from './compress-layers.js';
import { createSlots, type Slots } from './exclusive.js';
import { completeIndex, findForPlatform, siblingsOf } from './indexes.js';
import type { Hold } from './keeper.js';
import type { ProgressSink } from './needs.js';
import { countedBytes } from './counted-bytes.js';
import { Progress, shortId } from './progress.js';
import type { PullContext } from './pull.js';
import {
  familiarName,
  familiarRepository,
  fullName,
  parseReference,
  repositoryOf,
  withTag,
  type Reference,
} from './reference.js';

/** As in `POST /images/{name}/push`. */
export interface PushRequest {
  readonly image: string;
  /** Empty for all tags of the repository. */
  readonly tag: string;
  /** An OCI platform as JSON; empty for all that an image has, if all of it is here. */
  readonly platform?: string;
  readonly auth: AuthConfig;
  readonly sink: ProgressSink;
  readonly signal: AbortSignal;
}

/** One push under way. */
interface Push {
  readonly context: PullContext;
  readonly reference: Reference;
  readonly target: PushTarget;
  readonly progress: Progress;
  readonly slots: Slots;
  readonly signal: AbortSignal;
}

/** Layers sent at once; Docker's default. */
const maxUploads = 5;
/** Other repositories for whose layers the right to read is asked for. */
const maxSources = 5;

/** Rejects with `ApiError`: before the first line for a name that is none, after it otherwise. */
export async function push(context: PullContext, request: PushRequest): Promise<void> {
  const named = parseReference(request.image);
  if (named.digest !== undefined) throw invalidParameter('cannot push a digest reference');
  const { signal } = request;
  const progress = new Progress(request.sink);
  progress.line({ status: `The push refers to repository [${repositoryOf(named)}]` });
  const tagged = taggedImages(context.catalog, named, request);
  const sources = sourcesOf(context.catalog, named, tagged);
  const target = context.registry.openPush(named, request.auth, sources);
  const common = { context, target, progress, slots: createSlots(maxUploads), signal };
  try {
    const isWhole = (request.platform ?? '') === '';
    for (const { reference, image } of tagged) {
      const index = isWhole ? await completeIndex(context, image) : undefined;
      await pushOne({ ...common, reference }, { image, index });
    }
  } catch (error) {
    throw wordedError(error, signal);
  }
  await progress.flush();
}

interface Tagged {
  readonly reference: Reference;
  readonly image: ImageRecord;
}

/** The images that are to go, in the order of their tags. */
function taggedImages(
  catalog: Catalog,
  named: Reference,
  { tag, platform = '' }: Pick<PushRequest, 'platform' | 'tag'>,
): readonly Tagged[] {
  const prefix = `${repositoryOf(named)}:`;
  const all = catalog.tags().filter(({ reference }) => reference.startsWith(prefix));
  if (all.length === 0) {
    const name = familiarRepository(named);
    throw notFound(`An image does not exist locally with the tag: ${name}`);
  }
  const one = tag === '' ? named.tag : tag;
  const wanted = one === undefined ? undefined : withTag(named, one);
  const rows =
    wanted === undefined ? all : all.filter(({ reference }) => reference === fullName(wanted));
  if (wanted !== undefined && rows.length === 0) {
    throw notFound(`tag does not exist: ${familiarName(wanted)}`);
  }
  return rows.map(({ reference }) => {
    const { image } = findForPlatform(catalog, reference, platform);
    return { reference: parseReference(reference), image };
  });
}

/** Paths of other repositories of the same registry that the same blobs came from. */
function sourcesOf(catalog: Catalog, named: Reference, tagged: readonly Tagged[]): string[] {
  const repositories = tagged.flatMap(({ image }) =>
    catalog.blobs(image.id).flatMap((digest) => catalog.repositoriesWith(digest)),
  );
  const own = repositoryOf(named);
  const prefix = `${named.domain}/`;
  return [...new Set(repositories)]
    .filter((repository) => repository.startsWith(prefix) && repository !== own)
    .map((repository) => repository.slice(prefix.length))
    .slice(0, maxSources);
}

/** One image, or all of an index. */
interface Pushed {
  readonly image: ImageRecord;
  readonly index: Awaited<ReturnType<typeof completeIndex>>;
}

async function pushOne(pushing: Push, { image, index }: Pushed): Promise<void> {
  const { context, reference } = pushing;
  const { catalog, keeper } = context;
  const images = index === undefined ? [image] : siblingsOf(catalog, image);
  const hold = await keeper.hold({
    layers: [],
    blobs: images.flatMap(({ id }) => catalog.blobs(id)),
  });
  try {
    const named =
      index === undefined
        ? await sendSingle(pushing, image, hold)
        : await sendWhole(pushing, images, index);
    tellEnd(pushing, named);
    await keeper.commit({
      statements: [changes.setDigest(repositoryOf(reference), named.digest, image.id)],
      events: [
        {
          action: 'push',
          id: familiarName(reference),
          attributes: { ...image.config.config.Labels, name: familiarRepository(reference) },
        },
      ],
    });
  } finally {
    await hold.release({ keepPartials: false });
  }
}

/** Sends an image as registries like it, by its tag. */
async function sendSingle(pushing: Push, image: ImageRecord, hold: Hold): Promise<Descriptor> {
  const { context, reference, target, signal } = pushing;
  const ready = await pushable(context, image, { hold, signal });
  await sendBlobs(pushing, ready);
  const { manifest } = ready.image;
  const { mediaType } = manifest;
  await target.putManifest(tagOf(reference), { bytes: ready.bytes, mediaType }, signal);
  return manifest;
}

/** Sends all platforms as they came, then their index by its tag: it names only what is there. */
async function sendWhole(
  pushing: Push,
  images: readonly ImageRecord[],
  { descriptor, bytes }: NonNullable<Pushed['index']>,
): Promise<Descriptor> {
  const { context, reference, target, signal } = pushing;
  for (const image of images) {
    const stored = await asStored(context.content, image);
    await sendBlobs(pushing, stored);
    const { digest, mediaType } = image.manifest;
    await target.putManifest(digest, { bytes: stored.bytes, mediaType }, signal);
  }
  const { mediaType } = descriptor;
  await target.putManifest(tagOf(reference), { bytes, mediaType }, signal);
  return descriptor;
}

async function sendBlobs(pushing: Push, ready: PushableImage): Promise<void> {
  await sendLayers(pushing, ready);
  await uploadBlob(pushing.target, {
    descriptor: ready.document.config,
    open: (offset) => pushing.context.content.read(ready.image.id, offset),
    mountFrom: undefined,
    signal: pushing.signal,
  });
}

/** Highest first, as Docker lists them; the first failure ends the others. */
async function sendLayers(pushing: Push, { image, document }: PushableImage): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([pushing.signal, failed.signal]);
  const layers = document.layers
    .map((descriptor, height) => ({ descriptor, id: shortId(image.config.diffIds[height] ?? '') }))
    .reverse()
    // The same layer twice in one image is one blob.
    .filter(({ id }, at, all) => all.findIndex((other) => other.id === id) === at);
  for (const { id } of layers) pushing.progress.layer(id, 'Preparing');
  const sent = layers.map(async ({ descriptor, id }) => {
    try {
      if (pushing.slots.full) pushing.progress.layer(id, 'Waiting');
      await pushing.slots.run(() => sendLayer({ ...pushing, signal }, descriptor, id), signal);
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  });
  await Promise.allSettled(sent);
  await Promise.all(sent).catch((error: unknown) => {
    throw failed.signal.aborted ? failed.signal.reason : error;
  });
}

async function sendLayer(pushing: Push, descriptor: Descriptor, id: string): Promise<void> {
  const { context, reference, target, progress, signal } = pushing;
  // It may not be passed on; whoever pulls the image finds it where the manifest says.
  if (descriptor.urls !== undefined) return progress.layer(id, 'Skipped foreign layer');
  const { digest, size: total } = descriptor;
  const prefix = `${reference.domain}/`;
  const source = context.catalog
    .repositoriesWith(digest)
    .find((each) => each.startsWith(prefix) && each !== repositoryOf(reference));
  const uploaded = await uploadBlob(target, {
    descriptor,
    open: (offsetBytes) =>
      countedBytes(context.content.read(digest, offsetBytes), (count) =>
        progress.count(id, 'Pushing', { current: offsetBytes + count, total }),
      ),
    mountFrom: source?.slice(prefix.length),
    onRetry: (inMs) => progress.layer(id, `Retrying in ${Math.ceil(inMs / 1000)} seconds`),
    signal,
  });
  progress.layer(id, outcome(uploaded, reference));
}

function outcome(uploaded: Uploaded, { domain }: Reference): string {
  switch (uploaded.how) {
    case 'present':
      return 'Layer already exists';
    case 'mounted':
      return `Mounted from ${familiarRepository({ domain, path: uploaded.from })}`;
    case 'uploaded':
      return 'Pushed';
  }
}

function tagOf(reference: Reference): string {
  return reference.tag ?? 'latest';
}

function tellEnd({ reference, progress }: Push, { digest, size }: Descriptor): void {
  const tag = tagOf(reference);
  progress.line({ status: `${tag}: digest: ${digest} size: ${size}` });
  progress.line({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } });
}

/** Of a refusal Docker shows the reason alone, without what was asked for. */
function wordedError(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof ApiError || !(error instanceof RegistryError)) return error;
  const inner = error.cause instanceof RegistryError ? error.cause : error;
  return systemError(inner.message, error);
}
