/** Volumes. */
import { Type } from 'typebox';
import { list, map, nullable, optional, text, whole, type Shape } from './shape.js';

/** One volume; `CreatedAt` in RFC 3339. */
export const Volume = Type.Object({
  Name: text,
  Driver: text,
  Mountpoint: text,
  CreatedAt: optional(text),
  Status: optional(map(Type.Unknown())),
  Labels: nullable(map(text)),
  Scope: text,
  Options: nullable(map(text)),
  UsageData: optional(Type.Object({ Size: whole, RefCount: whole })),
});
/** One volume; `CreatedAt` in RFC 3339. */
export type Volume = Shape<typeof Volume>;

/** Body of VolumeCreate; without a name it gets one of 64 hex digits and counts as anonymous. */
export const VolumeCreateRequest = Type.Object({
  Name: optional(text),
  Driver: optional(text),
  DriverOpts: optional(map(text)),
  Labels: optional(map(text)),
  ClusterVolumeSpec: optional(Type.Object({})),
});
/** Body of VolumeCreate; without a name it gets one of 64 hex digits and counts as anonymous. */
export type VolumeCreateRequest = Shape<typeof VolumeCreateRequest>;

/** Answer to VolumeList. */
export const VolumeListResponse = Type.Object({
  Volumes: list(Volume),
  Warnings: nullable(list(text)),
});
/** Answer to VolumeList. */
export type VolumeListResponse = Shape<typeof VolumeListResponse>;
