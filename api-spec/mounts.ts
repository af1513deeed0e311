/** Mounts as they are asked for, and as they are shown. */
import { Type } from 'typebox';
import { flag, list, map, optional, text, whole, type Shape } from './shape.js';

/** What a bind mount may be told. */
export const BindOptions = Type.Object({
  Propagation: optional(text),
  NonRecursive: optional(flag),
  CreateMountpoint: optional(flag),
  ReadOnlyNonRecursive: optional(flag),
  ReadOnlyForceRecursive: optional(flag),
});
/** What a bind mount may be told. */
export type BindOptions = Shape<typeof BindOptions>;

/** A driver of volumes or logs with its options. */
export const DriverConfig = Type.Object({ Name: optional(text), Options: optional(map(text)) });
/** A driver of volumes or logs with its options. */
export type DriverConfig = Shape<typeof DriverConfig>;

/** What a volume mount may be told. */
export const VolumeOptions = Type.Object({
  NoCopy: optional(flag),
  Labels: optional(map(text)),
  DriverConfig: optional(DriverConfig),
  Subpath: optional(text),
});
/** What a volume mount may be told. */
export type VolumeOptions = Shape<typeof VolumeOptions>;

/** What an image mount may be told. */
export const ImageOptions = Type.Object({ Subpath: optional(text) });
/** What an image mount may be told. */
export type ImageOptions = Shape<typeof ImageOptions>;

/**
 * What a tmpfs may be told; `Options` are `[key]` or `[key, value]`, `Mode` is decimal on the
 * wire.
 */
export const TmpfsOptions = Type.Object({
  SizeBytes: optional(whole),
  Mode: optional(whole),
  Options: optional(list(list(text))),
});
/**
 * What a tmpfs may be told; `Options` are `[key]` or `[key, value]`, `Mode` is decimal on the
 * wire.
 */
export type TmpfsOptions = Shape<typeof TmpfsOptions>;

/**
 * One entry of `HostConfig.Mounts`. `Type` is checked by the volumes service, in Docker's words.
 */
export const Mount = Type.Object({
  Target: optional(text),
  Source: optional(text),
  Type: optional(text),
  ReadOnly: optional(flag),
  Consistency: optional(text),
  BindOptions: optional(BindOptions),
  VolumeOptions: optional(VolumeOptions),
  ImageOptions: optional(ImageOptions),
  TmpfsOptions: optional(TmpfsOptions),
});
/**
 * One entry of `HostConfig.Mounts`. `Type` is checked by the volumes service, in Docker's words.
 */
export type Mount = Shape<typeof Mount>;

/** One mount of a container as inspect and list show it. */
export const MountPoint = Type.Object({
  Type: text,
  Name: optional(text),
  Source: text,
  Destination: text,
  Driver: optional(text),
  Mode: text,
  RW: flag,
  Propagation: text,
});
/** One mount of a container as inspect and list show it. */
export type MountPoint = Shape<typeof MountPoint>;
