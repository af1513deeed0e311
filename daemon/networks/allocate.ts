/** At start: addresses, ports and files of a container, recorded before they are used. */
import { isIPv4, isIPv6 } from 'node:net';
import type { EndpointSettings } from '../../api-spec/index.js';
import { ApiError } from '../../api-spec/errors.js';
import { parseBridgeOptions } from '../../netplugins/bridge/index.js';
import type { Sandbox } from '../containers/needs.js';
import type { ContainerRecord } from '../containers/record.js';
import { randomId } from '../random-id.js';
import { currentName, hasNames, networkEvent, networkOf, type Context } from './context.js';
import { dnsNames, makeEndpoint } from './endpoint.js';
import { filePaths, ownAddresses } from './files.js';
import { linkEnvironment, refuseDeadLinks } from './links.js';
import { takeNetns } from './join.js';
import { exposedPorts, portRequests, type PortRequest } from './port-requests.js';
import { type PortTarget, type Reservation } from './ports.js';
import { portEndpoint, publish, unpublish } from './publish.js';
import {
  dropSandbox, freeAddresses, saveSandbox, takeAddresses, type EndpointRecord,
  type NetworkRecord, type SandboxRecord,
} from './records.js';
import { resolverOf, writeSandboxFiles } from './sandbox-files.js';

/** What a joined sandbox is made from. */
export interface Joined {
  readonly pid: number;
  readonly sandbox: Sandbox;
}

/**
 * Makes the sandbox of one start; what was taken is given back when it fails. Its files are there
 * when it is `ready`; that it is recorded is awaited by connect, while the shim starts.
 */
export async function allocate(
  context: Context,
  record: ContainerRecord,
  joined?: Joined,
): Promise<Sandbox> {
  if (joined !== undefined) return joinedSandbox(joined);
  const { book, held } = context;
  const resolver = resolverOf(context, record);
  const { endpoints, reservations } = takeAll(context, record);
  const made = sandboxRecord(record, endpoints, reservations);
  const hasDns = endpoints.some(({ networkId }) => hasNames(book.get(networkId)));
  const sandbox = hasDns ? { ...made, dnsServers: resolver.servers } : made;
  // From here on its networks have an active endpoint and cannot be removed.
  book.putSandbox(sandbox);
  const recorded = keep(context, sandbox);
  // Connect throws what it rejects with; it may come later.
  recorded.catch(() => undefined);
  // Ports need no namespace: they are served by the time that the container has one.
  const published = recorded.then(() => publish(context, sandbox));
  published.catch(() => undefined);
  // Whoever needs the files waits for them.
  const ready = writeSandboxFiles(context, record, sandbox, resolver);
  ready.catch(() => undefined);
  held.set(sandbox.id, { reservations, recorded, published, ready });
  try {
    const linked = linkEnvironment(context, record, endpoints);
    const view = sandboxView(context, sandbox);
    // Assigned, since the view answers by getters.
    return Object.assign(
      view,
      { ready, takeNetns: () => takeNetns(context, sandbox) },
      linked.length === 0 ? {} : { linkVariables: linked },
    );
  } catch (error) {
    await Promise.allSettled([recorded, published, ready]);
    await unpublish(context, sandbox);
    book.removeSandbox(sandbox.id);
    held.delete(sandbox.id);
    giveBack(context, endpoints, reservations);
    const statements = endpoints.map(({ spec }) => freeAddresses(spec.id));
    await context.store.commit([dropSandbox(sandbox.id), ...statements], 'normal');
    throw error;
  }
}

/** Addresses and ports in memory and by sockets; all or none. */
function takeAll(context: Context, record: ContainerRecord) {
  const endpoints: EndpointRecord[] = [];
  try {
    const wanted = record.config.NetworkDisabled === true ? [] : plans(context, record);
    for (const plan of wanted) endpoints.push(makeEndpoint(context.book, plan));
    refuseDeadLinks(context, record, endpoints);
    return { endpoints, reservations: reserve(context, record, endpoints) };
  } catch (error) {
    giveBack(context, endpoints, []);
    throw error;
  }
}

