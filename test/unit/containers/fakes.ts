/**
 * The containers service with everything around it played: real database, real events, no kernel.
 */
import { join } from 'node:path';
import { Duplex, Readable } from 'node:stream';
import { pino } from 'pino';
import type { Test } from 'tap';
import { notFound } from '../../../api-spec/errors.js';
import { createContainers } from '../../../daemon/containers/index.js';
import type { Containers, ContainersOptions } from '../../../daemon/containers/index.js';
import type { ContainerImage, Sandbox, TaskRequest } from '../../../daemon/containers/needs.js';
import type { ContainerRecord } from '../../../daemon/containers/record.js';
import { createEvents } from '../../../daemon/events/index.js';
import type { ExecRequest, FoundExec, LiveExec } from '../../../daemon/runtime/exec-task.js';
import type { Task, TaskExit } from '../../../daemon/runtime/task.js';
import { openStore } from '../../../daemon/store/index.js';
import { baseTables } from '../../../daemon/store/schema.js';

export class FakeTask implements Task {
  readonly pid = 4711;
  readonly shimPid = 4710;
  readonly signals: number[] = [];
  /** Signals that end it. */
  obeys: readonly number[] = [9, 15];
  attached = 0;
  /** What the last client that attached reads from. */
  output: Duplex | undefined;
  disposed = false;
  #exit!: (exit: TaskExit) => void;
  readonly exited = new Promise<TaskExit>((resolve) => {
    this.#exit = resolve;
  });

  constructor(
    readonly containerId: string,
    readonly startError?: Error,
    readonly runsAtOnce = false,
  ) {}

  end(exitCode: number, extra: Partial<TaskExit> = {}): void {
    this.#exit({ exitCode, oomKilled: false, finishedAtMs: Date.now(), ...extra });
  }

  start(): Promise<void> {
    return this.startError === undefined ? Promise.resolve() : Promise.reject(this.startError);
  }

  attach(): Promise<Duplex> {
    this.attached += 1;
    this.output = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    return Promise.resolve(this.output);
  }

  async attachAfterLog() {
    return { stream: await this.attach(), position: { inode: 0n, offset: 0 } };
  }

  /** Its log is never rotated. */
  logTurn = (): Promise<bigint> => new Promise(() => undefined);
  /** Memory never runs out. */
  oomTurn = (): Promise<bigint> => new Promise(() => undefined);
  logCompressed = (): Promise<boolean> => Promise.resolve(false);
  logKeep = (): Promise<void> => Promise.resolve();
  logSettings = (): Promise<void> => Promise.resolve();
  readonly ports = {
    hold: (): Promise<void> => Promise.resolve(),
    aim: (): Promise<void> => Promise.resolve(),
    drop: (): Promise<void> => Promise.resolve(),
    keepNames: (): Promise<void> => Promise.resolve(),
    keptNames: (): Promise<undefined> => Promise.resolve(undefined),
  };

  signal(signal: number): Promise<boolean> {
    this.signals.push(signal);
    if (this.obeys.includes(signal)) this.end(128 + signal);
    return Promise.resolve(true);
  }

  resize = (): Promise<void> => Promise.resolve();
  pidFd = (): Promise<number> => Promise.resolve(-1);
  rootDir = (): Promise<number> => Promise.resolve(-1);
  readonly canPause = true;
  pause = (): Promise<void> => Promise.resolve();
  unpause = (): Promise<void> => Promise.resolve();

  dispose(): Promise<void> {
    this.disposed = true;
    return Promise.resolve();
  }
}

/** What the played world remembers, and how it can be told to misbehave. */
export class World {
  readonly tasks: FakeTask[] = [];
  readonly rootfs = new Set<string>();
  readonly sandboxes = new Set<string>();
  readonly volumes = new Map<string, boolean>();
  /** Warnings and errors. */
  readonly logged: string[] = [];
  startError: Error | undefined;
  rootfsError: Error | undefined;
  adopts: (record: ContainerRecord) => { task: Task } | { exit: TaskExit } | undefined = () =>
    undefined;

  exec: (request: ExecRequest) => Promise<LiveExec> = () =>
    Promise.reject(new Error('no exec is played'));
  readonly updates: { record: ContainerRecord; changed: ReadonlySet<string> }[] = [];
  foundExecs: readonly FoundExec[] = [];

  get task(): FakeTask {
    const last = this.tasks.at(-1);
    if (last === undefined) throw new Error('nothing has been started');
    return last;
  }
}

const image: ContainerImage = {
  id: 'sha256:1111',
  config: { Cmd: ['serve'], Env: ['PATH=/bin'] },
  layers: ['sha256:2222'],
  os: 'linux',
  architecture: 'amd64',
};

function sandboxOf(record: ContainerRecord): Sandbox {
  return {
    id: `sandbox-of-${record.id}`,
    kind: 'isolated',
    hostsPath: '/hosts',
    resolvConfPath: '/resolv.conf',
    hostnamePath: '/hostname',
    hostname: 'box',
    domainname: '',
    endpoints: { bridge: { IPAddress: '172.17.0.2', NetworkID: 'net1' } },
    ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }] },
    reservations: [],
  };
}

type Played = Pick<
  ContainersOptions,
  'images' | 'rootfs' | 'files' | 'volumes' | 'networks' | 'runtime' | 'logs'
