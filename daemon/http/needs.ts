/**
 * What the HTTP layer needs of the services, as their caller sees it; `compose.ts` joins them.
 *
 * By now everything is decoded: keys folded, nulls dropped, types checked, filter names known.
 * What a *value* means is the service's business, and so is refusing it with `ApiError` in
 * Docker's words.
 */
import type { Readable } from 'node:stream';
import type {
  AuthConfig,
  AuthResponse,
  BuildGrants,
  BuildPruneResponse,
  ContainerConfig,
  ContainerCreateBody,
  ContainerCreateResponse,
  ContainerInspectResponse,
  ContainerPathStat,
  ContainerPruneResponse,
  ContainerStatsResponse,
  ContainerSummary,
  ContainerTopResponse,
  ContainerUpdateBody,
  ContainerUpdateResponse,
  ContainerWaitResponse,
  DistributionInspect,
  EventMessage,
  ExecCreateBody,
  ExecInspectResponse,
  ExecStartBody,
  FilesystemChange,
  IDResponse,
  ImageDeleteResponseItem,
  ImageHistoryResponseItem,
  ImageInspect,
  ImagePruneResponse,
  ImageSearchResponseItem,
  ImageSummary,
  JsonMessage,
  NetworkConnectRequest,
  NetworkCreateRequest,
  NetworkCreateResponse,
  NetworkDisconnectRequest,
  NetworkInspect,
  NetworkPruneResponse,
  SystemDataUsageResponse,
  SystemInfo,
  SystemVersion,
  Volume,
  VolumeCreateRequest,
  VolumeListResponse,
  VolumePruneResponse,
} from '../../api-spec/index.js';
import type { QueryOf } from '../../api-spec/operation.js';
import type { Operations } from '../../api-spec/operations/index.js';
import type { Conversation } from './conversation.js';

/** All services; the root of the wiring. */
export interface Services {
  readonly containers: ContainersApi;
  readonly images: ImagesApi;
  readonly builder: BuilderApi;
  readonly volumes: VolumesApi;
  readonly networks: NetworksApi;
  readonly system: SystemApi;
  readonly events: EventsApi;
}

/** Values by filter name, in the order given; `{}` when there are none. Names are known ones. */
export type Filters = Readonly<Record<string, readonly string[]>>;

/**
 * Takes one line of progress. Await it before making much more: it settles when the client has
 * room. Lines with a `progressDetail` are dropped while the client is slow; others never.
 */
export type ProgressSink = (message: JsonMessage) => Promise<void>;

/** How to join a container's streams. */
export interface AttachRequest {
  /** Replays the log first. */
  readonly logs: boolean;
  /** Stays for what comes. */
  readonly stream: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** As the user spelled them (`ctrl-p,ctrl-q`); undefined for the default. */
  readonly detachKeys?: string;
  /** `stdcopy`: frames unless it has a TTY; `raw`: never (websocket). */
  readonly framing: 'stdcopy' | 'raw';
}

/** Which part of a log, and in which form. */
export interface LogsRequest {
  readonly follow: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Nanoseconds since the epoch. */
  readonly sinceNano?: bigint;
  readonly untilNano?: bigint;
  readonly timestamps: boolean;
  /** Lines from the end; undefined for all. */
  readonly tail?: number;
  readonly details: boolean;
  readonly signal: AbortSignal;
}

