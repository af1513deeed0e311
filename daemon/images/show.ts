/** Images as the API shows them: inspect, history, rows of a list. Pure but for the reads. */
import type { ImageHistoryResponseItem, ImageInspect, ImageSummary } from '../../api-spec/index.js';
import type { Catalog, ImageRecord } from './catalog.js';
import { layerKeys } from './layer-keys.js';
import type { ImageContext } from './needs.js';
import { familiarName, parseReference, type Reference } from './reference.js';

/** Go's zero time: what Docker shows when it does not know. */
export const zeroTime = '0001-01-01T00:00:00Z';
const zeroTimeSeconds = -62135596800;

/** Tags as users write them, sorted. */
export function tagNames(catalog: Catalog, imageId: string): readonly string[] {
  return catalog.tags(imageId).map(({ reference }) => familiarName(parseReference(reference)));
}

/** `busybox@sha256:…`, sorted. */
export function digestNames(catalog: Catalog, imageId: string): readonly string[] {
  return catalog.digests(imageId).map((row) => familiarName(digestReference(row)));
}

/** A row of the digests as a reference. */
export function digestReference(row: {
  readonly repository: string;
  readonly digest: string;
}): Reference {
  return parseReference(`${row.repository}@${row.digest}`);
}

/** Seconds since the epoch, as far as the image says. */
export function createdSeconds(created: string | undefined): number {
  const ms = Date.parse(created ?? '');
  return Number.isNaN(ms) ? zeroTimeSeconds : Math.floor(ms / 1000);
}

/** Every field that Docker's inspect has, in its order. */
const emptyConfig = {
  Hostname: '',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: null,
  Image: '',
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
} as const;

/** `GET /images/{name}/json`. */
export function inspectImage(
  context: ImageContext,
  catalog: Catalog,
  image: ImageRecord,
): ImageInspect {
  const { config } = image;
  return {
    Id: image.id,
    RepoTags: tagNames(catalog, image.id),
    RepoDigests: digestNames(catalog, image.id),
    Parent: image.parentId ?? '',
    Comment: config.comment ?? config.history.at(-1)?.comment ?? '',
    Created: config.created ?? zeroTime,
    DockerVersion: config.docker_version ?? '',
    Author: config.author ?? '',
    Config: { ...emptyConfig, ...config.config },
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    Size: image.sizeBytes,
    VirtualSize: image.sizeBytes,
    GraphDriver: { Name: context.driver.name, Data: null },
    RootFS: { Type: 'layers', Layers: config.diffIds },
    Metadata: {
      LastTagTime:
        image.lastTaggedAtMs === undefined
          ? zeroTime
          : new Date(image.lastTaggedAtMs).toISOString(),
    },
  };
}

/** `GET /images/{name}/history`, newest first. */
export function imageHistory(
  context: ImageContext,
  catalog: Catalog,
  image: ImageRecord,
): readonly ImageHistoryResponseItem[] {
  const keys = layerKeys(image.config.diffIds, context.driver.layerIdentity);
  let height = 0;
  const rows = image.config.history.map((entry) => {
    const key = entry.empty_layer === true ? undefined : keys[height++]?.key;
    return {
      Id: '<missing>',
      Created: createdSeconds(entry.created),
      CreatedBy: entry.created_by ?? '',
      Tags: null,
      Size: key === undefined ? 0 : (catalog.layer(key)?.sizeBytes ?? 0),
      Comment: entry.comment ?? '',
    };
  });
  const ends = endsOf(catalog, image);
  return rows.map((row, at) => ({ ...row, ...ends.get(at + 1) })).reverse();
}

/** The image and its parents, by how many entries their histories have. */
function endsOf(
  catalog: Catalog,
  image: ImageRecord,
): ReadonlyMap<number, Pick<ImageHistoryResponseItem, 'Id' | 'Tags'>> {
  const ends = new Map<number, Pick<ImageHistoryResponseItem, 'Id' | 'Tags'>>();
  let one: ImageRecord | undefined = image;
  while (one !== undefined) {
    const names = tagNames(catalog, one.id);
    ends.set(one.config.history.length, { Id: one.id, Tags: names.length === 0 ? null : names });
    one = one.parentId === undefined ? undefined : catalog.image(one.parentId);
  }
  return ends;
}

/** One row of `GET /images/json`; names may be fewer than the image has. */
export function imageSummary(
  image: ImageRecord,
  shown: {
    readonly tags: readonly string[];
    readonly digests: readonly string[];
    readonly sharedSize: number;
  },
): ImageSummary {
  return {
    Id: image.id,
    ParentId: image.parentId ?? '',
    RepoTags: shown.tags,
    RepoDigests: shown.digests,
    Created: createdSeconds(image.config.created),
    Size: image.sizeBytes,
    SharedSize: shown.sharedSize,
    VirtualSize: image.sizeBytes,
    Labels: image.config.config.Labels ?? null,
    Containers: -1,
  };
}
