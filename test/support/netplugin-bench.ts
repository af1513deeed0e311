/** Networks and endpoints for the suites of network drivers, on the real kernel. */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import type { Test } from 'tap';
import { openNetlink, type Netlink } from '../../native/netlink/index.js';
import { lacksNftables } from '../../native/nftables.js';
import { createBridgePlugin } from '../../netplugins/bridge/index.js';
import { createHostPlugin } from '../../netplugins/host/index.js';
import { createNonePlugin } from '../../netplugins/none/index.js';
import type { EndpointSpec, NetworkPlugin, NetworkSpec } from '../../netplugins/plugin.js';
import { runInside, startSleeper } from './private-netns.js';

/** The table is gone, or the kernel has no nftables. */
const noTable = ['ENOENT', 'EPROTONOSUPPORT'];

const id = (): string => randomBytes(32).toString('hex');

/** A driver under test, and what it is given. */
export interface Bench {
  readonly plugin: NetworkPlugin;
  readonly netlink: Netlink;
  readonly network: NetworkSpec;
  readonly endpoint: (host: number) => EndpointSpec;
}

/** A network at random addresses. */
export function networkSpec(driver: string, overrides: Partial<NetworkSpec> = {}): NetworkSpec {
  const networkId = id();
  const third = `10.${randomInt(128, 256)}.${randomInt(256)}`;
  return {
    id: networkId,
    name: `n${networkId.slice(0, 6)}`,
    driver,
    internal: false,
    subnets: driver === 'bridge'
      ? [{ family: 4, cidr: `${third}.0/24`, gateway: `${third}.1` }]
      : [],
    options: {},
    linkName: driver === 'bridge' ? `br-${networkId.slice(0, 12)}` : '',
    mtu: driver === 'bridge' ? 1400 : 0,
    ...overrides,
  };
}

/** Its endpoint with this host number. */
export function endpointOf(network: NetworkSpec, host: number): EndpointSpec {
  const [subnet] = network.subnets;
  const base = subnet?.gateway.split('.').slice(0, 3) ?? [];
  return {
    id: id(),
    containerId: id(),
    ifname: 'eth0',
    mac: `02:42:00:00:00:${host.toString(16).padStart(2, '0')}`,
    addresses: subnet === undefined ? [] : [`${base.join('.')}.${host}/24`],
    gateways: subnet === undefined || network.internal ? [] : [subnet.gateway],
    sysctls: {},
  };
}

/** A bridge network with IPv6, and its endpoints. */
export function dualStack(): {
  readonly network: NetworkSpec;
  readonly endpoint: (host: number) => EndpointSpec;
} {
  const network = networkSpec('bridge', {
    subnets: [
      { family: 4, cidr: '10.254.5.0/24', gateway: '10.254.5.1' },
      { family: 6, cidr: 'fd00:5::/64', gateway: 'fd00:5::1' },
    ],
  });
  return {
    network,
    endpoint: (host) => ({
      ...endpointOf(network, host),
      addresses: [`10.254.5.${host}/24`, `fd00:5::${host}/64`],
      gateways: ['10.254.5.1', 'fd00:5::1'],
    }),
  };
}

type MakePlugin = (netlink: Netlink, rootId: string) => NetworkPlugin;

/** Every driver. */
export const drivers: Readonly<Record<string, MakePlugin>> = {
  bridge: (netlink, rootId) => createBridgePlugin({ netlink, rootId, warn: () => undefined }),
  host: () => createHostPlugin(),
  null: () => createNonePlugin(),
};

/** A driver of its own root; all that it makes goes with the test. */
export async function bench(t: Test, driver: string): Promise<Bench> {
  const netlink = openNetlink();
  t.teardown(() => netlink.close());
  const make = drivers[driver];
  if (make === undefined) throw new Error(driver);
  const rootId = createHash('sha256').update(t.testdir()).digest('hex').slice(0, 8);
  const plugin = make(netlink, rootId);
  t.teardown(async () => {
    await plugin.reconcile({ networks: [], endpoints: [] });
    await plugin.close();
    await netlink.run([
      { do: 'nft', commands: `delete table inet tsdocker-${rootId}`, tolerate: noTable },
    ]);
  });
  await plugin.reconcile({ networks: [], endpoints: [] });
  const network = networkSpec(driver);
  return { plugin, netlink, network, endpoint: (host) => endpointOf(network, host) };
}

/** A process that stands for a container, until the test ends. */
export async function sleeper(t: Test) {
  const process = await startSleeper();
  t.teardown(() => process.end());
  return process;
}

/** What a TCP server at `address` says to `clientPid`; empty when it cannot be reached. */
export async function talk(
  clientPid: number,
  address: string,
  port: number,
  waitSeconds = 5,
): Promise<string> {
  const read = `cat < /dev/tcp/${address}/${port}`;
  const { status, output } = await runInside(
    clientPid, 'timeout', String(waitSeconds), 'bash', '-c', read);
  return status === 0 ? output.trim() : '';
}

/** A server in the namespace of `pid` that says `line`; it lives in the test's own process. */
export async function serve(
  t: Test,
  netlink: Netlink,
  at: {
    readonly pid: number;
    readonly port: number;
    readonly line: string;
    readonly address?: string;
  },
): Promise<void> {
  const [{ fd }] = await netlink.run([{
    do: 'openSocket', protocol: 'tcp', address: at.address ?? '0.0.0.0', port: at.port,
    listen: true, netns: { pid: at.pid },
  }]);
  const server = createServer((socket) => socket.on('error', () => undefined).end(at.line));
  server.listen({ fd });
  t.teardown(() => void server.close());
}

/** Whether this kernel can filter. */
export async function hasNftables(): Promise<boolean> {
  const netlink = openNetlink();
  try {
    await netlink.run([{ do: 'nft', commands: 'list tables' }]);
    return true;
  } catch (error) {
    if (!lacksNftables(error)) throw error;
    return false;
  } finally {
    await netlink.close();
  }
}