function giveBack(
  context: Context,
  endpoints: readonly EndpointRecord[],
  reservations: readonly Reservation[],
): void {
  context.ports.free(reservations);
  for (const { networkId, spec } of endpoints) context.book.freeAddresses(networkId, spec.id);
}

function joinedSandbox({ pid, sandbox }: Joined): Sandbox {
  return {
    id: randomId(),
    joinPid: pid,
    kind: 'joined',
    hostsPath: sandbox.hostsPath,
    resolvConfPath: sandbox.resolvConfPath,
    hostnamePath: sandbox.hostnamePath,
    hostname: sandbox.hostname,
    domainname: sandbox.domainname,
    endpoints: {},
    ports: {},
    reservations: [],
  };
}

/** The sandbox as the containers service sees it; endpoints and ports follow later changes. */
export function sandboxView(context: Context, made: SandboxRecord): Sandbox {
  const now = (): SandboxRecord => context.book.sandbox(made.id) ?? made;
  return {
    id: made.id,
    kind: made.kind,
    ...filePaths(context.bundlePath(made.containerId)),
    hostname: made.hostname,
    domainname: made.domainname,
    get endpoints() {
      return endpointSettings(context, now());
    },
    get ports() {
      return now().portBindings;
    },
    get reservations() {
      const { reservations = [] } = context.held.get(made.id) ?? {};
      return reservations.flatMap((reservation) => context.ports.heldSocket(reservation) ?? []);
    },
  };
}

/** With the names by which it is found now: it may have been renamed. */
function endpointSettings(
  context: Context,
  sandbox: SandboxRecord,
): Readonly<Record<string, EndpointSettings>> {
  const container = { id: sandbox.containerId, name: currentName(context, sandbox) };
  const named = (settings: EndpointSettings): EndpointSettings =>
    !Array.isArray(settings.DNSNames) ? settings
      : { ...settings, DNSNames: dnsNames(container, settings.Aliases ?? []) };
  return Object.fromEntries(sandbox.endpoints.map(({ networkName, settings }) =>
    [networkName, named(settings)]));
}

/** The networks that a container is to be on, in the order of its interfaces. */
export function wishes(context: Context, record: ContainerRecord): readonly Wish[] {
  if (networkMode(record).startsWith('container:')) return [];
  // Who was taken off all of them is on none, whatever the mode says.
  return Object.entries(record.endpoints)
    .map(([name, settings]) => ({ network: context.book.resolve(name), asked: settings }))
    .sort((a, b) =>
      Number(a.network.spec.internal) - Number(b.network.spec.internal) || byPriority(a, b));
}

interface Wish {
  readonly network: NetworkRecord;
  readonly asked: EndpointSettings;
}

/** The highest gateway priority first, then by name: so `eth0` is the way out, as in Docker. */
function byPriority(a: Wish, b: Wish): number {
  return (b.asked.GwPriority ?? 0) - (a.asked.GwPriority ?? 0) ||
    (a.network.spec.name < b.network.spec.name ? -1 : 1);
}

/** `bridge` for a mode that is empty or `default`. */
export function networkMode(record: ContainerRecord): string {
  const mode = record.hostConfig.NetworkMode ?? '';
  return mode === '' || mode === 'default' ? 'bridge' : mode;
}

function plans(context: Context, record: ContainerRecord) {
  const wanted = wishes(context, record);
  const gateway = gatewayNetwork(wanted);
  return wanted.map(({ network, asked }, index) => ({
    network,
    asked,
    container: record,
    ifname: interfaceName(network, index),
    isGateway: network === gateway,
    links: [...(asked.Links ?? []), ...(hasNames(network) ? (record.hostConfig.Links ?? []) : [])],
  }));
}

/** The interface's name inside; the prefix may be the network's. */
export function interfaceName(network: NetworkRecord, index: number): string {
  const prefix = network.spec.driver === 'bridge'
    ? parseBridgeOptions(network.spec.options).interfacePrefix
    : 'eth';
  return `${prefix}${index}`;
}

/** Who has the default route: not an internal network, the highest priority, the first name. */
export function gatewayNetwork(wanted: readonly Wish[]): NetworkRecord | undefined {
  return wanted.filter(({ network }) => !network.spec.internal).sort(byPriority)[0]?.network;
}

