/** `docker commit`'s other half: a container's changes and its config become an image. */
import type { ContainerConfig } from '../../api-spec/index.js';
import { notFound } from '../../api-spec/errors.js';
import { digestOf, type Descriptor } from '../content/index.js';
import { mediaTypes } from '../registry/index.js';
import { changes as change, type ImageRecord } from './catalog.js';
import type { HistoryEntry } from './image-config.js';
import type { Hold } from './keeper.js';
import { layerFailure } from './layer-failure.js';
import { layerKeys } from './layer-keys.js';
import { registerLocalImage } from './local-image.js';
import type { PullContext } from './pull.js';
import { familiarName, fullName } from './reference.js';
import { layerBlobsOf } from './stored-manifest.js';
import { targetReference } from './tag.js';

/** What becomes an image. */
export interface CommitImage {
  readonly containerId: string;
  /** The image that the container was made from. */
  readonly parentId: string;
  /** Storage keys that the container stands on. */
  readonly layers: readonly string[];
  /** As in `StorageDriver.diff`. */
  readonly ours: readonly string[];
  readonly config: Partial<ContainerConfig>;
  readonly containerConfig: ContainerConfig;
  /** Both empty for an image without a name. */
  readonly repo: string;
  readonly tag: string;
  readonly comment: string;
  readonly author: string;
  readonly signal?: AbortSignal;
}

/** The image's id, and the name that it got: empty for none. Durable when it returns. */
export async function commitImage(
  context: PullContext,
  request: CommitImage,
): Promise<{ readonly id: string; readonly name: string }> {
  const { catalog, keeper } = context;
  const reference = targetReference(request.repo, request.tag);
  const parent = catalog.image(request.parentId);
  if (parent === undefined) throw notFound(`No such image: ${request.parentId}`);
  const hold = await keeper.hold({
    layers: catalog.layerKeys(parent.id),
    blobs: catalog.blobs(parent.id),
  });
  try {
    const layer = await writeLayer(context, request, { parent, hold });
    const configText = configOf(context, request, parent, layer?.digest);
    const id = digestOf(configText);
    await hold.add({ layers: [], blobs: [id] });
    const layers = await layersOf(context, parent);
    const name = reference === undefined ? '' : familiarName(reference);
    const attributes = { ...request.config.Labels, name };
    await registerLocalImage(context, {
      id,
      configText,
      layers: layer === undefined ? layers : [...layers, layer],
      parentId: parent.id,
      statements:
        reference === undefined
          ? []
          : [change.setTag(fullName(reference), id), change.touchTagTime(id, context.nowMs())],
      events: reference === undefined ? [] : [{ action: 'tag', id, attributes }],
      signal: request.signal ?? new AbortController().signal,
    });
    return { id, name };
  } finally {
    await hold.release({ keepPartials: false });
  }
}

/** The changes as a blob; undefined where there are none. */
async function writeLayer(
  context: PullContext,
  { containerId, layers, ours, signal }: CommitImage,
  { parent, hold }: { readonly parent: ImageRecord; readonly hold: Hold },
): Promise<Descriptor | undefined> {
  const draft = await context.content.draft();
  try {
    const options = signal === undefined ? { ours } : { ours, signal };
    const written = await context.driver.diff(containerId, layers, draft.fd, options);
    if (written.entries === 0) {
      await draft.abort();
      return undefined;
    }
    const diffIds = [...parent.config.diffIds, written.diffId];
    const keys = layerKeys(diffIds, context.driver.layerIdentity).slice(-1);
    await hold.add({ layers: keys.map(({ key }) => key), blobs: [written.diffId] });
    await draft.commit(written.diffId);
    return { mediaType: mediaTypes.ociLayer, digest: written.diffId, size: written.tarBytes };
  } catch (error) {
    await draft.abort();
    throw layerFailure(error, 'of the commit', signal ?? new AbortController().signal);
  }
}

function configOf(
  context: PullContext,
  request: CommitImage,
  { config: parent }: ImageRecord,
  diffId: string | undefined,
): string {
  const { author, comment, config, containerConfig } = request;
  const created = new Date(context.nowMs()).toISOString();
  const said = { ...(author === '' ? {} : { author }), ...(comment === '' ? {} : { comment }) };
  const entry: HistoryEntry = {
    created,
    created_by: (containerConfig.Cmd ?? []).join(' '),
    ...said,
    ...(diffId === undefined ? { empty_layer: true } : {}),
  };
  return JSON.stringify({
    architecture: parent.architecture,
    ...(parent.variant === undefined ? {} : { variant: parent.variant }),
    os: parent.os,
    ...said,
    config,
    container: request.containerId,
    container_config: containerConfig,
    created,
    docker_version: context.version,
    history: [...parent.history, entry],
    rootfs: {
      type: 'layers',
      diff_ids: diffId === undefined ? parent.diffIds : [...parent.diffIds, diffId],
    },
  });
}

/** The parent's blobs, under the names that an OCI manifest uses. */
async function layersOf(
  { content }: PullContext,
  { manifest }: ImageRecord,
): Promise<readonly Descriptor[]> {
  const layers = await layerBlobsOf(content, manifest);
  return layers.map((layer) => ({ ...layer, mediaType: ociType(layer.mediaType) }));
}

function ociType(mediaType: string): string {
  if (!mediaType.startsWith('application/vnd.docker.')) return mediaType;
  return mediaType.endsWith('gzip') ? `${mediaTypes.ociLayer}+gzip` : mediaTypes.ociLayer;
}