>;

function played(world: World): Played {
  return {
    images: {
      resolve: (name) => {
        if (name === 'web') return image;
        throw notFound(`No such image: ${name}:latest`);
      },
      byId: () => image,
      idOf: (name) => (name === 'web' ? image.id : undefined),
      below: (name) => new Set(name === 'web' ? [image.id] : []),
      sizeBytes: () => 100,
      checkTarget: () => undefined,
      changed: (config) => config,
      commit: () => Promise.resolve({ id: 'sha256:3333', name: '' }),
      releaseLayers: () => Promise.resolve(),
    },
    rootfs: {
      create: (id) => {
        if (world.rootfsError !== undefined) return Promise.reject(world.rootfsError);
        world.rootfs.add(id);
        return Promise.resolve();
      },
      lookUp: () => ({ kind: 'directory', missing: [] }),
      mount: () => Promise.resolve({ kind: 'bind', source: '/nowhere' }),
      remove: (id) => Promise.resolve(void world.rootfs.delete(id)),
      usage: () => Promise.resolve({ sizeBytes: 7 }),
      changes: () => Promise.resolve([]),
      export: () => Promise.resolve(Readable.from([])),
    },
    files: {
      stat: () => Promise.reject(new Error('no files are played')),
      fetch: () => Promise.reject(new Error('no files are played')),
      put: () => Promise.resolve(),
      makeFolders: () => Promise.resolve(),
    },
    volumes: {
      images: () => [],
      subpaths: () => ({}),
      prepare: () => Promise.resolve([]),
      resolve: () => Promise.resolve([]),
      release: (id, { removeAnonymous }) =>
        Promise.resolve(void world.volumes.set(id, removeAnonymous)),
    },
    networks: {
      check: () => undefined,
      nameOf: (ref) => ref,
      idOf: () => '',
      expectStart: () => undefined,
      allocate: (record) => {
        const sandbox = sandboxOf(record);
        world.sandboxes.add(sandbox.id);
        return Promise.resolve(sandbox);
      },
      connect: () => Promise.resolve(),
      editPorts: () => Promise.resolve(undefined),
      release: (id) => Promise.resolve(void world.sandboxes.delete(id)),
      recover: (live) =>
        Promise.resolve(new Map(live.map(({ record }) => [record.id, sandboxOf(record)]))),
    },
    runtime: {
      begin: () => ({
        limit: () => Promise.reject(new Error('a fake')),
        drop: () => Promise.resolve(),
      }),
      check: () => [],
      userOf: () => ({ uid: 0, gid: 0 }),
      idMapsOf: () => undefined,
      create: async ({ record, onCreated, runsAtOnce }: TaskRequest) => {
        const task = new FakeTask(record.id, world.startError, runsAtOnce);
        await onCreated(task.pid);
        world.tasks.push(task);
        return task;
      },
      adopt: (record) => Promise.resolve(world.adopts(record)),
      cgroup: () => ({
        pids: () => [world.task.pid],
        stats: () => {
          throw new Error('no figures are played');
        },
      }),
      update: async (record, changed) => void world.updates.push({ record, changed }),
      exec: (request) => world.exec(request),
      expectExec: () => undefined,
      recoverExecs: () => Promise.resolve(world.foundExecs),
      sweep: () => Promise.resolve([]),
    },
    logs: {
      check: () => undefined,
      path: ({ id }) => `/${id}.log`,
      read: async function* () {},
      attend: () => undefined,
      update: () => Promise.resolve(),
      settle: () => Promise.resolve(),
    },
  };
}

export interface SetUp {
  readonly world: World;
  readonly containers: Containers;
  /** Actions of all events so far. */
  readonly actions: () => Promise<readonly string[]>;
  /** A service on the same database, as after a restart of the daemon. */
  readonly again: (world?: World) => Containers;
}

/** One service in a played world. */
export function setUp(t: Test): SetUp {
  const folder = t.testdir();
  const store = openStore(join(folder, 'db'), [baseTables]);
  const events = createEvents(store);
  const world = new World();
  const make = (around: World): Containers => {
    const containers = createContainers({
      ...played(around),
      store,
      events,
      log: pino({ level: 'warn' }, { write: (line) => void world.logged.push(line) }),
      defaults: {
        logDriver: 'json-file',
        logOptions: {},
        storageDriver: 'overlay',
        cgroupnsMode: 'private',
        ipcMode: 'private',
        runtimes: [],
        runtime: 'runc',
        shmSizeBytes: 67_108_864,
        init: false,
        apparmor: false,
        apparmorProfile: '',
        maskedPaths: ['/proc/kcore'],
        readonlyPaths: ['/proc/sys'],
      },
      bundlePath: (id) => join(folder, 'containers', id),
      makeBundle: () => undefined,
      discardBundle: () => Promise.resolve(),
    });
    t.teardown(() => containers.close());
    return containers;
  };
  t.teardown(() => store.close());
  return {
    world,
    containers: make(world),
    again: (around = world) => make(around),
    async actions() {
      const seen: string[] = [];
      const range = { sinceNs: 0n, untilNs: BigInt(Date.now() + 20) * 1_000_000n, filters: {} };
      for await (const { action } of events.watch(range, new AbortController().signal)) {
        seen.push(action);
      }
      return seen;
    },
  };
}
