/** One bridge, and places on it for the lives of the engine that decides nothing. */
import { closeSync } from 'node:fs';
import { randomId } from '../../daemon/random-id.js';
import type { HeldSocket } from '../../native/shim/held-socket.js';
import { openInetSocket, openNetlink } from '../../native/netlink/index.js';
import { createBridgePlugin, macOf } from '../../netplugins/bridge/index.js';
import type { EndpointSpec, NetworkSpec, PortMapping } from '../../netplugins/plugin.js';

const prefix = '10.253.7';
const subnet = { family: 4, cidr: `${prefix}.0/24`, gateway: `${prefix}.1` } as const;
const published = { protocol: 'tcp', address: '127.0.0.1', port: 0, listen: false } as const;
/** Hosts of the network that are used in turn: an address comes back some time after an end. */
const hosts = 200;

/** The network of one life. */
export interface Joined {
  /** Of the namespace that the container is to be born into. */
  readonly netns: number;
  /** Settles when its link is there, and its port is served: before its process runs. */
  readonly ready: Promise<unknown>;
  /** The port's socket. */
  readonly held: readonly HeldSocket[];
  /** After its end. */
  readonly leave: () => Promise<void>;
}

/** What is there before any container is. */
export interface BareNetwork {
  /** Makes a namespace for the next life, as the daemon does when one has been created. */
  readonly expect: () => void;
  readonly join: () => Promise<Joined>;
  readonly close: () => Promise<void>;
}

/** `publishes`: one port of each container, on a free one of the host. */
export async function bareNetwork(rootId: string, publishes: boolean): Promise<BareNetwork> {
  const network: NetworkSpec = {
    id: randomId(), name: 'bare', driver: 'bridge', internal: false, subnets: [subnet], options: {},
    linkName: `tsb${rootId}`, mtu: 1500,
  };
  const netlink = openNetlink();
  const plugin = createBridgePlugin({ rootId, netlink, warn: () => undefined });
  await plugin.reconcile({ networks: [], endpoints: [] });
  await plugin.createNetwork(network);
  const makeNetns = (): Promise<number> => netlink.run([{ do: 'makeNetns' }]).then(([fd]) => fd);
  let ahead: Promise<number> | undefined;
  let lives = 0;
  return {
    expect: () => {
      ahead = makeNetns();
    },
    join: async () => {
      const netns = await (ahead ?? makeNetns());
      const endpoint = endpointOf(lives++ % hosts);
      const joined = plugin.join(network, endpoint, { fd: netns });
      const socket = publishes ? openInetSocket(published) : undefined;
      const mappings = socket === undefined ? [] : [mappingOf(endpoint, socket.port)];
      return {
        netns,
        held: socket === undefined ? [] : [socket],
        ready: Promise.all([
          joined, publishes ? plugin.publish(network, endpoint, mappings) : undefined,
        ]),
        leave: async () => {
          const left = plugin.leave(network, endpoint, 'dying');
          await Promise.all([left, publishes ? plugin.unpublish(endpoint.id) : undefined]);
        },
      };
    },
    close: async () => {
      await plugin.removeNetwork(network);
      await plugin.close();
      netlink.close();
    },
  };
}

function endpointOf(host: number): EndpointSpec {
  const address = `${prefix}.${String(host + 2)}`;
  const id = randomId();
  return {
    id, containerId: id, ifname: 'eth0', mac: macOf(address), addresses: [`${address}/24`],
    gateways: [subnet.gateway], sysctls: {},
  };
}

function mappingOf({ addresses: [address = ''] }: EndpointSpec, hostPort: number): PortMapping {
  const [containerIp = ''] = address.split('/');
  return {
    protocol: 'tcp', hostIp: published.address, hostPort, containerIp, containerPort: 80,
  };
}

/** Once the shim has duplicates. */
export function letGo({ netns, held }: Joined): void {
  for (const fd of [netns, ...held.map((socket) => socket.fd)]) closeSync(fd);
}
