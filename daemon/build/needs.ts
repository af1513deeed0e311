/** What builds need of the other services, as they want to see them; `compose.ts` joins them. */
import type { Readable } from 'node:stream';
import type { AuthConfig, ContainerConfig, HostConfig } from '../../api-spec/index.js';
import type { ContainerImage } from '../containers/needs.js';
import type { BuildImages } from '../images/builds.js';
import type { Store } from '../store/store.js';
import type { ResolveOwner } from './copy/owner.js';
import type { WriteLayer } from '../images/builds.js';

/** A container of one `RUN`. */
export interface RunContainer {
  readonly image: ContainerImage;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** Variables that only its process sees: nothing of them is written down. */
  readonly hiddenEnv: readonly string[];
}

/** Takes a piece of output; settles when there is room for more. */
export type OutputSink = (stream: 'stdout' | 'stderr', bytes: Uint8Array) => Promise<void>;

/** How the layer of a container that has ended is made. */
export interface LayerOptions {
  /** Mount points that are no changes. */
  readonly targets: readonly string[];
  /** Whether nobody wants the container any more: its files may be moved into the layer. */
  readonly goes: boolean;
  readonly signal: AbortSignal;
}

/** Containers: those made here are gone after a crash of the daemon, unless they were kept. */
export interface ContainersNeed {
  /** Its id. `ApiError` as at any create. */
  create(request: RunContainer): Promise<string>;
  /** Starts it and waits for its end; its exit code. An abort kills it and rejects. */
  run(id: string, output: OutputSink, signal: AbortSignal): Promise<number>;
  /** What it changed, written as a layer. */
  layer(id: string, options: LayerOptions): WriteLayer;
  /** It stays as any other container. */
  keep(id: string): Promise<void>;
  /** Gone with its volumes, whatever its state; idempotent. */
  remove(id: string): Promise<void>;
}

/** What the engine is built on. */
export interface BuildContext {
  readonly store: Store;
  readonly images: BuildImages;
  readonly containers: ContainersNeed;
  /** The folders of a stack of layers, topmost first. */
  readonly layerFolders: (storageKeys: readonly string[]) => readonly string[];
  readonly resolveOwner: ResolveOwner;
  /** Throws `ApiError` 400 for what names no signal. */
  readonly checkSignal: (name: string) => void;
  /** Unpacks an archive into a folder that exists; `ApiError` for a bad one. */
  readonly unpack: (request: {
    readonly source: UnpackSource;
    readonly target: string;
    readonly signal: AbortSignal;
  }) => Promise<void>;
  /** Removes a folder and all below, whatever lies there; absent is success. */
  readonly removeTree: (path: string) => Promise<void>;
  /** Bytes of the files in a folder. */
  readonly treeBytes: (path: string) => Promise<number>;
  /** A folder of the builder's own on the data root. */
  readonly folder: string;
  /** Where secrets lie while a step has them: not on a disk, if the host has it so. */
  readonly secretFolder: string;
  /** Shown as `DockerVersion` of what is made. */
  readonly version: string;
  readonly nowMs: () => number;
  readonly warn: (message: string, cause: unknown) => void;
}

/** An archive: a stream, or a file on the host. */
export type UnpackSource = Readable | { readonly path: string };

/** What only the client has: asked for while a build runs. */
export interface BuildSession {
  /** `ApiError` when there is none. */
  secret(id: string): Promise<Buffer | undefined>;
  /** Path of a socket on the host that speaks to the client's agent. */
  sshAgent(id: string): Promise<string | undefined>;
  /** Credentials of a registry's host. */
  auth(host: string): AuthConfig;
}