function reserve(
  context: Context,
  record: ContainerRecord,
  endpoints: readonly EndpointRecord[],
): readonly Reservation[] {
  return takePorts(context, { record, endpoints }, (requests, target) =>
    context.ports.reserve(requests, target));
}

/** Takes what a container's record asks for, at the endpoint that has ports; errors name it. */
export function takePorts(
  context: Context,
  { record, endpoints }: PortOwner,
  take: (requests: readonly PortRequest[], target: PortTarget) => readonly Reservation[],
): readonly Reservation[] {
  const requests = portRequests(record.config, record.hostConfig);
  const endpoint = portEndpoint(endpoints);
  if (endpoint === undefined) return [];
  const { hostBinding } = parseBridgeOptions(networkOf(context, endpoint).spec.options);
  const addresses = ownAddresses(endpoint.spec.addresses);
  const containerIp = addresses.find(isIPv4) ?? '';
  const containerIp6 = addresses.find(isIPv6);
  try {
    return take(requests, {
      containerIp,
      ...(containerIp6 === undefined ? {} : { containerIp6 }),
      defaultHostIp: hostBinding,
    });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const words = 'driver failed programming external connectivity on endpoint';
    throw new ApiError(
      error.kind, `${words} ${record.name} (${endpoint.spec.id}): ${error.message}`,
      { cause: error });
  }
}

/** A container, and where it is reached. */
export interface PortOwner {
  readonly record: ContainerRecord;
  readonly endpoints: readonly EndpointRecord[];
}

function sandboxRecord(
  record: ContainerRecord,
  endpoints: readonly EndpointRecord[],
  reservations: readonly Reservation[],
): SandboxRecord {
  const mode = networkMode(record);
  const isBare = endpoints.every(({ spec }) => spec.addresses.length === 0);
  return {
    id: randomId(),
    containerId: record.id,
    containerName: record.name,
    kind: mode === 'host' ? 'host' : isBare ? 'none' : 'isolated',
    hostname: record.config.Hostname ?? '',
    domainname: record.config.Domainname ?? '',
    endpoints,
    ...shownPorts(record, endpoints, reservations),
  };
}

/** A sandbox's ports, as they are and as inspect shows them. */
export function shownPorts(
  record: ContainerRecord,
  endpoints: readonly EndpointRecord[],
  reservations: readonly Reservation[],
): Pick<SandboxRecord, 'ports' | 'portBindings'> {
  return {
    ports: reservations.map(({ mapping }) => mapping),
    portBindings: portBindings(record, endpoints, reservations),
  };
}

function portBindings(
  record: ContainerRecord,
  endpoints: readonly EndpointRecord[],
  reservations: readonly Reservation[],
): SandboxRecord['portBindings'] {
  if (portEndpoint(endpoints) === undefined) return {};
  const bindings: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  for (const { port, protocol } of exposedPorts(record.config)) {
    bindings[`${port}/${protocol}`] = null;
  }
  for (const { mapping } of reservations) {
    const key = `${mapping.containerPort}/${mapping.protocol}`;
    const binding = { HostIp: mapping.hostIp, HostPort: String(mapping.hostPort) };
    bindings[key] = [...(bindings[key] ?? []), binding];
  }
  return bindings;
}

/** Only observed, and derived again from the kernel after a power cut: not synced. */
async function keep(context: Context, sandbox: SandboxRecord): Promise<void> {
  const pending = sandbox.endpoints.map((endpoint) =>
    context.events.stamp(
      networkEvent('connect', networkOf(context, endpoint), sandbox.containerId)));
  await context.store.commit(
    [
      // A row of a life whose end was not seen must not stand in the way.
      { sql: 'DELETE FROM sandboxes WHERE container_id = ?', params: [sandbox.containerId] },
      saveSandbox(sandbox),
      ...sandbox.endpoints.flatMap(takeAddresses),
      ...pending.flatMap(({ statements }) => statements),
    ],
    'normal',
  );
  for (const event of pending) event.announce();
}
