import type { Readable } from 'node:stream';
import type { LowerParts, OverlayParts } from '../native/overlay.js';
import type { Change, WrittenLayer } from '../native/unpack/index.js';

export type { Change, WrittenLayer } from '../native/unpack/index.js';

/**
 * The one interface of a storage driver: it keeps unpacked layers, and a writable layer per
 * container on top of a chain of them. It never decides what an image is, and never mounts in the
 * host's view: `mount` returns a recipe that the shim carries out in a mount namespace of its own.
 *
 * Every method is idempotent where it removes, and whole or absent where it makes: after a crash at
 * any point `reconcile` leaves only what was committed.
 */
export interface StorageDriver {
  /** As in `--storage-driver` and `info`: `overlay`, `vfs`. */
  readonly name: string;
  /**
   * Whether an unpacked layer is the same whatever lies beneath it (overlay) or not (vfs, btrfs).
   */
  readonly layerIdentity: 'diffID' | 'chainID';

  /** Rows of `DriverStatus` in `info`. */
  status(): readonly (readonly [string, string])[];

  /** Opens a private folder that the unpacker fills; nothing is visible until `commit`. */
  stageLayer(layer: LayerKey): Promise<LayerStage>;
  hasLayer(key: string): Promise<boolean>;
  /** Idempotent. The caller knows that nothing refers to it. */
  removeLayer(key: string): Promise<void>;
  /**
   * The folders that `layers` (keys, lowest first) are stacked from, topmost first, with whiteouts
   * as overlayfs has them: for those who read an image without a mount.
   */
  layerFolders(layers: readonly string[]): readonly string[];
  /** Bytes and inodes on disk of one layer by itself. */
  layerUsage(key: string): Promise<Usage>;

  /** Makes the writable layer of a container; `layers` are keys, lowest first. */
  createContainer(id: string, layers: readonly string[]): Promise<void>;
  /** What the shim has to do to have the root filesystem of `id`; `layers` as at create. */
  mount(id: string, layers: readonly string[], options: MountOptions): Promise<MountRecipe>;
  /** The same of layers alone, which nobody can write to. */
  mountLayers(layers: readonly string[]): LayersRecipe;
  /** Idempotent; returns once the name is free, bulk deletion may go on in the background. */
  removeContainer(id: string): Promise<void>;
  /** Bytes and inodes of the writable layer. */
  containerUsage(id: string): Promise<Usage>;

  /**
   * Writes what `id` changed over `layers` (as at create) to an open file: one layer by the OCI's
   * rules, a plain tar, whose diffID comes back. The same changes give the same bytes. Nothing is
   * mounted, and the container may run: freeze it first for a state that it was in.
   */
  diff(
    id: string,
    layers: readonly string[],
    outputFd: number,
    options: DiffOptions,
  ): Promise<WrittenLayer>;
  /**
   * As `diff`, of a container that has ended for good: what was written is moved into a stage, as
   * the layer would be unpacked. Absent where a driver has no way to.
   */
  readonly take?: (
    id: string,
    layers: readonly string[],
    outputFd: number,
    options: DiffOptions,
  ) => Promise<TakenLayer>;
  /** The same as a list, in the order of paths; folders above a change are told as modified. */
  changes(id: string, layers: readonly string[], options: DiffOptions): Promise<readonly Change[]>;
  /** All that `id` sees of its own, without mounts, as a tar; see `exportTree` for its end. */
  export(id: string, layers: readonly string[], signal?: AbortSignal): Promise<Readable>;

  /**
   * After a start of the daemon: removes stages and containers that are not among `known`,
   * and says what it removed.
   */
  reconcile(known: {
    readonly layers: ReadonlySet<string>;
    readonly containers: ReadonlySet<string>;
  }): Promise<readonly string[]>;

  /** Waits for background deletion; nothing is used after it. */
  close(): Promise<void>;
}

/** Names a layer: its own content and what it lies on. Keys are `sha256:…` digests. */
export interface LayerKey {
  /** diffID or chainID, as `layerIdentity` says. */
  readonly key: string;
  /** Keys of the layers beneath, lowest first. */
  readonly parents: readonly string[];
}

/** A layer while it is unpacked. Exactly one of `commit` and `abort` ends it. */
export interface LayerStage {
  /** Folder on the host to unpack into (mode 0700 parents; not a mount). */
  readonly path: string;
  /**
   * How a `.wh.` entry of the tar is to be laid down: as an overlay whiteout (char 0:0, opaque
   * xattr), or carried out as a removal because `path` already holds the layers beneath.
   */
  readonly whiteouts: 'overlay' | 'apply';
  /** Whether the layer that is kept under its key holds the same files: to find damage. */
  isAsKept(signal?: AbortSignal): Promise<boolean>;
  /** Makes everything durable and then visible under its key; a layer already there wins. */
  commit(): Promise<void>;
  /**
   * Makes it visible without making it durable; the folder that has to be synced, its name with it,
   * before anything that lasts refers to the layer.
   */
  show(): Promise<string>;
  /** Removes all of it; idempotent. */
  abort(): Promise<void>;
}

/** What a container changed, as a layer. */
export interface TakenLayer {
  readonly written: WrittenLayer;
  /** Its folder, to be committed under the key that the diffID makes; or to be aborted. */
  readonly stage: (key: string) => LayerStage;
}

/** How differences are looked for. */
export interface DiffOptions {
  /** Paths without leading slash that the engine makes everywhere: no changes while empty. */
  readonly ours: readonly string[];
  readonly signal?: AbortSignal;
}

/** What something takes of the disk. */
export interface Usage {
  readonly sizeBytes: number;
  readonly inodes: number;
}

/** How a container wants its root. */
export interface MountOptions {
  /** The whole root read-only for the container. */
  readonly readonly: boolean;
  /** The container goes with its exit: nothing in it needs to survive a power cut. */
  readonly volatile: boolean;
}

/** Layers as overlayfs stacks them, to be looked at only. Paths are on the host, absolute. */
export interface LayerStack extends LowerParts {
  readonly kind: 'overlay';
  /** Topmost first, as overlayfs wants them; two at least where nothing is written. */
  readonly lowerdirs: readonly string[];
}

/** The same with a folder that takes what is written. */
export interface WritableStack extends LayerStack, OverlayParts {}

/** A folder that holds everything. */
export interface WholeFolder {
  readonly kind: 'bind';
  readonly source: string;
}

/** What the shim mounts where an image is to be seen. */
export type LayersRecipe = LayerStack | WholeFolder;

/** What the shim mounts at `<bundle>/rootfs`. */
export type MountRecipe = WritableStack | WholeFolder;
