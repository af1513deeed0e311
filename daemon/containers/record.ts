import type {
  ContainerConfig,
  EndpointSettings,
  HostConfig,
  MountPoint,
} from '../../api-spec/index.js';
import type { ContainerState } from './state.js';

/** What is kept of a container, in SQLite and in memory: the whole of it, without live objects. */
export interface ContainerRecord {
  /** 64 hex. */
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  readonly createdAtMs: number;
  /** Config digest of the image, `sha256:…`. */
  readonly imageId: string;
  /** The image as the user named it: shown as `Config.Image`. */
  readonly imageName: string;
  /** Storage keys of its image's layers, lowest first. */
  readonly layers: readonly string[];
  /** Merged with the image's own config. */
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** Which program runs: entrypoint and command, resolved. */
  readonly path: string;
  readonly args: readonly string[];
  readonly storageDriver: string;
  readonly mounts: readonly MountPoint[];
  /** Images that are mounted, by destination; absent for none. */
  readonly imageMounts?: Readonly<Record<string, MountedImage>>;
  /** What of a volume or image is mounted, by destination, where it is not all; absent for none. */
  readonly subpaths?: Readonly<Record<string, string>>;
  /** What the user asked of each network, by its name; filled with what was given while it runs. */
  readonly endpoints: Readonly<Record<string, EndpointSettings>>;
  readonly restartCount: number;
  /** Set by stop and kill, cleared by start: restart policies leave it alone. */
  readonly stoppedByUser: boolean;
  /** Made by a build for itself: gone with it, and never taken up again by a later daemon. */
  readonly ephemeral?: boolean;
  readonly state: ContainerState;
}

/** An image that a container has mounted, kept as it was when the container was made. */
export interface MountedImage {
  readonly id: string;
  /** Storage keys, lowest first. */
  readonly layers: readonly string[];
}

/** The images that a container needs: its own, and those that it has mounted. */
export function imagesOf({ imageId, imageMounts = {} }: ContainerRecord): readonly string[] {
  return [imageId, ...Object.values(imageMounts).map(({ id }) => id)];
}

/** Storage keys of all their layers. */
export function layersOf({ layers, imageMounts = {} }: ContainerRecord): readonly string[] {
  return [...layers, ...Object.values(imageMounts).flatMap((image) => image.layers)];
}
