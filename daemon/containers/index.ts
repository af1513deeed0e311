import type { Readable } from 'node:stream';
import type { Logger } from 'pino';
import type { TaskPorts } from '../runtime/task.js';
import type { Store } from '../store/store.js';
import { archiveGet, archiveInfo, archivePut } from './archive.js';
import type { ArchivePutRequest } from './archive.js';
import { attachContainer } from './attach.js';
import type { AttachConversation, AttachRequest } from './attach.js';
import { Book } from './book.js';
import { containerEvent, save, tell } from './context.js';
import type { ContainerDefaults, Context } from './context.js';
import { commitContainer } from './commit.js';
import type { CommitRequest } from './commit.js';
import { containerChanges, exportContainer } from './differences.js';
import { createContainer } from './create.js';
import type { CreateRequest } from './create.js';
import { createExec, inspectExec, resizeExec, startExecById } from './exec.js';
import { ExecBook } from './exec-book.js';
import type { Filters } from './filters.js';
import { inspectContainer } from './inspect.js';
import { killContainer } from './kill.js';
import { launch, launchAnew } from './launch.js';
import { listContainers } from './list.js';
import type { ListRequest } from './list.js';
import type {
  EventsNeed,
  FilesNeed,
  ImagesNeed,
  LogQuery,
  LogsNeed,
  NetworksNeed,
  RootfsNeed,
  RuntimeNeed,
  VolumesNeed,
} from './needs.js';
import { pauseContainer, unpauseContainer } from './pause.js';
import { createPrune } from './prune.js';
import { readLogs } from './read-logs.js';
import { imagesOf, layersOf, type ContainerRecord } from './record.js';
import { recover } from './recover.js';
import type { Recovery } from './recover.js';
import { removeContainer } from './remove.js';
import type { RemoveOptions } from './remove.js';
import { renameContainer } from './rename.js';
import { conflict } from '../../api-spec/errors.js';
import type {
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
  ExecCreateBody,
  ExecInspectResponse,
  ExecStartBody,
  FilesystemChange,
  IDResponse,
} from '../../api-spec/index.js';
import { isLive } from './state.js';
import { containerStats } from './stats.js';
import type { StatsRequest } from './stats.js';
import { restartContainer, stopContainer } from './stop.js';
import type { StopRequest } from './stop.js';
import { topContainer } from './top.js';
import { endUnwell } from './unwell.js';
import { updateContainer } from './update.js';
import { waitFor } from './wait.js';
import type { WaitCondition } from './wait.js';

export type { ContainerDefaults } from './context.js';
export type { Recovery } from './recover.js';

/** What containers are built on; nothing of it is closed by this service. */
export interface ContainersOptions {
  readonly store: Store;
  readonly events: EventsNeed;
  readonly images: ImagesNeed;
  readonly rootfs: RootfsNeed;
  readonly files: FilesNeed;
  readonly volumes: VolumesNeed;
  readonly networks: NetworksNeed;
  readonly runtime: RuntimeNeed;
  readonly logs: LogsNeed;
  readonly log: Logger;
  readonly defaults: ContainerDefaults;
  readonly bundlePath: (id: string) => string;
  readonly makeBundle: (id: string) => void;
  readonly discardBundle: (id: string) => Promise<void>;
}

