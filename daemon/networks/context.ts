/** What every verb of the networks service works with. */
import { ApiError } from '../../api-spec/errors.js';
import type { Netlink } from '../../native/netlink/index.js';
import type { NetworkPlugin } from '../../netplugins/plugin.js';
import type { Store } from '../store/store.js';
import type { NetworkBook } from './book.js';
import type { DnsServer } from './dns-server.js';
import type { ResolverConfig } from './files.js';
import type { PoolRange } from './ipam.js';
import type { ContainersNeed, EventsNeed, NetworkEvent } from './needs.js';
import type { PortBook, Reservation } from './ports.js';
import type { EndpointRecord, NetworkRecord, SandboxRecord } from './records.js';
import type { Spares } from './spares.js';

/** Everything that the verbs share; made once in `openNetworks`. */
export interface Context {
  readonly store: Store;
  readonly netlink: Netlink;
  readonly plugins: ReadonlyMap<string, NetworkPlugin>;
  readonly containers: ContainersNeed;
  readonly events: EventsNeed;
  readonly warn: (message: string) => void;
  readonly book: NetworkBook;
  readonly ports: PortBook;
  /** Sockets of live sandboxes, by sandbox id. */
  readonly held: Map<string, Held>;
  /** Absent where containers have user namespaces, which own their networks. */
  readonly spares?: Spares;
  /** The folder of a container's hosts, hostname and resolv.conf. */
  readonly bundlePath: (containerId: string) => string;
  readonly settings: NetworkSettingsOfEngine;
}

/** What only a living daemon has of a sandbox. */
export interface Held {
  reservations: readonly Reservation[];
  /** Settles when the sandbox is in the store: before anything of it is used. */
  readonly recorded: Promise<void>;
  /** Settles when its ports are served, which waits for no namespace. */
  readonly published: Promise<void>;
  /** Settles when its files are written: from then on nothing of ours is in its bundle. */
  readonly ready?: Promise<void>;
  /** The namespace made ahead that it is set up in, until somebody lives there. */
  netns?: TakenNetns;
  dns?: DnsServer;
}

/** A namespace whose links are made before its container is. */
export interface TakenNetns {
  readonly fd: number;
  /** Settles when the links and names of its sandbox are there. */
  readonly joined: Promise<void>;
}

/** What the engine's configuration says of networks. */
export interface NetworkSettingsOfEngine {
  /** Ranges for networks that ask for none. */
  readonly pools: readonly PoolRange[];
  readonly mtu: number;
  /** `--dns`, `--dns-search`, `--dns-opt`. */
  readonly dns: ResolverConfig;
  /** What `host-gateway` means; empty for the default bridge's gateway. */
  readonly hostGatewayIp: string;
  /** `--default-network-opt`: options that new networks of a driver have, by driver. */
  readonly defaultOptions: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Where the host's own resolver configuration is read, at each start. */
  readonly hostResolvConfPath: string;
}

/** Whether names are resolved on it: on all bridges but the default one. */
export function hasNames(network: NetworkRecord | undefined): boolean {
  return network !== undefined && !network.isPredefined;
}

/** A container's name now: it may have been renamed since its sandbox was made. */
export function currentName(context: Context, sandbox: SandboxRecord): string {
  try {
    return context.containers.find(sandbox.containerId).record.name;
  } catch (error) {
    // It is being removed; its last name will do.
    if (!(error instanceof ApiError)) throw error;
    return sandbox.containerName;
  }
}

/** The driver of a network that exists. */
export function pluginOf(context: Context, network: NetworkRecord): NetworkPlugin {
  const plugin = context.plugins.get(network.spec.driver);
  if (plugin === undefined) throw new Error(`no network driver ${network.spec.driver}`);
  return plugin;
}

/** The network of an endpoint that exists. */
export function networkOf(context: Context, endpoint: EndpointRecord): NetworkRecord {
  const network = context.book.get(endpoint.networkId);
  if (network === undefined) throw new Error(`no network ${endpoint.networkId}`);
  return network;
}

/** An event of a network, in Docker's words. */
export function networkEvent(
  action: NetworkEvent['action'],
  network: NetworkRecord,
  containerId?: string,
): NetworkEvent {
  const { id, name, driver } = network.spec;
  return {
    type: 'network',
    action,
    id,
    attributes: {
      ...(containerId === undefined ? {} : { container: containerId }),
      name,
      type: driver,
    },
  };
}
