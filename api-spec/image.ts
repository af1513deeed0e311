/** Images: shown, listed, removed. */
import { Type } from 'typebox';
import { ContainerConfig } from './container-config.js';
import { list, map, nullable, optional, shown, text, whole, type Shape } from './shape.js';

/** A platform, in OCI's words. */
export const OCIPlatform = Type.Object({
  architecture: text,
  os: text,
  'os.version': optional(text),
  'os.features': optional(list(text)),
  variant: optional(text),
});
/** A platform, in OCI's words. */
export type OCIPlatform = Shape<typeof OCIPlatform>;

/** Content by its digest, in OCI's words. */
export const OCIDescriptor = Type.Object({
  mediaType: text,
  digest: text,
  size: whole,
  urls: optional(list(text)),
  annotations: optional(map(text)),
  data: optional(text),
  platform: optional(OCIPlatform),
  artifactType: optional(text),
});
/** Content by its digest, in OCI's words. */
export type OCIDescriptor = Shape<typeof OCIDescriptor>;

/** One entry of an image's index: what it is, and how much of it is here; sizes in bytes. */
export const ImageManifestSummary = Type.Object({
  ID: text,
  Descriptor: OCIDescriptor,
  Available: Type.Boolean(),
  Size: Type.Object({ Total: whole, Content: whole }),
  Kind: Type.Union([
    Type.Literal('image'),
    Type.Literal('attestation'),
    Type.Literal('unknown'),
  ]),
  ImageData: optional(
    Type.Object({
      Platform: OCIPlatform,
      Containers: list(text),
      Size: Type.Object({ Unpacked: whole }),
    }),
  ),
});
/** One entry of an image's index: what it is, and how much of it is here; sizes in bytes. */
export type ImageManifestSummary = Shape<typeof ImageManifestSummary>;

/** What the storage driver tells of a layer chain. */
export const DriverData = Type.Object({ Name: text, Data: nullable(map(text)) });
/** What the storage driver tells of a layer chain. */
export type DriverData = Shape<typeof DriverData>;

/** Answer to ImageInspect; `Created` in RFC 3339, `RepoTags` and `RepoDigests` never null. */
export const ImageInspect = Type.Object({
  Id: text,
  Descriptor: optional(OCIDescriptor),
  RepoTags: list(text),
  RepoDigests: list(text),
  Parent: text,
  Comment: text,
  Created: optional(text),
  DockerVersion: text,
  Author: text,
  Config: nullable(shown<ContainerConfig>(ContainerConfig)),
  Architecture: text,
  Variant: optional(text),
  Os: text,
  OsVersion: optional(text),
  Size: whole,
  VirtualSize: optional(whole),
  GraphDriver: DriverData,
  RootFS: Type.Object({ Type: text, Layers: optional(list(text)) }),
  Metadata: Type.Object({ LastTagTime: text }),
  Manifests: optional(list(ImageManifestSummary)),
});
/** Answer to ImageInspect; `Created` in RFC 3339, `RepoTags` and `RepoDigests` never null. */
export type ImageInspect = Shape<typeof ImageInspect>;

/** One row of ImageList; `Created` in seconds since the epoch, -1 for what was not counted. */
export const ImageSummary = Type.Object({
  Id: text,
  ParentId: text,
  RepoTags: list(text),
  RepoDigests: list(text),
  Created: whole,
  Size: whole,
  SharedSize: whole,
  VirtualSize: optional(whole),
  Labels: nullable(map(text)),
  Containers: whole,
  Descriptor: optional(OCIDescriptor),
  Manifests: optional(list(ImageManifestSummary)),
});
/** One row of ImageList; `Created` in seconds since the epoch, -1 for what was not counted. */
export type ImageSummary = Shape<typeof ImageSummary>;

/** One line of what ImageDelete did: exactly one of the two. */
export const ImageDeleteResponseItem = Type.Object({
  Untagged: optional(text),
  Deleted: optional(text),
});
/** One line of what ImageDelete did: exactly one of the two. */
export type ImageDeleteResponseItem = Shape<typeof ImageDeleteResponseItem>;

/** One step of an image's making, newest first; `Created` in seconds since the epoch. */
export const ImageHistoryResponseItem = Type.Object({
  Id: text,
  Created: whole,
  CreatedBy: text,
  Tags: nullable(list(text)),
  Size: whole,
  Comment: text,
});
/** One step of an image's making, newest first; `Created` in seconds since the epoch. */
export type ImageHistoryResponseItem = Shape<typeof ImageHistoryResponseItem>;

/** One hit of ImageSearch. */
export const ImageSearchResponseItem = Type.Object({
  description: text,
  is_official: Type.Boolean(),
  is_automated: Type.Boolean(),
  name: text,
  star_count: whole,
});
/** One hit of ImageSearch. */
export type ImageSearchResponseItem = Shape<typeof ImageSearchResponseItem>;

/** Answer to DistributionInspect. */
export const DistributionInspect = Type.Object({
  Descriptor: OCIDescriptor,
  Platforms: nullable(list(OCIPlatform)),
});
/** Answer to DistributionInspect. */
export type DistributionInspect = Shape<typeof DistributionInspect>;
