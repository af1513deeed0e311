/** What the image service needs of others, as it wants to see them; `compose.ts` joins them. */
import type { Readable } from 'node:stream';
import type { HealthConfig, JsonMessage } from '../../api-spec/index.js';
import type { StorageDriver } from '../../storage-drivers/driver.js';
import type { ContentStore } from '../content/index.js';
import type { Unsynced } from './unsynced.js';
import type { Registry } from '../registry/index.js';
import type { Statement, Store } from '../store/store.js';

/** Containers, as far as they keep images and layers from being removed. */
export interface ImageUsers {
  /** Containers made from an image, running or not. */
  usersOf(imageId: string): readonly { readonly id: string; readonly running: boolean }[];
  /** Storage keys of the layers of all containers: an image may be gone before its containers. */
  layersInUse(): ReadonlySet<string>;
  /** Those of `digests` that are wanted though no image has them. */
  blobsInUse(digests: readonly string[]): ReadonlySet<string>;
}

/** Events that belong to the transaction of the change that they tell of. */
export interface ImageEvents {
  stamp(event: {
    readonly type: 'image';
    readonly action: string;
    readonly id: string;
    readonly attributes: Readonly<Record<string, string>>;
  }): { readonly statements: readonly Statement[]; announce(): void };
}

/** Unpacks one layer in a process of its own; see `native/unpack`. */
export type UnpackLayer = (options: {
  readonly source: Readable | { readonly path: string };
  readonly target: string;
  readonly whiteouts: 'overlay' | 'apply';
  readonly signal?: AbortSignal;
}) => Promise<UnpackedLayer>;

/** What an unpacked layer turned out to be. */
export interface UnpackedLayer {
  readonly diffId: string;
  readonly sizeBytes: number;
  readonly impliedDirectories: readonly string[];
}

/** Takes one line of progress; lines are never lost but for those that only count on. */
export type ProgressSink = (message: JsonMessage) => Promise<void>;

/** Reads what follows `HEALTHCHECK` in a Dockerfile; `ApiError` 400 for what cannot be read. */
export type HealthOf = (text: string) => HealthConfig | undefined;

/** Everything that images work with. */
export interface ImageContext {
  readonly dataRoot: string;
  readonly store: Store;
  readonly content: ContentStore;
  readonly driver: StorageDriver;
  readonly registry: Registry;
  readonly unpack: UnpackLayer;
  readonly unsynced: Unsynced;
  readonly users: ImageUsers;
  readonly events: ImageEvents;
  readonly healthOf: HealthOf;
  readonly nowMs: () => number;
  /** Shown as `DockerVersion` of images made here. */
  readonly version: string;
}
