/** What the prune verbs did; sizes in bytes. */
import { Type } from 'typebox';
import { ImageDeleteResponseItem } from './image.js';
import { list, nullable, text, whole, type Shape } from './shape.js';

/** Answer to ContainerPrune. */
export const ContainerPruneResponse = Type.Object({
  ContainersDeleted: nullable(list(text)),
  SpaceReclaimed: whole,
});
/** Answer to ContainerPrune. */
export type ContainerPruneResponse = Shape<typeof ContainerPruneResponse>;

/** Answer to ImagePrune. */
export const ImagePruneResponse = Type.Object({
  ImagesDeleted: nullable(list(ImageDeleteResponseItem)),
  SpaceReclaimed: whole,
});
/** Answer to ImagePrune. */
export type ImagePruneResponse = Shape<typeof ImagePruneResponse>;

/** Answer to VolumePrune. */
export const VolumePruneResponse = Type.Object({
  VolumesDeleted: nullable(list(text)),
  SpaceReclaimed: whole,
});
/** Answer to VolumePrune. */
export type VolumePruneResponse = Shape<typeof VolumePruneResponse>;

/** Answer to NetworkPrune. */
export const NetworkPruneResponse = Type.Object({ NetworksDeleted: nullable(list(text)) });
/** Answer to NetworkPrune. */
export type NetworkPruneResponse = Shape<typeof NetworkPruneResponse>;

/** Answer to BuildPrune. */
export const BuildPruneResponse = Type.Object({
  CachesDeleted: nullable(list(text)),
  SpaceReclaimed: whole,
});
/** Answer to BuildPrune. */
export type BuildPruneResponse = Shape<typeof BuildPruneResponse>;
