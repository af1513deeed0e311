/**
 * Networks: their records, the addresses and ports of containers on them, and the API's verbs. The
 * kernel's side is the drivers'. See `tables.ts` for what is stored.
 */
import type {
  NetworkConnectRequest, NetworkCreateRequest, NetworkCreateResponse,
  NetworkDisconnectRequest, NetworkInspect, NetworkPruneResponse,
} from '../../api-spec/index.js';
import { ApiError, forbidden, invalidParameter, notFound } from '../../api-spec/errors.js';
import type { Netlink } from '../../native/netlink/index.js';
import type { NetworkPlugin } from '../../netplugins/plugin.js';
import type { NetworksNeed } from '../containers/needs.js';
import type { ContainerRecord } from '../containers/record.js';
import type { Store } from '../store/store.js';
import { networkMode } from './allocate.js';
import { connect, disconnect } from './attach.js';
import { NetworkBook } from './book.js';
import { allocate, connectSandbox, releaseSandbox } from './connect.js';
import { networkEvent, pluginOf, type Context, type NetworkSettingsOfEngine } from './context.js';
import { createNetwork } from './create.js';
import { editPorts } from './edit-ports.js';
import { checkEndpoint } from './endpoint-check.js';
import { ownSockets, type HostSockets } from './host-sockets.js';
import { isExtraHost } from './files.js';
import { uniqueLocalRange } from './ipam.js';
import type { ContainersNeed, EventsNeed } from './needs.js';
import { exposedPorts, portRequests } from './port-requests.js';
import { createPortBook } from './ports.js';
import { checkLinks } from './links.js';
import { ensurePredefined, type DefaultBridgeSettings } from './predefined.js';
import { recover } from './recover.js';
import { dropNetwork, type NetworkRecord } from './records.js';
import { createSpares } from './spares.js';
import {
  checkListFilters, checkPruneFilters, matchesList, matchesPrune, networkInspect, networkView,
} from './views.js';

export { socketsOfShim } from './host-sockets.js';
export { networkTables } from './tables.js';
export { defaultPoolRanges } from './ipam.js';
export type { NetworkSettingsOfEngine } from './context.js';
export type { DefaultBridgeSettings } from './predefined.js';
export type { ContainersNeed, EventsNeed, NetworkedContainer, NetworkEvent } from './needs.js';

/** What the service is made of; it closes none of it but the drivers. */
export interface NetworksOptions {
  readonly store: Store;
  readonly netlink: Netlink;
  /** First 8 hex of the data root's digest. */
  readonly rootId: string;
  /** Every driver, `bridge`, `host` and `null` among them. */
  readonly plugins: readonly NetworkPlugin[];
  readonly containers: ContainersNeed;
  readonly events: EventsNeed;
  readonly warn: (message: string) => void;
  /** The folder of a container's hosts, hostname and resolv.conf. */
  readonly bundlePath: (containerId: string) => string;
  readonly settings: NetworkSettingsOfEngine;
  readonly defaultBridge: DefaultBridgeSettings;
  /** Containers may be born into network namespaces that were made ahead. */
  readonly makesAhead?: boolean;
  /** Of published ports; our own network namespace's by default. */
  readonly sockets?: HostSockets;
}

type Filters = Readonly<Record<string, readonly string[]>>;

/** The service: what the containers need of it, and what the API does with it. */
export interface Networks extends NetworksNeed {
  list(filters: Filters): Promise<readonly NetworkInspect[]>;
  /** `ApiError` 404 `network x not found`. */
  inspect(
    ref: string,
    options: { readonly verbose: boolean; readonly scope: string },
  ): Promise<NetworkInspect>;
  create(body: NetworkCreateRequest): Promise<NetworkCreateResponse>;
  remove(ref: string): Promise<void>;
  /** The API's connect; `connect` is the containers service's. */
  attach(ref: string, body: NetworkConnectRequest): Promise<void>;
  detach(ref: string, body: NetworkDisconnectRequest): Promise<void>;
  prune(filters: Filters): Promise<NetworkPruneResponse>;
  close(): Promise<void>;
}