/** Containers and execs. `id` is whatever the user gave: an id, a prefix, a name. */
export interface ContainersApi {
  create(request: {
    /** As given, without `/` in front; undefined: one is made up. */
    readonly name?: string;
    /** `os[/arch[/variant]]`. */
    readonly platform?: string;
    readonly body: ContainerCreateBody;
    /** 44 for API 1.44. */
    readonly apiMinor: number;
  }): Promise<ContainerCreateResponse>;
  list(request: {
    readonly all: boolean;
    /** The newest so many, whatever their state; 0 or less: no limit. */
    readonly limit: number;
    readonly size: boolean;
    readonly filters: Filters;
  }): Promise<readonly ContainerSummary[]>;
  inspect(id: string, options: { readonly size: boolean }): Promise<ContainerInspectResponse>;
  start(
    id: string,
    options: { readonly detachKeys?: string },
  ): Promise<'started' | 'alreadyRunning'>;
  /** Returns after the exit. Seconds; negative waits for ever; undefined: the container's own. */
  stop(id: string, options: StopRequest): Promise<'stopped' | 'alreadyStopped'>;
  restart(id: string, options: StopRequest): Promise<void>;
  /** Name or number; undefined: SIGKILL. */
  kill(id: string, options: { readonly signal?: string }): Promise<void>;
  /** Returns as soon as it is registered (the headers go out then); `result` settles on exit. */
  wait(
    id: string,
    options: {
      readonly condition: 'not-running' | 'next-exit' | 'removed';
      readonly signal: AbortSignal;
    },
  ): Promise<{ readonly result: Promise<ContainerWaitResponse> }>;
  /** Bytes as they are sent: in Docker's frames, or bare for a terminal. */
  logs(
    id: string,
    request: LogsRequest,
  ): Promise<{ readonly tty: boolean; readonly bytes: AsyncIterable<Uint8Array> }>;
  attach(id: string, request: AttachRequest): Promise<Conversation>;
  resize(id: string, size: TerminalSize): Promise<void>;
  remove(
    id: string,
    options: { readonly volumes: boolean; readonly force: boolean; readonly link: boolean },
  ): Promise<void>;
  prune(filters: Filters): Promise<ContainerPruneResponse>;
  rename(id: string, name: string): Promise<void>;
  pause(id: string): Promise<void>;
  unpause(id: string): Promise<void>;
  update(id: string, body: ContainerUpdateBody): Promise<ContainerUpdateResponse>;
  /** `psArgs` as given, `-ef` by default. */
  top(id: string, psArgs: string): Promise<ContainerTopResponse>;
  /** One sample a second; with `stream` false one (after two readings unless `oneShot`). */
  stats(
    id: string,
    options: { readonly stream: boolean; readonly oneShot: boolean; readonly signal: AbortSignal },
  ): Promise<AsyncIterable<ContainerStatsResponse>>;
  changes(id: string): Promise<readonly FilesystemChange[] | null>;
  /** A tar; destroyed by the caller when the client is gone. */
  export(id: string): Promise<Readable>;
  archiveInfo(id: string, path: string): Promise<ContainerPathStat>;
  archiveGet(
    id: string,
    path: string,
  ): Promise<{ readonly stat: ContainerPathStat; readonly tar: Readable }>;
  archivePut(
    id: string,
    request: {
      readonly path: string;
      /** Plain or compressed (gzip, bzip2, xz, zstd). */
      readonly tar: Readable;
      readonly noOverwriteDirNonDir: boolean;
      readonly copyUIDGID: boolean;
      readonly signal: AbortSignal;
    },
  ): Promise<void>;
  commit(request: {
    readonly container: string;
    readonly repo: string;
    readonly tag: string;
    readonly comment: string;
    readonly author: string;
    readonly pause: boolean;
    readonly changes: readonly string[];
    readonly config: ContainerConfig;
  }): Promise<IDResponse>;
  execCreate(id: string, body: ExecCreateBody): Promise<IDResponse>;
  /**
   * With `Detach` it is started and nothing is returned. Else the process is started by `run`,
   * whose later failures are text in the stream.
   */
  execStart(id: string, body: ExecStartBody): Promise<Conversation | undefined>;
  execInspect(id: string): Promise<ExecInspectResponse>;
  execResize(id: string, size: TerminalSize): Promise<void>;
}

/** How to stop. */
export interface StopRequest {
  readonly timeoutSeconds?: number;
  /** Name or number; undefined: the container's own. */
  readonly signal?: string;
}

/** In characters. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** Images. `name` is whatever the user gave: a reference, an id, a prefix. */
export interface ImagesApi {
  /**
   * `image` and `tag` (which may be a digest) as given; an empty tag means all tags. Throws before
   * the first line what shall become a status; later errors are thrown too, and sent as a line.
   */
  pull(request: {
    readonly image: string;
    readonly tag: string;
    readonly platform: string;
    readonly auth: AuthConfig;
    readonly sink: ProgressSink;
    readonly signal: AbortSignal;
  }): Promise<void>;
  import(request: {
    /** A URL, or `body` when it is `-`. */
    readonly source: string;
    readonly body: Readable;
    readonly repo: string;
    readonly tag: string;
    readonly message: string;
    readonly changes: readonly string[];
    readonly platform: string;
    readonly sink: ProgressSink;
    readonly signal: AbortSignal;
  }): Promise<void>;
  list(request: {
    readonly all: boolean;
    readonly filters: Filters;
    readonly sharedSize: boolean;
    readonly digests: boolean;
    readonly manifests: boolean;
  }): Promise<readonly ImageSummary[]>;
  /** `platform` is an OCI platform as JSON text, empty for none; not both. */
  inspect(
    name: string,
    options: { readonly platform: string; readonly manifests: boolean },
  ): Promise<ImageInspect>;
  history(
    name: string,
    options: { readonly platform: string },
  ): Promise<readonly ImageHistoryResponseItem[]>;
  tag(name: string, target: { readonly repo: string; readonly tag: string }): Promise<void>;
  remove(
    name: string,
    options: {
      readonly force: boolean;
      readonly noprune: boolean;
      readonly platforms: readonly string[];
    },
  ): Promise<readonly ImageDeleteResponseItem[]>;
  /** `body` is a tar, plain or compressed. */
  load(request: {
    readonly body: Readable;
    readonly quiet: boolean;
    readonly platforms: readonly string[];
    readonly sink: ProgressSink;
    readonly signal: AbortSignal;
  }): Promise<void>;
  /** A tar; refused before it is returned if a name does not exist. */
  save(
    names: readonly string[],
    options: { readonly platforms: readonly string[]; readonly signal: AbortSignal },
  ): Promise<Readable>;
  prune(filters: Filters): Promise<ImagePruneResponse>;
  push(request: {
    readonly image: string;
    readonly tag: string;
    readonly platform: string;
    readonly auth: AuthConfig;
    readonly sink: ProgressSink;
    readonly signal: AbortSignal;
  }): Promise<void>;
  search(request: {
    readonly term: string;
    readonly limit: number;
    readonly filters: Filters;
    readonly auth: AuthConfig;
  }): Promise<readonly ImageSearchResponseItem[]>;
  distribution(name: string, auth: AuthConfig): Promise<DistributionInspect>;
}

