/** The networks service as a daemon has it, with containers that are sleepers. */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Test } from 'tap';
import type { ContainerConfig, EndpointSettings, HostConfig } from '../../api-spec/index.js';
import { notFound } from '../../api-spec/errors.js';
import type { Sandbox } from '../../daemon/containers/needs.js';
import type { ContainerRecord } from '../../daemon/containers/record.js';
import type { TaskPorts } from '../../daemon/runtime/task.js';
import { networkTables, openNetworks, type Networks } from '../../daemon/networks/index.js';
import { openStore } from '../../daemon/store/index.js';
import { openNetlink, type Netlink } from '../../native/netlink/index.js';
import { createBridgePlugin } from '../../netplugins/bridge/index.js';
import { createHostPlugin } from '../../netplugins/host/index.js';
import { createNonePlugin } from '../../netplugins/none/index.js';
import { startSleeper } from './private-netns.js';

/** Ports that no shim holds: the processes of this world have none. */
const noShim: TaskPorts = {
  hold: () => Promise.resolve(),
  aim: () => Promise.resolve(),
  drop: () => Promise.resolve(),
  keepNames: () => Promise.resolve(),
  keptNames: () => Promise.resolve(undefined),
};

/** One engine's networks; the test must run in a private namespace. */
export interface World {
  readonly networks: Networks;
  readonly netlink: Netlink;
  readonly told: string[];
  readonly warnings: string[];
  add(options?: ContainerWish): ContainerRecord;
  rename(record: ContainerRecord, name: string): void;
  /** A container's record as it is now. */
  find(id: string): ContainerRecord;
  run(record: ContainerRecord): Promise<Running>;
  /** Closes the service and opens another one on the same data, as a killed daemon's successor. */
  restart(live: readonly Running[]): Promise<World>;
  file(record: ContainerRecord, name: string): string;
}

/** A container that runs. */
export interface Running {
  readonly record: ContainerRecord;
  readonly sandbox: Sandbox;
  readonly pid: number;
  /** Ends the process and releases, as an exit does. */
  end(): Promise<void>;
}

/** What a container asks for; the rest is as usual. */
export interface ContainerWish {
  readonly name?: string;
  readonly hostConfig?: HostConfig;
  readonly config?: ContainerConfig;
  readonly endpoints?: Readonly<Record<string, EndpointSettings>>;
}

/** What the engine's configuration says. */
export interface EngineWish {
  readonly defaultOptions?: Readonly<Record<string, string>>;
  readonly hostBinding?: string;
  readonly defaultGateway?: string;
}

interface Ground {
  readonly options: EngineWish;
  readonly folder: string;
  readonly rootId: string;
  readonly records: Map<string, ContainerRecord>;
  readonly pids: Map<string, number>;
}

/** Opens the service on a fresh folder; all of it goes with the test. */
export async function networksWorld(t: Test, options: EngineWish = {}): Promise<World> {
  const folder = t.testdir({ 'resolv.conf': 'nameserver 127.0.0.53\nsearch example.test\n' });
  const rootId = createHash('sha256').update(folder).digest('hex').slice(0, 8);
  const made = await open(t, {
    folder, rootId, records: new Map(), pids: new Map(), options,
  });
  await made.networks.recover([]);
  return made;
}