/** Containers by whatever reference a client uses; every refusal is an `ApiError`. */
export interface Containers {
  create(request: CreateRequest): Promise<ContainerCreateResponse>;
  list(request: ListRequest): Promise<readonly ContainerSummary[]>;
  inspect(ref: string, options: { readonly size: boolean }): Promise<ContainerInspectResponse>;
  start(ref: string): Promise<'started' | 'alreadyRunning'>;
  stop(ref: string, request: StopRequest): Promise<'stopped' | 'alreadyStopped'>;
  restart(ref: string, request: StopRequest): Promise<void>;
  kill(ref: string, options: { readonly signal?: string }): Promise<void>;
  wait(
    ref: string,
    options: { readonly condition: WaitCondition; readonly signal: AbortSignal },
  ): Promise<{ readonly result: Promise<ContainerWaitResponse> }>;
  logs(
    ref: string,
    query: LogQuery,
  ): Promise<{ readonly tty: boolean; readonly bytes: AsyncIterable<Uint8Array> }>;
  attach(ref: string, request: AttachRequest): Promise<AttachConversation>;
  resize(ref: string, size: { readonly rows: number; readonly columns: number }): Promise<void>;
  top(ref: string, psArgs: string): Promise<ContainerTopResponse>;
  stats(ref: string, request: StatsRequest): Promise<AsyncIterable<ContainerStatsResponse>>;
  update(ref: string, body: ContainerUpdateBody): Promise<ContainerUpdateResponse>;
  execCreate(ref: string, body: ExecCreateBody): Promise<IDResponse>;
  execStart(id: string, body: ExecStartBody): Promise<AttachConversation | undefined>;
  execInspect(id: string): Promise<ExecInspectResponse>;
  execResize(id: string, size: { readonly rows: number; readonly columns: number }): Promise<void>;
  archiveInfo(ref: string, path: string): Promise<ContainerPathStat>;
  archiveGet(
    ref: string,
    path: string,
  ): Promise<{ readonly stat: ContainerPathStat; readonly tar: Readable }>;
  archivePut(ref: string, request: ArchivePutRequest): Promise<void>;
  changes(ref: string): Promise<readonly FilesystemChange[] | null>;
  export(ref: string): Promise<Readable>;
  commit(request: CommitRequest): Promise<IDResponse>;
  pause(ref: string): Promise<void>;
  unpause(ref: string): Promise<void>;
  rename(ref: string, name: string): Promise<void>;
  remove(ref: string, options: RemoveOptions): Promise<void>;
  prune(filters: Filters): Promise<ContainerPruneResponse>;
  /** To be called once, before the first request. */
  recover(): Promise<Recovery>;
  /** One of a build's own becomes a container as any other; durable. */
  keep(id: string): Promise<void>;
  /** Containers by state, for `info`. */
  counts(): { readonly running: number; readonly paused: number; readonly stopped: number };
  /** Which containers an image, volume or network is in use by. */
  users(of: { readonly imageId: string }): readonly ContainerUse[];
  /** By reference, with the pid of its live process: for those that connect it to something. */
  find(ref: string): {
    readonly record: ContainerRecord;
    readonly pid: number | undefined;
    readonly ports: TaskPorts | undefined;
  };
  /** Runs `work` under the container's lock: for those that change it together with their own. */
  inTurn<T>(id: string, work: () => Promise<T>): Promise<T>;
  /** Replaces what a container asks of its networks; durable. */
  setEndpoints(id: string, endpoints: ContainerRecord['endpoints']): Promise<void>;
  /** Storage keys of the layers of all containers: an image may be gone before its containers. */
  layersInUse(): ReadonlySet<string>;
  /** All ids, for those that clean up after a crash. */
  ids(): ReadonlySet<string>;
  /** Calls off every planned start and probe: the daemon ends, containers stay. */
  close(): void;
}

/**
 * A container as the owner of an image, volume or network needs to know it, to name it in a
 * refusal.
 */
export interface ContainerUse {
  readonly id: string;
  readonly name: string;
  readonly isLive: boolean;
}

/** The containers service. */
export function createContainers(options: ContainersOptions): Containers {
  const book = new Book();
  const context: Context = {
    ...options,
    book,
    execs: new ExecBook(),
    afterExit: {
      relaunch: (container) => launch(context, container),
      remove: (container) => removeContainer(context, container, { force: true, volumes: true }),
      endUnwell: (container) => endUnwell(context, container),
    },
  };
  const prune = createPrune(context);
  return {
    create: (request) => createContainer(context, request),
    list: (request) => listContainers(context, request),
    inspect: async (ref, request) => inspectContainer(context, book.resolve(ref), request),
    start: async (ref) => startContainer(context, ref),
    stop: async (ref, request) => stopContainer(context, book.resolve(ref), request),
    restart: async (ref, request) => restartContainer(context, book.resolve(ref), request),
    kill: async (ref, request) => killContainer(context, ref, request),
    wait: async (ref, request) => waitFor(book.resolve(ref), request),
    logs: async (ref, query) => {
      const container = book.resolve(ref);
      const bytes = readLogs(context, container, query);
      return { tty: container.record.config.Tty === true, bytes };
    },
    attach: async (ref, request) => attachContainer(context, ref, request),
    resize: (ref, size) => resizeContainer(context, ref, size),
    ...looksInto(context),
    ...filesOf(context),
    pause: async (ref) => pauseContainer(context, book.resolve(ref)),
    unpause: async (ref) => unpauseContainer(context, book.resolve(ref)),
    rename: async (ref, name) => renameContainer(context, book.resolve(ref), name),
    remove: async (ref, request) => removeContainer(context, book.resolve(ref), request),
    prune,
    recover: () => recover(context),
    counts: () => counts(book),
    users: ({ imageId }) =>
      book
        .records()
        .filter((record) => imagesOf(record).includes(imageId))
        .map(({ id, name, state }) => ({ id, name, isLive: isLive(state) })),
    find: (ref) => {
      const { record, task } = book.resolve(ref);
      return { record, pid: task?.pid, ports: task?.ports };
    },
    inTurn: async (id, work) => book.resolve(id).lock.run(work),
    setEndpoints: (id, endpoints) => change(context, id, { endpoints }),
    keep: (id) => change(context, id, { ephemeral: false }),
    layersInUse: () => new Set(book.records().flatMap(layersOf)),
    ids: () => new Set(book.all().map(({ id }) => id)),
    close: () => book.all().forEach(({ plannedStart, healthWatch }) => {
      clearTimeout(plannedStart);
      healthWatch?.abort();
    }),
  };
}

