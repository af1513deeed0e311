/**
 * The image service: what the API, containers and recovery may ask of it.
 *
 *     pull/load/import ─► layer-source ─► content + storage driver ─► keeper ─► SQLite, index.json
 *     list/inspect/… ───► catalog (reads)        tag/remove/prune ──► keeper
 *
 * Invariants: rows refer only to what is durably on disk; every change of the tables goes through
 * `keeper`; nothing that a row, a container or a hold refers to is ever removed.
 */
import type { AuthConfig, AuthResponse } from '../../api-spec/index.js';
import { idOfName, imagesBelow, layersSizeBytes } from './ancestry.js';
import { openCatalog, type ImageRecord } from './catalog.js';
import { commitImage, type CommitImage } from './commit.js';
import { applyChanges } from './config-changes.js';
import { checkImages, type Damage, type FsckOptions } from './fsck.js';
import { importImage, type ImportRequest } from './import.js';
import { buildImages, type BuildImages } from './builds.js';
import { createKeeper, type Things } from './keeper.js';
import { createLayerSource, type LayerBounds } from './layer-source.js';
import { distinctKeys } from './layer-keys.js';
import { listImages, type ListRequest } from './list.js';
import { loadImages, type LoadRequest } from './load.js';
import { bestForPlatform, findForPlatform, manifestsOf } from './indexes.js';
import type { ImageContext } from './needs.js';
import { pull, type PullContext, type PullRequest } from './pull.js';
import { inspectDistribution } from './distribution.js';
import { push, type PushRequest } from './push.js';
import { pruneImages } from './prune.js';
import { removeImage, removePlatforms } from './remove.js';
import { saveImages } from './save.js';
import { searchImages, type ImageSearchRequest } from './search.js';
import { imageHistory, inspectImage, tagNames } from './show.js';
import { tagImage, targetReference } from './tag.js';
import type { Filters } from './filters.js';
import type { Readable } from 'node:stream';
import type {
  ContainerConfig,
  DistributionInspect,
  ImageDeleteResponseItem,
  ImageHistoryResponseItem,
  ImageInspect,
  ImagePruneResponse,
  ImageSearchResponseItem,
  ImageSummary,
} from '../../api-spec/index.js';
import type { ContainerImage } from '../containers/needs.js';

export type { Damage } from './fsck.js';
export { imageIndexTables, imageParentColumn, imageTables } from './tables.js';
export type { ImageContext, ImageEvents, ImageUsers, UnpackLayer } from './needs.js';

/** What the service is built from. */
export interface ImagesOptions extends Omit<ImageContext, 'nowMs'> {
  readonly nowMs?: () => number;
  /** Layers fetched at once, over all pulls; 3 as Docker's. */
  readonly maxConcurrentDownloads?: number;
  /** How often in a row a layer is tried in vain; 5 as Docker's. */
  readonly maxDownloadAttempts?: number;
}

/** See each verb's own module for its errors. */
export interface Images {
  pull(request: PullRequest): Promise<void>;
  push(request: PushRequest): Promise<void>;
  search(request: ImageSearchRequest): Promise<readonly ImageSearchResponseItem[]>;
  distribution(name: string, auth: AuthConfig): Promise<DistributionInspect>;
  load(request: LoadRequest): Promise<void>;
  import(request: ImportRequest): Promise<void>;
  commit(request: CommitImage): Promise<{ readonly id: string; readonly name: string }>;
  /** Refuses a name that no image can have; `ApiError` 400. */
  checkTarget(repo: string, tag: string): void;
  /** A config with Dockerfile instructions carried out; `ApiError` 400 for what is none. */
  changed(
    config: Partial<ContainerConfig>,
    changes: readonly string[],
  ): Partial<ContainerConfig>;
  save(
    names: readonly string[],
    options: { readonly platforms?: readonly string[]; readonly signal: AbortSignal },
  ): Promise<Readable>;
  list(request: ListRequest): Promise<readonly ImageSummary[]>;
  /** `platform` is an OCI one as JSON; see `indexes.ts`. */
  inspect(
    name: string,
    options?: { readonly platform?: string; readonly manifests?: boolean },
  ): Promise<ImageInspect>;
  history(
    name: string,
    options?: { readonly platform?: string },
  ): Promise<readonly ImageHistoryResponseItem[]>;
  tag(name: string, target: { readonly repo: string; readonly tag: string }): Promise<void>;
  remove(
    name: string,
    options: {
      readonly force: boolean;
      readonly noprune: boolean;
      /** OCI platforms as JSON: only these go. */
      readonly platforms?: readonly string[];
    },
  ): Promise<readonly ImageDeleteResponseItem[]>;
  prune(filters: Filters): Promise<ImagePruneResponse>;
  /** `POST /auth`. */
  auth(auth: AuthConfig, signal: AbortSignal): Promise<AuthResponse>;

