/** Connect and disconnect: a stopped container's wishes change, a live one's links too. */
import type {
  EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest,
} from '../../api-spec/index.js';
import { forbidden, invalidParameter, systemError } from '../../api-spec/errors.js';
import { gatewayNetwork, interfaceName, networkMode, wishes } from './allocate.js';
import { leave } from './connect.js';
import { publish } from './publish.js';
import { hasNames, networkEvent, networkOf, pluginOf, type Context } from './context.js';
import { startDns } from './embedded-dns.js';
import { dnsNames, makeEndpoint } from './endpoint.js';
import { checkEndpoint } from './endpoint-check.js';
import type { NetworkedContainer } from './needs.js';
import {
  saveSandbox, takeAddresses, type EndpointRecord, type NetworkRecord, type SandboxRecord,
} from './records.js';
import { resolverOf, writeSandboxFiles } from './sandbox-files.js';

/**
 * Puts a container on one more network; `ApiError` 400, 403 or 404 in Docker's words. It has the
 * container to itself: a start, an exit or other ports would each go by networks of its own.
 */
export async function connect(
  context: Context,
  ref: string,
  body: NetworkConnectRequest,
): Promise<void> {
  const name = body.Container ?? '';
  if (name === '') throw invalidParameter('invalid name or ID supplied: ""');
  const network = context.book.resolve(ref);
  const { id } = context.containers.find(name).record;
  await context.containers.inTurn(id, () =>
    connectOne(context, network, { container: id, asked: body.EndpointConfig ?? {} }));
}

async function connectOne(
  context: Context,
  network: NetworkRecord,
  { container: id, asked }: { readonly container: string; readonly asked: EndpointSettings },
): Promise<void> {
  const container = context.containers.find(id);
  checkEndpoint(network, asked);
  const sandbox = context.book.sandboxOf(id);
  if (isByMode(network, container)) {
    if (sandbox !== undefined) throw alreadyThere(network, container);
    return;
  }
  refuseConnect(context, network, container);
  // Of one that rests, inspect tells by which names it will be found.
  const names = hasNames(network) && sandbox === undefined
    ? { DNSNames: dnsNames(container.record, asked.Aliases ?? []) } : {};
  const endpoints = {
    ...container.record.endpoints, [network.spec.name]: { ...asked, ...names },
  };
  if (sandbox !== undefined && container.pid !== undefined) {
    await plug(context, container, { sandbox, network, asked });
  } else {
    await announce(context, 'connect', network, id);
  }
  await context.containers.setEndpoints(id, endpoints);
}

/** It is of this network's kind, with nothing to be added: Docker finds it there. */
function isByMode(network: NetworkRecord, { record }: NetworkedContainer): boolean {
  const isKind = network.spec.driver === 'host' || network.spec.driver === 'null';
  return isKind && networkMode(record) === network.spec.name &&
    Object.keys(record.endpoints).length > 0;
}

function refuseConnect(
  context: Context,
  network: NetworkRecord,
  container: NetworkedContainer,
): void {
  const { record } = container;
  const mode = networkMode(record);
  if (network.spec.driver === 'host') throw notWithHost();
  if (mode === 'host' || mode.startsWith('container:')) {
    throw invalidParameter(
      'container sharing network namespace with another container or host cannot be connected ' +
        'to any other network');
  }
  // A container that was taken off `none` is on no network, whatever its mode still says.
  const isOnNone = wishes(context, record).some((wish) => wish.network.spec.driver === 'null');
  const left = mode === 'none' && Object.keys(record.endpoints).length === 0;
  if ((isOnNone && !left) || network.spec.driver === 'null') {
    throw invalidParameter(
      'container cannot be connected to multiple networks with one of the networks in private ' +
        '(none) mode');
  }
  const sandbox = context.book.sandboxOf(record.id);
  if (sandbox?.endpoints.some(({ networkId }) => networkId === network.spec.id) === true) {
    throw alreadyThere(network, container);
  }
}

function alreadyThere(network: NetworkRecord, { record }: NetworkedContainer): Error {
  return forbidden(
    `endpoint with name ${record.name} already exists in network ${network.spec.name}`);
}

function notWithHost(): Error {
  return invalidParameter(
    'container cannot be disconnected from host network or connected to host network');
}

interface Plug {
  readonly sandbox: SandboxRecord;
  readonly network: NetworkRecord;
  readonly asked: EndpointSettings;
}

