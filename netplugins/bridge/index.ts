/** The `bridge` driver: a Linux bridge per network, a veth pair per endpoint, ports by nftables. */
import { invalidParameter, systemError } from '../../api-spec/errors.js';
import { ErrnoError } from '../../native/errno-error.js';
import type { Link, Netlink, Netns } from '../../native/netlink/index.js';
import type {
  EndpointSpec, NetworkPlugin, NetworkSpec, PortMapping,
} from '../plugin.js';
import { hasProxy } from '../proxy.js';
import { createDepartures, type Departures } from './departures.js';
import { createFirewall, type Firewall } from './firewall.js';
import {
  networkElements, ownerOf, portElements, type FirewallElement,
} from './firewall-text.js';
import { dismissBridge } from './foreign-chains.js';
import {
  bridgeStateSteps, bridgeSteps, hostLinkName, hostSteps, joinSteps,
} from './links.js';
import { optionNames, parseBridgeOptions } from './options.js';

export { macOf } from './links.js';
export { parseBridgeOptions } from './options.js';

/** What the driver is given. */
export interface BridgeContext {
  /** First 8 hex of the data root's digest. */
  readonly rootId: string;
  readonly netlink: Netlink;
  /** Told what the engine's owner should know; not errors. */
  readonly warn: (message: string) => void;
  /** What keeps traffic from our bridges now, for `info`: replaces what was said before. */
  readonly report?: (problems: readonly string[]) => void;
  /** False leaves `net.ipv4.ip_forward` and IPv6's as they are. */
  readonly setsForwarding?: boolean;
}

interface Parts extends BridgeContext {
  readonly firewall: Firewall;
  readonly departures: Departures;
}

/** Makes the driver; `reconcile` must be called once before the rest. */
export function createBridgePlugin(context: BridgeContext): NetworkPlugin {
  const parts: Parts = {
    ...context,
    firewall: createFirewall({ report: () => undefined, ...context }),
    departures: createDepartures(context.netlink),
  };
  const { rootId, netlink, firewall, departures } = parts;
  return {
    name: 'bridge',
    scope: 'local',
    isolates: true,
    validate,
    createNetwork: async (network) => {
      validate(network);
      await makeBridge(parts, network);
      await firewall.set(network.id, networkElements(rootId, network));
      await firewall.admit();
    },
    removeNetwork: async (network) => {
      await firewall.clear(network.id);
      await dismissBridge(netlink, network.linkName).catch(ignoreNoFirewall);
      const link = await findLink(netlink, network.linkName);
      if (link?.alias !== ownerOf(rootId, network.id)) return;
      await netlink.run([{ do: 'deleteLink', name: network.linkName, tolerate: ['ENODEV'] }]);
    },
    join: (network, endpoint, target) => join(parts, network, endpoint, target),
    leave: async (_network, endpoint, netns) => {
      const name = hostLinkName(endpoint.id);
      if (netns === 'dying') return { released: departures.watch(name) };
      await netlink.run([{ do: 'deleteLink', name, tolerate: ['ENODEV'] }]);
      return { released: Promise.resolve() };
    },
    publish: async (_network, endpoint, ports, gone = []) => {
      if (!firewall.available() && !ports.every(hasProxy)) {
        throw systemError('ports cannot be published: nftables is not available');
      }
      await Promise.all([
        firewall.set(endpoint.id, portElements(rootId, endpoint, ports)),
        letHairpin(netlink, endpoint, ports.length > 0),
      ]);
      await forgetFlows(parts, [...ports, ...gone]);
    },
    unpublish: (endpointId) => firewall.clear(endpointId),
    reconcile: (live) => reconcile(parts, live),
    close: () => {
      firewall.close();
      departures.close();
      return Promise.resolve();
    },
  };
}

function validate(network: NetworkSpec): void {
  const options = parseBridgeOptions(network.options);
  if (network.subnets.length === 0) throw invalidParameter('a bridge network needs a subnet');
  if (options.name !== undefined && options.name !== network.linkName) {
    throw invalidParameter(`${optionNames.name} and the link's name differ`);
  }
}

async function findLink(netlink: Netlink, name: string): Promise<Link | undefined> {
  const [links] = await netlink.run([{ do: 'links' }]);
  return links.find((link) => link.name === name);
}