/** Durable when it returns. */
function change(context: Context, id: string, fields: Partial<ContainerRecord>): Promise<void> {
  const container = context.book.resolve(id);
  return save(context, container, { ...container.record, ...fields }, { durability: 'full' });
}

/** Verbs on what goes on inside a live container. */
function looksInto(context: Context) {
  const { book } = context;
  return {
    top: async (ref, psArgs) => topContainer(context, book.resolve(ref), psArgs),
    stats: async (ref, request) => containerStats(context, book.resolve(ref), request),
    update: async (ref, body) => updateContainer(context, book.resolve(ref), body),
    execCreate: async (ref, body) => createExec(context, ref, body),
    execStart: (id, body) => startExecById(context, id, body),
    execInspect: async (id) => inspectExec(context, id),
    execResize: (id, size) => resizeExec(context, id, size),
  } satisfies Partial<Containers>;
}

/** Verbs on what lies in a container. */
function filesOf(context: Context) {
  const named = (ref: string) => ({ ref, container: context.book.resolve(ref) });
  return {
    archiveInfo: async (ref, path) => archiveInfo(context, named(ref), path),
    archiveGet: async (ref, path) => archiveGet(context, named(ref), path),
    changes: async (ref) => containerChanges(context, context.book.resolve(ref)),
    export: async (ref) => exportContainer(context, context.book.resolve(ref)),
    commit: (request) => commitContainer(context, request),
    archivePut: async (ref, request) => archivePut(context, named(ref), request),
  } satisfies Partial<Containers>;
}

/** Starts it, unless it runs; `ApiError` 409 when it is paused or on its way out. */
async function startContainer(
  context: Context,
  ref: string,
): Promise<'started' | 'alreadyRunning'> {
  const container = context.book.resolve(ref);
  return container.lock.run(async () => {
    const { status } = container.record.state;
    // One that waits for its restart counts as running, in Docker too.
    if (status === 'running' || status === 'restarting') return 'alreadyRunning';
    if (status === 'paused') {
      throw conflict('cannot start a paused container, try unpause instead');
    }
    if (status === 'removing' || status === 'dead') {
      throw conflict('container is marked for removal and cannot be started');
    }
    try {
      await launchAnew(context, container);
    } catch (error) {
      if (container.record.hostConfig.AutoRemove === true) {
        context.afterExit.remove(container).catch((reason: unknown) => {
          context.log.error(
            { id: container.id, err: reason },
            'removal after a failed start failed',
          );
        });
      }
      throw error;
    }
    return 'started';
  });
}

async function resizeContainer(
  context: Context,
  ref: string,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): Promise<void> {
  const container = context.book.resolve(ref);
  await container.settle();
  if (!isLive(container.record.state) || container.task === undefined) {
    throw conflict(`container ${container.id} is not running`);
  }
  // Without a terminal there is only this to tell, as in Docker; the kernel has 16 bits for a size.
  const isTerminal = container.record.config.Tty === true;
  if (isTerminal) await container.task.resize(rows & 0xffff, columns & 0xffff);
  const size = { height: String(rows), width: String(columns) };
  await tell(context, containerEvent(container.record, 'resize', size));
}

function counts(book: Book) {
  const states = book.all().map(({ record }) => record.state.status);
  const count = (...wanted: readonly string[]): number =>
    states.filter((status) => wanted.includes(status)).length;
  const paused = count('paused');
  const running = count('running', 'restarting');
  return { running, paused, stopped: states.length - running - paused };
}