/** Loads what the store has and sees to the predefined networks; `recover` must follow, once. */
export async function openNetworks(options: NetworksOptions): Promise<Networks> {
  const {
    rootId, defaultBridge, plugins, sockets = ownSockets, makesAhead = false, ...rest
  } = options;
  const pools = [...rest.settings.pools, uniqueLocalRange(rootId)];
  const context: Context = {
    ...rest,
    settings: { ...rest.settings, pools },
    plugins: new Map(plugins.map((plugin) => [plugin.name, plugin])),
    book: NetworkBook.load(options.store),
    ports: createPortBook(sockets),
    held: new Map(),
    ...(makesAhead ? { spares: createSpares(options) } : {}),
  };
  await ensurePredefined(context, rootId, defaultBridge);
  // One after the other, so that no two choose the same subnet or name.
  let creating: Promise<unknown> = Promise.resolve();
  const create = (body: NetworkCreateRequest): Promise<NetworkCreateResponse> => {
    const created = creating.then(() => createNetwork(context, body));
    creating = created.catch(() => undefined);
    return created;
  };
  return {
    check: (record) => check(context, record),
    nameOf: (ref) => nameOf(context, ref),
    idOf: (name) => context.book.byName(name)?.spec.id ?? '',
    expectStart: (record) => expectStart(context, record),
    allocate: (record, joined) => allocate(context, record, joined),
    connect: (sandbox, pid) => connectSandbox(context, sandbox, pid),
    editPorts: (record, ports) => editPorts(context, record, ports),
    release: (sandboxId) => releaseSandbox(context, sandboxId),
    recover: (live) => recover(context, live),
    list: (filters) => Promise.resolve().then(() => list(context, filters)),
    inspect: (ref, { scope }) => Promise.resolve().then(() => inspect(context, ref, scope)),
    create,
    remove: (ref) => remove(context, ref),
    attach: (ref, body) => connect(context, ref, body),
    detach: (ref, body) => disconnect(context, ref, body),
    prune: (filters) => prune(context, filters),
    close: async () => {
      context.spares?.close();
      for (const { dns, reservations } of context.held.values()) {
        dns?.close();
        context.ports.free(reservations);
      }
      for (const plugin of plugins) await plugin.close();
    },
  };
}

/** Refuses what cannot be; a network that does not exist is refused at start, as Docker does. */
function check(context: Context, record: ContainerRecord): void {
  portRequests(record.config, record.hostConfig);
  exposedPorts(record.config);
  for (const entry of record.hostConfig.ExtraHosts ?? []) {
    if (!isExtraHost(entry)) throw invalidParameter(`bad format for add-host: "${entry}"`);
  }
  if (networkMode(record).startsWith('container:')) return;
  checkLinks(context, record);
  if (networkMode(record) === 'host') refuseBesideHost(record);
  for (const [name, asked] of Object.entries(record.endpoints)) {
    const network = context.book.byName(name) ?? context.book.get(name);
    if (network === undefined) continue;
    checkEndpoint(network, asked, `invalid config for network ${name}: `);
  }
}

/** A namespace is made ahead for the work on links in it; without any it would save no time. */
function expectStart({ spares }: Context, record: ContainerRecord): void {
  const mode = networkMode(record);
  if (mode === 'none' || mode === 'host' || mode.startsWith('container:')) return;
  spares?.expect();
}

/** Docker fails when it starts: links of such a container would be the host's own. */
function refuseBesideHost({ endpoints }: ContainerRecord): void {
  if (Object.keys(endpoints).every((name) => name === 'host')) return;
  throw invalidParameter(
    'container sharing network namespace with another container or host cannot be connected to ' +
      'any other network');
}

/** The name of the network that `ref` means; of one that is not there, what was said. */
function nameOf({ book }: Context, ref: string): string {
  try {
    return book.resolve(ref).spec.name;
  } catch (error) {
    if (error instanceof ApiError) return ref;
    throw error;
  }
}

function list({ book }: Context, filters: Filters): readonly NetworkInspect[] {
  checkListFilters(filters);
  return book
    .all()
    .filter((record) => matchesList(record, filters, book.seatsOn(record.spec.id).length > 0))
    .map(networkView);
}

/** Every network here is `local`: of another scope there is none. */
function inspect(context: Context, ref: string, scope: string): NetworkInspect {
  const record = context.book.resolve(ref);
  if (scope !== '' && scope !== 'local') throw notFound(`network ${ref} not found`);
  return networkInspect(context, record);
}

async function remove(context: Context, ref: string): Promise<void> {
  const record = context.book.resolve(ref);
  const { id, name } = record.spec;
  if (record.isPredefined) {
    throw forbidden(`${name} is a pre-defined network and cannot be removed`);
  }
  if (context.book.seatsOn(id).length > 0) {
    throw forbidden(`error while removing network: network ${name} id ${id} has active endpoints`);
  }
  if (context.book.all().some(({ configFrom }) => configFrom === name)) {
    throw forbidden(`error while removing network: configuration network "${name}" is in use`);
  }
  await destroy(context, record);
}

async function destroy(context: Context, record: NetworkRecord): Promise<void> {
  const { id } = record.spec;
  const event = context.events.stamp(networkEvent('destroy', record));
  // Gone from the book first, so that no container joins while its bridge goes.
  context.book.remove(id);
  try {
    await pluginOf(context, record).removeNetwork(record.spec);
    await context.store.commit([
      dropNetwork(id),
      { sql: 'DELETE FROM addresses WHERE network_id = ?', params: [id] },
      ...event.statements,
    ], 'full');
  } catch (error) {
    context.book.add(record);
    throw error;
  }
  event.announce();
}

async function prune(context: Context, filters: Filters): Promise<NetworkPruneResponse> {
  const nowMs = Date.now();
  checkPruneFilters(filters, nowMs);
  const removed: string[] = [];
  for (const record of context.book.all()) {
    const { id, name } = record.spec;
    if (record.isPredefined || context.book.seatsOn(id).length > 0) continue;
    if (!matchesPrune(record, filters, nowMs)) continue;
    await destroy(context, record);
    removed.push(name);
  }
  return { NetworksDeleted: removed.length === 0 ? null : removed };
}

