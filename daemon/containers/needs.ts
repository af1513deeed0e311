/**
 * What the containers service needs of the others, as it wants to see them; `compose.ts` joins
 * them. Times are in ms, sizes in bytes, ids 64 hex.
 */
import type { Readable } from 'node:stream';
import type {
  ContainerConfig,
  EndpointSettings,
  HostConfig,
  Mount,
  MountPoint,
} from '../../api-spec/index.js';
import type { HeldSocket } from '../../native/shim/held-socket.js';
import type { IdMappings } from '../../native/id-maps.js';
import type { ContainerRoot, FileStat, PutOptions } from '../../native/unpack/index.js';
import type { Change, LayerStack, MountRecipe } from '../../storage-drivers/driver.js';
import type { BegunGroup } from '../runtime/begun-group.js';
import type { ContainerCgroup } from '../runtime/cgroup/index.js';
import type { ExecRequest, FoundExec, LiveExec } from '../runtime/exec-task.js';
import type { Task, TaskExit, TaskPorts } from '../runtime/task.js';
import type { Statement } from '../store/store.js';
import type { ContainerRecord } from './record.js';

/** An image, as far as a container needs it. */
export interface ContainerImage {
  /** Config digest. */
  readonly id: string;
  readonly config: Partial<ContainerConfig>;
  /** Storage keys of the layers, lowest first, all unpacked. */
  readonly layers: readonly string[];
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** What containers ask of images. An id that was resolved stays valid while a record names it. */
export interface ImagesNeed {
  /** By name, digest or id prefix; `ApiError` 404 `No such image: x:latest` in Docker's words. */
  /** `platform` as `os/arch[/variant]`: the image of that one, where several came together. */
  resolve(name: string, platform?: string): ContainerImage;
  /** By id, for a record that exists; undefined when the image was force-removed. */
  byId(id: string): ContainerImage | undefined;
  /** The id that `name` means now; undefined for none. */
  idOf(name: string): string | undefined;
  /** Ids of the image that `name` means and of all whose layers begin with its; empty for none. */
  below(name: string): ReadonlySet<string>;
  /** Of all its layers, unpacked; 0 for an image that is gone. */
  sizeBytes(id: string): number;
  /** A config with Dockerfile instructions carried out; `ApiError` 400 for what is none. */
  changed(config: ContainerConfig, changes: readonly string[]): ContainerConfig;
  /** Refuses a name that no image can have; `ApiError` 400. */
  checkTarget(repo: string, tag: string): void;
  /** An image of a container's changes: its id, and its name or nothing. Durable. */
  commit(request: CommitImage): Promise<{ readonly id: string; readonly name: string }>;
  /** A container is gone: layers that only it stood on may go. */
  releaseLayers(keys: readonly string[]): Promise<void>;
}

/** What becomes an image: a container's changes over the layers of its own image. */
export interface CommitImage {
  readonly containerId: string;
  readonly parentId: string;
  readonly layers: readonly string[];
  readonly ours: readonly string[];
  readonly config: ContainerConfig;
  readonly containerConfig: ContainerConfig;
  readonly repo: string;
  readonly tag: string;
  readonly comment: string;
  readonly author: string;
}

/**
 * A container's writable layer. `create` is undone by `remove`, which takes absence as success;
 * `mount` says how to mount and mounts nothing.
 */
export interface RootfsNeed {
  create(id: string, layers: readonly string[]): Promise<void>;
  /** What `path` is in the layers, links followed; throws `ErrnoError` where it leads nowhere. */
  lookUp(layers: readonly string[], path: string): {
    readonly kind: 'directory' | 'other' | 'none';
    /** The folders that are not there, outermost first, by their real names. */
    readonly missing: readonly string[];
  };
  mount(record: ContainerRecord): Promise<MountRecipe>;
  remove(id: string): Promise<void>;
  usage(id: string): Promise<{ sizeBytes: number }>;
  /** What differs from the image, but for `ours` while these are empty. */
  changes(record: ContainerRecord, ours: readonly string[]): Promise<readonly Change[]>;
  /** All of it as a tar, without mounts. */
  export(record: ContainerRecord): Promise<Readable>;
}

/** What containers ask of their files; see `native/unpack/container-root.ts`. */
export interface FilesNeed {
  stat(root: ContainerRoot, path: string): Promise<FileStat>;
  /** The fd of a live root may be closed once it resolves. */
  fetch(
    root: ContainerRoot,
    path: string,
    options: { readonly as: string },
  ): Promise<{ readonly stat: FileStat; readonly tar: Readable }>;
  put(root: ContainerRoot, options: PutOptions): Promise<void>;
  /** Makes folders of root's, each in one that is there. */
  makeFolders(root: ContainerRoot, folders: readonly string[]): Promise<void>;
}

/**
 * A mount that is ready to be made: its source is a path on the host, layers of an image, or
 * nothing for a tmpfs.
 */
export type ResolvedMount =
  | {
      readonly type: 'bind';
      /** Of the engine's own: its owners are those that containers know. */
      readonly isOurs?: boolean;
      readonly source: string;
      /** What of the source, resolved within it when it is mounted. */
      readonly subpath?: string;
      readonly destination: string;
      readonly readonly: boolean;
      /** Read-only for what lies below too (mount_setattr AT_RECURSIVE). */
      readonly recursiveReadonly: boolean;
      readonly propagation: string;
      readonly recursive: boolean;
    }
  | {
      readonly type: 'overlay';
      readonly stack: LayerStack;
      /** As of a bind. */
      readonly subpath?: string;
      readonly destination: string;
    }
  | { readonly type: 'tmpfs'; readonly destination: string; readonly options: readonly string[] };

/** What containers ask of volumes: `prepare` at create is undone by `release` at removal. */
export interface VolumesNeed {
  /** The images that `HostConfig.Mounts` names; `ApiError` 400 for any mount that is wrong. */
  images(hostConfig: HostConfig): readonly ImageMount[];
  /** What of each mount that is asked for is seen, by destination; empty for all of it. */
  subpaths(hostConfig: HostConfig): Readonly<Record<string, string>>;
  /**
   * Reads `Binds`, `Mounts`, `Tmpfs`, `VolumesFrom` and the image's `Volumes`, refuses what is
   * wrong, makes the volumes that are missing, and counts `id` as their user.
   */
  prepare(id: string, request: MountRequest): Promise<readonly MountPoint[]>;
  /**
   * Right before a start: copy-up into volumes that are empty, sources of binds made or refused.
   */
  resolve(record: ContainerRecord, recipe: MountRecipe): Promise<readonly ResolvedMount[]>;
  /** The container is removed; `removeAnonymous` is `rm -v` or `--rm`. */
  release(id: string, options: { readonly removeAnonymous: boolean }): Promise<void>;
}

/** An image that is to be seen in a container. */
export interface ImageMount {
  readonly reference: string;
  readonly destination: string;
}

/** All that can make a mount at create: `mounts` are those of `HostConfig.Mounts`. */
export interface MountRequest {
  readonly hostConfig: HostConfig;
  readonly config: ContainerConfig;
  readonly mounts: readonly Mount[];
  /** Mount points of the containers that `VolumesFrom` names, with its mode. */
  readonly from: readonly { readonly mounts: readonly MountPoint[]; readonly mode: string }[];
}

/**
 * One container's place on its networks: a record of its own, held by the shim that made the
 * netns.
 */
export interface Sandbox {
  readonly id: string;
  /** Joins the namespaces of another process instead of making its own. */
  readonly joinPid?: number;
  /** `host` shares the host's, `none` has loopback only, `isolated` gets links. */
  readonly kind: 'host' | 'none' | 'isolated' | 'joined';
  /** Files on the host to bind over the container's own. */
  readonly hostsPath: string;
  readonly resolvConfPath: string;
  readonly hostnamePath: string;
  /** Resolves when these are written, where they were not before. */
  readonly ready?: Promise<void>;
  readonly hostname: string;
  readonly domainname: string;
  /** `NAME=value` of those it is linked to; only at its start. */
  readonly linkVariables?: readonly string[];
  /** Endpoint settings as inspect shows them, by network name. */
  readonly endpoints: Readonly<Record<string, EndpointSettings>>;
  /** Bindings as inspect shows them. */
  readonly ports: Readonly<Record<string, readonly { HostIp: string; HostPort: string }[] | null>>;
  /** Sockets that reserve the host ports, or serve them: for the shim, and closed at release. */
  readonly reservations: readonly HeldSocket[];
  /**
   * Begins what `connect` does in a network namespace made ahead, for the container to be born
   * into: its fd, which `connect` or `release` closes. Undefined when there is none. Only of one
   * that was just allocated, and once.
   */
  readonly takeNetns?: () => number | undefined;
}

/**
 * What containers ask of networks: `allocate` and `connect` at each start are undone by `release`.
 */
export interface NetworksNeed {
  /** At create: names exist, addresses lie in their subnets, links and aliases are well-formed. */
  check(record: ContainerRecord): void;
  /** The name of the network that a name, an id or its prefix means; of none, what was given. */
  nameOf(ref: string): string;
  /** The id of the network of this name; empty when there is none. */
  idOf(name: string): string;
  /** A start of it is to be expected: what can be made ahead will be. */
  expectStart(record: ContainerRecord): void;
  /**
   * At start: addresses and ports, recorded before they are used. `ApiError` with Docker's words
   * when taken.
   */
  allocate(
    record: ContainerRecord,
    joined?: { readonly pid: number; readonly sandbox: Sandbox },
  ): Promise<Sandbox>;
  /** When init's netns exists: links, addresses, ports, DNS. */
  connect(sandbox: Sandbox, pid: number): Promise<void>;
  /**
   * Other published ports for a live container, as `record` asks for them: served when it
   * resolves, not recorded yet. `ApiError` in Docker's words when one is taken: then all is as it
   * was. Undefined when it has no network that ports could be published on.
   */
  editPorts(record: ContainerRecord, ports: TaskPorts): Promise<PortEdit | undefined>;
  /**
   * After exit or a failed start: everything back; the address returns when the kernel has let it
   * go.
   */
  release(sandboxId: string): Promise<void>;
  /** After a restart of the daemon: makes kernel and records agree with the live containers. */
  recover(
    live: readonly {
      readonly record: ContainerRecord;
      readonly pid: number;
      readonly ports: TaskPorts;
    }[],
  ): Promise<ReadonlyMap<string, Sandbox>>;
}

/** Published ports that are served and not recorded yet. */
export interface PortEdit {
  /** Records them: part of the transaction that records the container. */
  readonly statements: readonly Statement[];
  /** They are recorded: what is published no more is given back. */
  done(): Promise<void>;
  /** They could not be recorded: all is as before. */
  undo(): Promise<void>;
}

/** All that a start needs, resolved. */
export interface TaskRequest {
  readonly record: ContainerRecord;
  readonly image: ContainerImage;
  readonly rootfs: MountRecipe;
  readonly mounts: readonly ResolvedMount[];
  readonly sandbox: Sandbox;
  /** Variables beside those of the record, which nothing but the process may see. */
  readonly hiddenEnv?: readonly string[];
  /** Live pids for `container:` modes of ipc and pid, by container id. */
  readonly joinPids: Readonly<Record<string, number>>;
  /** Called once init's namespaces exist, while it mounts: the network is set up meanwhile. */
  readonly onCreated: (pid: number) => Promise<void>;
  /**
   * Nobody has to be there before its first instruction: it goes on by itself once everything is
   * set up, and `start` only waits for that. Otherwise it stands at the gate until `start`.
   */
  readonly runsAtOnce?: boolean;
  readonly signal: AbortSignal;
}

/**
 * What containers ask of the runtime. A task lives on without the daemon; `adopt` finds it again.
 */
export interface RuntimeNeed {
  /**
   * Checks what cannot be honoured, and tells warnings as Docker words them; throws `ApiError`
   * 400.
   */
  check(record: ContainerRecord): readonly string[];
  /** Begins the control group of a task to come, or throws as `check` does. */
  begin(record: ContainerRecord): BegunGroup;
  /** Goes on with a group that was begun, or begins one now; drops it when it fails. */
  create(request: TaskRequest, group?: BegunGroup): Promise<Task>;
  /** After a restart of the daemon: the live task, or how it ended, or nothing known. */
  adopt(record: ContainerRecord): Promise<{ task: Task } | { exit: TaskExit } | undefined>;
  /** Who its processes are, by the account files of its own layers; `ApiError` 400. */
  userOf(
    record: ContainerRecord,
    rootfs: MountRecipe,
  ): { readonly uid: number; readonly gid: number };
  /** What its ids are on the host; undefined when they are the same. */
  idMapsOf(record: ContainerRecord): IdMappings | undefined;
  /** Processes and figures of a container, live or not. */
  cgroup(record: ContainerRecord): Pick<ContainerCgroup, 'pids' | 'stats'>;
  /** Limits that `changed` names, as the record has them now, for its live processes. */
  update(record: ContainerRecord, changed: ReadonlySet<string>): Promise<void>;
  /** Such an `exec` will follow soon: what can be done before it is; makes no promise. */
  expectExec(request: ExecRequest): void;
  /** One more process in a live task, once it runs; `ApiError` 400 in `docker exec`'s words. */
  exec(request: ExecRequest): Promise<LiveExec>;
  /** After a restart of the daemon: the execs of `live` containers; all others are ended. */
  recoverExecs(live: ReadonlySet<string>): Promise<readonly FoundExec[]>;
  /** Ends and removes what is left in the kernel of containers that are not in `known`. */
  sweep(known: ReadonlySet<string>): Promise<readonly string[]>;
}

/** Something to tell, once the change that it tells of has been committed. */
export interface EventsNeed {
  /** Of what nobody waits for: told soon, in its place among the others. */
  soon(event: ContainerEvent): void;
  stamp(event: ContainerEvent): {
    readonly statements: readonly Statement[];
    readonly announce: () => void;
  };
  /** A change that nobody waits for, and its events. */
  keepSoon(statements: readonly Statement[], events: readonly ContainerEvent[]): Promise<void>;
}

/**
 * Something that happened to a container or to its volumes, under Docker's name for it; times
 * come from the book of events.
 */
export interface ContainerEvent {
  readonly type: 'container' | 'volume';
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** How much of a log is wanted, and in which dress. */
export interface LogQuery {
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

/** How a log is read, beyond what its reader asked for. */
export interface LogReading extends LogQuery {
  readonly framing: 'stdcopy' | 'raw';
  /** Settles once nothing more will be written. */
  readonly ended: Promise<void>;
  /** Who writes it, while it is written. */
  readonly task?: Task;
  /** Asked once, when the files are open: nothing behind that place is wanted. */
  readonly stopAt?: () => { readonly inode: bigint; readonly offset: number } | undefined;
}

/** What containers ask of logs: the shim writes them, this only reads. */
export interface LogsNeed {
  /** Refuses drivers and options that it does not know (`ApiError` 400, Docker's words). */
  check(record: ContainerRecord): void;
  /** Absolute path of the log that the shim writes; empty for drivers that keep none. */
  path(record: ContainerRecord): string;
  /** Bytes as a client is sent them; `ApiError` 501 for a driver that keeps no log. */
  read(record: ContainerRecord, reading: LogReading): AsyncIterable<Uint8Array>;
  /** Looks after the log while `task` writes it; without one, after what is left of it. */
  attend(record: ContainerRecord, task: Task | undefined): void;
  /** The options or labels of a live container are others: its shim writes by them from now on. */
  update(record: ContainerRecord, task: Task): Promise<void>;
  /** Before a removal: what still has to go elsewhere goes, or is given up after a while. */
  settle(record: ContainerRecord): Promise<void>;
}