  /** By name, digest or id prefix; `ApiError` 404 `No such image: x:latest`. */
  resolve(name: string, platform?: string): ContainerImage;
  /** Undefined when the image was removed by force. */
  byId(id: string): ContainerImage | undefined;
  tagsOf(id: string): readonly string[];
  /** The id that `name` means now; undefined when it means none. */
  idOf(name: string): string | undefined;
  /** Ids of the image that `name` means, and of all whose layers begin with its own. */
  below(name: string): ReadonlySet<string>;
  /** Of all its layers, unpacked; 0 for an image that is gone. */
  sizeBytes(id: string): number;
  /** Of all unpacked layers, each counted once. */
  layersSizeBytes(): number;

  /** What builds ask of images. */
  readonly forBuilds: BuildImages;
  /** Whether an image stands on a layer. */
  isLayerUsed(key: string): boolean;
  /** Removes what of these nothing uses any more. */
  collect(things: Things): Promise<void>;
  /** How many images there are: for `info`. */
  count(): number;
  /** Storage keys of all layers: for the driver's `reconcile`, after `recover`. */
  layerKeys(): ReadonlySet<string>;
  /** What of it all is damaged on disk; see `fsck.ts`. */
  check(options: FsckOptions): Promise<readonly Damage[]>;
  /** After a start, before anything else: removes what a crash left; says what it removed. */
  recover(): Promise<readonly string[]>;
  /** A container is gone: removes layers that only it stood on. */
  releaseLayers(keys: readonly string[]): Promise<void>;
}

function layerBounds(options: ImagesOptions): LayerBounds {
  const { maxConcurrentDownloads: downloads = 3, maxDownloadAttempts: attempts = 5 } = options;
  return { downloads, attempts };
}

/** Builds the service; call `recover` before the first request. */
export function createImages(options: ImagesOptions): Images {
  const catalog = openCatalog(options.store);
  const base: ImageContext = { ...options, nowMs: options.nowMs ?? Date.now };
  const keeper = createKeeper(base, catalog);
  const layerSource = createLayerSource(base, layerBounds(options));
  const context = { ...base, catalog, keeper, layerSource };

  const forContainer = ({ id, config }: ImageRecord): ContainerImage => ({
    id,
    config: config.config,
    layers: distinctKeys(catalog.layerKeys(id)),
    os: config.os,
    architecture: config.architecture,
    ...(config.variant === undefined ? {} : { variant: config.variant }),
  });

  return {
    pull: (request) => pull(context, request),
    push: (request) => push(context, request),
    search: (request) => searchImages(context.registry, request),
    distribution: (name, auth) => inspectDistribution(context.registry, name, auth),
    load: (request) => loadImages(context, request),
    import: (request) => importImage(context, request),
    commit: (request) => commitImage(context, request),
    checkTarget: (repo, tag) => void targetReference(repo, tag),
    changed: (config, lines) => applyChanges(config, lines, context.healthOf),
    save: (names, options) => saveImages(context, names, options),
    ...viewsOf(context),
    tag: (name, target) => tagImage({ catalog, keeper, nowMs: context.nowMs() }, name, target),
    remove: (name, { force, noprune, platforms = [] }) =>
      platforms.length === 0
        ? removeImage(context, name, { force, noprune })
        : removePlatforms(context, name, { force, platforms }),
    prune: (filters) => pruneImages(context, filters),
    auth: (auth, signal) => context.registry.logIn(auth, signal),
    resolve: (name, platform) => forContainer(bestForPlatform(catalog, name, platform ?? '')),
    byId: (id) => {
      const image = catalog.image(id);
      return image === undefined ? undefined : forContainer(image);
    },
    tagsOf: (id) => tagNames(catalog, id),
    idOf: (name) => idOfName(catalog, name),
    below: (name) => imagesBelow(catalog, name),
    sizeBytes: (id) => catalog.image(id)?.sizeBytes ?? 0,
    layersSizeBytes: () => layersSizeBytes(catalog),
    forBuilds: buildImages(context),
    isLayerUsed: (key) => catalog.isLayerUsed(key),
    collect: async (things) => {
      await keeper.collect(things);
    },
    count: () => catalog.imageCount(),
    layerKeys: () => catalog.allLayers(),
    check: (options) => checkImages(context, options),
    recover: () => keeper.recover(),
    releaseLayers: async (layers) => {
      await keeper.collect({ layers, blobs: [] });
    },
  };
}

/** What only reads. */
function viewsOf(context: PullContext): Pick<Images, 'history' | 'inspect' | 'list'> {
  const { catalog } = context;
  const manifests = async (imageId: string) => {
    const image = catalog.image(imageId);
    if (image === undefined) return {};
    const users = (id: string) => context.users.usersOf(id).map((user) => user.id);
    return { Manifests: await manifestsOf(context, image, users) };
  };
  return {
    list: async (request) => {
      const rows = listImages(catalog, request, context.nowMs());
      if (request.manifests !== true) return rows;
      return Promise.all(rows.map(async (row) => ({ ...row, ...(await manifests(row.Id)) })));
    },
    inspect: async (name, { platform = '', manifests: isWhole = false } = {}) => {
      const { image } = findForPlatform(catalog, name, platform);
      const shown = inspectImage(context, catalog, image);
      return isWhole ? { ...shown, ...(await manifests(image.id)) } : shown;
    },
    history: async (name, { platform = '' } = {}) =>
      imageHistory(context, catalog, findForPlatform(catalog, name, platform).image),
  };
}
