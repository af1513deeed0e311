/** What is kept of a container, in SQLite and in memory: the whole of it, without live objects. */
import type {
  ContainerConfig,
  EndpointSettings,
  HostConfig,
  MountPoint,
} from '../../api-spec/index.js';
import type { ContainerState } from './state.js';

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
  /** What the user asked of each network, by its name; filled with what was given while it runs. */
  readonly endpoints: Readonly<Record<string, EndpointSettings>>;
  readonly restartCount: number;
  /** Set by stop and kill, cleared by start: restart policies leave it alone. */
  readonly stoppedByUser: boolean;
  /** Made by a build for itself: gone with it, and never taken up again by a later daemon. */
  readonly ephemeral?: boolean;
  readonly state: ContainerState;
}