/** Builds of images. */
export interface BuilderApi {
  /** `body` is a tar, plain or compressed. Throws before the first line what becomes a status. */
  build(request: {
    readonly query: QueryOf<Operations['ImageBuild']>;
    readonly body: Readable;
    /** Credentials by registry. */
    readonly registryConfig: Readonly<Record<string, AuthConfig>>;
    /** What the Dockerfile may ask for; undefined where the client said nothing of it. */
    readonly grants: BuildGrants | undefined;
    readonly sink: ProgressSink;
    readonly signal: AbortSignal;
  }): Promise<void>;
  /** `ApiError` 404 when no build has this id. */
  cancel(buildId: string): Promise<void>;
  prune(request: {
    readonly all: boolean;
    /** Bytes that stay in any case and at most, and that are to be free; 0 for no such bound. */
    readonly keep: {
      readonly reserved: number;
      readonly maxUsed: number;
      readonly minFree: number;
    };
    readonly filters: Filters;
  }): Promise<BuildPruneResponse>;
}

/** Volumes, by name. */
export interface VolumesApi {
  list(filters: Filters): Promise<VolumeListResponse>;
  /** Idempotent for the same name and driver. */
  create(body: VolumeCreateRequest): Promise<Volume>;
  /** `ApiError` 404 `get x: no such volume`. */
  inspect(name: string): Promise<Volume>;
  /** `force` swallows a 404. */
  remove(name: string, options: { readonly force: boolean }): Promise<void>;
  /** Anonymous ones only, unless the filter `all` says true. */
  prune(filters: Filters): Promise<VolumePruneResponse>;
}

/** Networks. `id` is whatever the user gave: a name, an id, a prefix. */
export interface NetworksApi {
  list(filters: Filters): Promise<readonly NetworkInspect[]>;
  inspect(
    id: string,
    options: { readonly verbose: boolean; readonly scope: string },
  ): Promise<NetworkInspect>;
  create(body: NetworkCreateRequest): Promise<NetworkCreateResponse>;
  /** `ApiError` 403 with active endpoints or when predefined. */
  remove(id: string): Promise<void>;
  connect(id: string, body: NetworkConnectRequest): Promise<void>;
  disconnect(id: string, body: NetworkDisconnectRequest): Promise<void>;
  prune(filters: Filters): Promise<NetworkPruneResponse>;
}

/** The engine about itself. */
export interface SystemApi {
  /** The HTTP layer overwrites `ApiVersion` and `MinAPIVersion` with what it speaks. */
  version(): SystemVersion;
  info(): Promise<SystemInfo>;
  auth(config: AuthConfig): Promise<AuthResponse>;
  /** Of `container`, `image`, `volume`, `build-cache`; the kinds asked for, never empty. */
  dataUsage(kinds: readonly DataUsageKind[]): Promise<SystemDataUsageResponse>;
}

/** What `df` can be asked about. */
export type DataUsageKind = 'container' | 'image' | 'volume' | 'build-cache';

/** An event with its exact time: nanoseconds do not fit a number. */
export type TimedEvent = Omit<EventMessage, 'time' | 'timeNano'> & { readonly timeNano: bigint };

/** What happens. */
export interface EventsApi {
  /**
   * Past events from `sinceNano` (if given), then those to come until `untilNano` or the signal.
   * Registered when it returns; ends by itself when `untilNano` is past.
   */
  subscribe(request: {
    readonly sinceNano?: bigint;
    readonly untilNano?: bigint;
    readonly filters: Filters;
    readonly signal: AbortSignal;
  }): AsyncIterable<TimedEvent>;
}