async function plug(
  context: Context,
  { record, pid }: NetworkedContainer,
  { sandbox, network, asked }: Plug,
): Promise<void> {
  if (pid === undefined) return;
  const others = sandbox.endpoints.map((e) => ({
    network: networkOf(context, e), asked: e.settings,
  }));
  const hasDefault = sandbox.endpoints.some(({ spec }) => spec.gateways.length > 0);
  const endpoint = makeEndpoint(context.book, {
    network,
    asked,
    container: record,
    ifname: freeInterface(network, sandbox.endpoints),
    // A default route that exists stays, until the next start sorts all endpoints anew.
    isGateway: !hasDefault && gatewayNetwork([...others, { network, asked }]) === network,
    links: asked.Links ?? [],
  });
  try {
    await pluginOf(context, network).join(network.spec, endpoint.spec, { pid });
    const changed = { ...sandbox, endpoints: [...sandbox.endpoints, endpoint] };
    await replace(context, { record, pid }, changed, endpoint);
  } catch (error) {
    await leave(context, endpoint, 'live');
    context.book.putSandbox(sandbox);
    throw error;
  }
  await announce(context, 'connect', network, record.id);
}

function freeInterface(network: NetworkRecord, endpoints: readonly EndpointRecord[]): string {
  const taken = new Set(endpoints.map(({ spec }) => spec.ifname));
  for (let index = 0; ; index++) {
    const name = interfaceName(network, index);
    if (!taken.has(name)) return name;
  }
}

/** Records a live sandbox that has changed, and brings its files and DNS up to date. */
async function replace(
  context: Context,
  { record, pid }: { readonly record: NetworkedContainer['record']; readonly pid: number },
  changed: SandboxRecord,
  added?: EndpointRecord,
): Promise<void> {
  const resolver = resolverOf(context, record);
  const needsDns = changed.endpoints.some((e) => hasNames(context.book.get(e.networkId)));
  const isNewDns = needsDns && changed.dnsServers === undefined;
  const sandbox = isNewDns ? { ...changed, dnsServers: resolver.servers } : changed;
  const taken = added === undefined ? [] : takeAddresses(added);
  await context.store.commit([saveSandbox(sandbox), ...taken], 'normal');
  context.book.putSandbox(sandbox);
  await writeSandboxFiles(context, record, sandbox, resolver);
  if (isNewDns) await startDns(context, sandbox.id, { pid });
  if (added !== undefined && added.spec.gateways.length > 0) await publish(context, sandbox);
}

/** Takes a container off a network; `ApiError` 404 or 500 in Docker's words. */
export async function disconnect(
  context: Context,
  ref: string,
  body: NetworkDisconnectRequest,
): Promise<void> {
  const name = body.Container ?? '';
  if (name === '') throw invalidParameter('invalid name or ID supplied: ""');
  const network = context.book.resolve(ref);
  const { id } = context.containers.find(name).record;
  await context.containers.inTurn(id, () => disconnectOne(context, network, id));
}

async function disconnectOne(
  context: Context,
  network: NetworkRecord,
  id: string,
): Promise<void> {
  const { record, pid } = context.containers.find(id);
  const sandbox = context.book.sandboxOf(record.id);
  const endpoint = sandbox?.endpoints.find(({ networkId }) => networkId === network.spec.id);
  const wished = wishes(context, record).some((wish) => wish.network === network);
  if (endpoint === undefined && !wished) {
    const the = pid === undefined ? 'the ' : '';
    throw systemError(
      `container ${record.id} is not connected to ${the}network ${network.spec.name}`);
  }
  if (network.spec.driver === 'host') throw notWithHost();
  if (sandbox !== undefined && endpoint !== undefined && pid !== undefined) {
    const endpoints = sandbox.endpoints.filter((other) => other !== endpoint);
    await leave(context, endpoint, 'live');
    await replace(context, { record, pid }, { ...sandbox, endpoints });
  }
  await announce(context, 'disconnect', network, record.id);
  const left = Object.entries(record.endpoints).filter(([name]) =>
    name !== network.spec.name && !network.spec.id.startsWith(name));
  await context.containers.setEndpoints(record.id, Object.fromEntries(left));
}

async function announce(
  context: Context,
  action: 'connect' | 'disconnect',
  network: NetworkRecord,
  containerId: string,
): Promise<void> {
  const event = context.events.stamp(networkEvent(action, network, containerId));
  if (event.statements.length > 0) await context.store.commit(event.statements, 'normal');
  event.announce();
}