/** Makes or adopts the bridge. A bridge that the user named and made is used and stays theirs. */
async function makeBridge(parts: Parts, network: NetworkSpec): Promise<void> {
  const { rootId, netlink, firewall } = parts;
  try {
    await netlink.run(bridgeSteps(rootId, network));
  } catch (error) {
    if (!(error instanceof ErrnoError) || error.code !== 'EEXIST') throw error;
    const link = await findLink(netlink, network.linkName);
    const isOurs = link?.alias === ownerOf(rootId, network.id);
    const isUsers = network.options[optionNames.name] === network.linkName;
    if (link?.kind !== 'bridge' || (!isOurs && !(isUsers && !link.alias.startsWith('tsdocker:')))) {
      throw invalidParameter(`a link ${network.linkName} exists and is not this network's`, error);
    }
  }
  await netlink.run(bridgeStateSteps(network, firewall.available()));
  if (parts.setsForwarding === false) return;
  await netlink.run(hostSteps(network.subnets.some(({ family }) => family === 6)));
}

async function join(
  parts: Parts,
  network: NetworkSpec,
  endpoint: EndpointSpec,
  target: Netns,
): Promise<void> {
  const { rootId, netlink } = parts;
  const steps = joinSteps(rootId, network, endpoint, target);
  try {
    await netlink.run(steps);
  } catch (error) {
    if (!(error instanceof ErrnoError)) throw error;
    if (error.syscall === 'RTM_NEWLINK' && error.code === 'EXFULL') {
      throw systemError(`bridge ${network.linkName} is full: it holds 1023 endpoints`, error);
    }
    const name = hostLinkName(endpoint.id);
    const link = await findLink(netlink, name);
    const isOurs =
      link?.kind === 'veth' &&
      (link.alias === '' || link.alias.startsWith(`tsdocker:${rootId}:`));
    if (isOurs) await netlink.run([{ do: 'deleteLink', name, tolerate: ['ENODEV'] }]);
    if (error.code !== 'EEXIST' || !isOurs) throw error;
    await netlink.run(steps);
  }
}

/** Links first, then the table in one transaction; what carries our root and nobody knows goes. */
async function reconcile(
  parts: Parts,
  live: Parameters<NetworkPlugin['reconcile']>[0],
): Promise<readonly string[]> {
  const { rootId, netlink, firewall } = parts;
  const done: string[] = [];
  const elements = new Map<string, readonly FirewallElement[]>();
  for (const network of live.networks) elements.set(network.id, networkElements(rootId, network));
  for (const { endpoint, ports } of live.endpoints) {
    elements.set(endpoint.id, portElements(rootId, endpoint, ports));
  }
  await firewall.open(elements);
  const [links] = await netlink.run([{ do: 'links' }]);
  const known = new Set([
    ...live.networks.map(({ id }) => ownerOf(rootId, id)),
    ...live.endpoints.map(({ endpoint }) => ownerOf(rootId, endpoint.id)),
  ]);
  for (const { name, alias } of links) {
    if (!alias.startsWith(`tsdocker:${rootId}:`) || known.has(alias)) continue;
    await netlink.run([{ do: 'deleteLink', name, tolerate: ['ENODEV'] }]);
    done.push(`removed link ${name} of nobody`);
  }
  for (const network of live.networks) {
    if (!links.some(({ alias }) => alias === ownerOf(rootId, network.id))) {
      done.push(`bridge ${network.linkName} was missing`);
    }
    // One network that cannot be must not keep the others from being.
    await makeBridge(parts, network).catch((error: unknown) => {
      done.push(`network ${network.name} has no bridge: ${String(error)}`);
    });
  }
  for (const { endpoint } of live.endpoints) {
    if (links.some(({ alias }) => alias === ownerOf(rootId, endpoint.id))) continue;
    done.push(`endpoint ${endpoint.id.slice(0, 12)} has lost its link`);
  }
  return done;
}

/**
 * Where br_netfilter is loaded, what a container sends to its own published port is translated
 * inside the bridge and has to go out by the port that it came in by.
 */
async function letHairpin(netlink: Netlink, { id }: EndpointSpec, hairpin: boolean): Promise<void> {
  const name = hostLinkName(id);
  await netlink.run([{ do: 'setLink', name, hairpin, tolerate: ['ENODEV'] }]);
}

/** A client that sent to an UDP port before it was published would never reach the container. */
async function forgetFlows({ netlink, warn }: Parts, ports: readonly PortMapping[]): Promise<void> {
  const steps = ports
    .filter(({ protocol }) => protocol === 'udp')
    .map(({ hostPort }) => ({ do: 'forgetUdp', port: hostPort }) as const);
  if (steps.length === 0) return;
  await netlink.run(steps).catch((error: unknown) => {
    warn(`older UDP flows to published ports may go astray: ${String(error)}`);
  });
}

function ignoreNoFirewall(error: unknown): void {
  if (!(error instanceof ErrnoError) || !['dlopen', 'nft'].includes(error.syscall)) throw error;
}