async function open(t: Test, ground: Ground): Promise<World> {
  const { folder, rootId, records, pids, options } = ground;
  const store = openStore(`${folder}/db`, [networkTables]);
  const netlink = openNetlink();
  const warnings: string[] = [];
  const told: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  const bridge = createBridgePlugin({ rootId, netlink, warn });
  const base = `10.${randomInt(128, 256)}`;
  const networks = await openNetworks({
    store, netlink, rootId, warn,
    plugins: [bridge, createHostPlugin(), createNonePlugin()],
    containers: {
      find: (ref) => {
        const record = [...records.values()].find(
          ({ id, name }) => id === ref || name === ref || id.startsWith(ref));
        if (record === undefined) throw notFound(`No such container: ${ref}`);
        return { record, pid: pids.get(record.id), ports: undefined };
      },
      inTurn: (_id, work) => work(),
      setEndpoints: (id, endpoints) => {
        const record = records.get(id);
        if (record !== undefined) records.set(id, { ...record, endpoints });
        return Promise.resolve();
      },
    },
    events: {
      stamp: ({ action, attributes }) => ({
        statements: [],
        announce: () => void told.push(`${action} ${attributes['name'] ?? ''}`),
      }),
      keepSoon: async (statements, happened) => {
        await store.commit(statements, 'normal');
        for (const { action, attributes } of happened) {
          told.push(`${action} ${attributes['name'] ?? ''}`);
        }
      },
    },
    bundlePath: (id) => `${folder}/${id}`,
    settings: {
      pools: [{ base: `${base}.0.0/16`, prefix: 24 }],
      mtu: 1500,
      dns: { servers: [], search: [], options: [] },
      hostGatewayIp: '',
      hostResolvConfPath: `${folder}/resolv.conf`,
      defaultOptions: { bridge: options.defaultOptions ?? {} },
    },
    defaultBridge: {
      icc: true, masquerade: true, hostBinding: options.hostBinding ?? '0.0.0.0',
      ...(options.defaultGateway === undefined ? {} : { defaultGateway: options.defaultGateway }),
    },
  });
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    await networks.close();
    await netlink.close();
    store.close();
  };
  t.teardown(async () => {
    if (isClosed) return;
    await bridge.reconcile({ networks: [], endpoints: [] });
    await netlink.run([
      { do: 'nft', commands: `delete table inet tsdocker-${rootId}`, tolerate: ['ENOENT'] },
    ]);
    await close();
  });
  const self: World = {
    networks, netlink, told, warnings,
    add: (wish = {}) => addRecord(records, wish),
    find: (id) => findRecord(records, id),
    rename: (record, name) => void records.set(record.id, { ...record, name }),
    run: (record) => run(t, self, { record, pids }),
    restart: async (live) => {
      await close();
      const next = await open(t, ground);
      await next.networks.recover(live.map(({ record, pid }) => ({ record, pid, ports: noShim })));
      return next;
    },
    file: (record, name) => readFileSync(`${folder}/${record.id}/${name}`, 'utf8'),
  };
  return self;
}

function findRecord(records: ReadonlyMap<string, ContainerRecord>, id: string): ContainerRecord {
  const record = records.get(id);
  if (record === undefined) throw new Error(`no record ${id}`);
  return record;
}

const ofMode = (mode = 'bridge'): ContainerRecord['endpoints'] =>
  (mode.startsWith('container:') ? {} : { [mode]: {} });

function addRecord(records: Map<string, ContainerRecord>, wish: ContainerWish): ContainerRecord {
  const id = randomBytes(32).toString('hex');
  const record: ContainerRecord = {
    id,
    name: wish.name ?? `c${id.slice(0, 6)}`,
    createdAtMs: Date.now(),
    imageId: '', imageName: '', layers: [], path: '', args: [], storageDriver: 'vfs', mounts: [],
    config: { Hostname: id.slice(0, 12), ...wish.config },
    hostConfig: wish.hostConfig ?? {},
    // As a create makes it: on the mode's network, if no other is named.
    endpoints: wish.endpoints ?? ofMode(wish.hostConfig?.NetworkMode),
    restartCount: 0,
    stoppedByUser: false,
    state: { status: 'created' },
  };
  records.set(id, record);
  return record;
}

async function run(
  t: Test,
  { networks }: World,
  { record, pids }: { readonly record: ContainerRecord; readonly pids: Map<string, number> },
): Promise<Running> {
  networks.check(record);
  const sandbox = await networks.allocate(record);
  await sandbox.ready;
  const sleeper = await startSleeper();
  t.teardown(() => sleeper.end());
  await networks.connect(sandbox, sleeper.pid);
  pids.set(record.id, sleeper.pid);
  return {
    record, sandbox, pid: sleeper.pid,
    end: async () => {
      await sleeper.end();
      pids.delete(record.id);
      await networks.release(sandbox.id);
    },
  };
}
