/** One suite for every network driver: what the interface promises, on the real kernel. */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { test, type Test } from 'tap';
import { invalidParameter } from '../../api-spec/errors.js';
import { openNetlink, type Netlink } from '../../native/netlink/index.js';
import { lacksNftables } from '../../native/nftables.js';
import { createBridgePlugin } from '../../netplugins/bridge/index.js';
import { createHostPlugin } from '../../netplugins/host/index.js';
import { createNonePlugin } from '../../netplugins/none/index.js';
import type { EndpointSpec, NetworkPlugin, NetworkSpec } from '../../netplugins/plugin.js';
import { inPrivateNetns, runInside, startSleeper } from '../support/private-netns.js';

/** The table is gone, or the kernel has no nftables. */
const noTable = ['ENOENT', 'EPROTONOSUPPORT'];

const id = (): string => randomBytes(32).toString('hex');

interface Bench {
  readonly plugin: NetworkPlugin;
  readonly netlink: Netlink;
  readonly network: NetworkSpec;
  readonly endpoint: (host: number) => EndpointSpec;
}

function networkSpec(driver: string, overrides: Partial<NetworkSpec> = {}): NetworkSpec {
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

function endpointOf(network: NetworkSpec, host: number): EndpointSpec {
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

type MakePlugin = (netlink: Netlink, rootId: string) => NetworkPlugin;

const drivers: Readonly<Record<string, MakePlugin>> = {
  bridge: (netlink, rootId) => createBridgePlugin({ netlink, rootId, warn: () => undefined }),
  host: () => createHostPlugin(),
  null: () => createNonePlugin(),
};

async function bench(t: Test, driver: string): Promise<Bench> {
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

async function sleeper(t: Test) {
  const process = await startSleeper();
  t.teardown(() => process.end());
  return process;
}

function suite(driver: string): void {
  test(`${driver}: making and removing a network twice is as good as once`, async (t) => {
    const { plugin, netlink, network } = await bench(t, driver);
    plugin.validate(network);
    await plugin.createNetwork(network);
    await plugin.createNetwork(network);
    await plugin.removeNetwork(network);
    await plugin.removeNetwork(network);
    const [links] = await netlink.run([{ do: 'links' }]);
    t.notOk(links.some(({ name }) => name === network.linkName));
  });

  test(`${driver}: joining gives the addresses and leaving takes the links away`, async (t) => {
    const { plugin, netlink, network, endpoint } = await bench(t, driver);
    const target = await sleeper(t);
    const own = endpoint(7);
    await plugin.createNetwork(network);
    await plugin.join(network, own, { pid: target.pid });
    await plugin.join(network, own, { pid: target.pid });
    const [addresses] = await netlink.run([{ do: 'addresses', netnsPid: target.pid }]);
    for (const address of own.addresses) {
      t.ok(addresses.some(({ cidr }) => cidr === address), address);
    }
    const { released } = await plugin.leave(network, own, 'live');
    await released;
    const [links] = await netlink.run([{ do: 'links', netnsPid: target.pid }]);
    t.equal(links.length, 1, 'only lo is left');
    await (await plugin.leave(network, own, 'live')).released;
  });

  test(`${driver}: addresses return when the namespace has died`, async (t) => {
    const { plugin, netlink, network, endpoint } = await bench(t, driver);
    const target = await sleeper(t);
    const own = endpoint(8);
    await plugin.createNetwork(network);
    const [before] = await netlink.run([{ do: 'links' }]);
    await plugin.join(network, own, { pid: target.pid });
    await target.end();
    const { released } = await plugin.leave(network, own, 'dying');
    await released;
    const [after] = await netlink.run([{ do: 'links' }]);
    t.equal(after.length, before.length);
  });

  test(`${driver}: unpublishing what was never published is no error`, async (t) => {
    const { plugin, endpoint } = await bench(t, driver);
    await plugin.unpublish(endpoint(9).id);
  });

  test(`${driver}: reconcile removes what nobody knows and keeps the living`, async (t) => {
    const { plugin, netlink, network, endpoint } = await bench(t, driver);
    const stranger = networkSpec(driver);
    const target = await sleeper(t);
    const own = endpoint(10);
    await plugin.createNetwork(network);
    await plugin.createNetwork(stranger);
    await plugin.join(network, own, { pid: target.pid });
    const [before] = await netlink.run([{ do: 'links' }]);
    await plugin.reconcile({
      networks: [network], endpoints: [{ network, endpoint: own, ports: [] }],
    });
    const [after] = await netlink.run([{ do: 'links' }]);
    t.equal(after.length, before.length - (stranger.linkName === '' ? 0 : 1));
    t.notOk(after.some(({ name }) => name !== '' && name === stranger.linkName));
  });
}

/** What a TCP server at `address` says to `clientPid`; empty when it cannot be reached. */
async function talk(
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
async function serve(
  t: Test,
  netlink: Netlink,
  at: { readonly pid: number; readonly port: number; readonly line: string },
): Promise<void> {
  const [{ fd }] = await netlink.run([{
    do: 'openSocket', protocol: 'tcp', address: '0.0.0.0', port: at.port, listen: true,
    netnsPid: at.pid,
  }]);
  const server = createServer((socket) => socket.on('error', () => undefined).end(at.line));
  server.listen({ fd });
  t.teardown(() => void server.close());
}

function bridgeFacts(wall: { readonly skip: string | false }): void {
  const self = process.pid;

  test('bridge: a published port answers host, loopback, networks and itself', wall, async (t) => {
    const { plugin, netlink, network, endpoint } = await bench(t, 'bridge');
    const other = networkSpec('bridge');
    await plugin.createNetwork(network);
    await plugin.createNetwork(other);
    const [server, neighbour, stranger] = [await sleeper(t), await sleeper(t), await sleeper(t)];
    const own = endpoint(2);
    await plugin.join(network, own, { pid: server.pid });
    await plugin.join(network, endpoint(3), { pid: neighbour.pid });
    await plugin.join(other, endpointOf(other, 2), { pid: stranger.pid });
    await netlink.run([
      { do: 'addLink', kind: 'bridge', name: 'outside', up: true },
      { do: 'addAddress', link: 'outside', cidr: '10.255.255.1/32' },
    ]);
    t.teardown(() => netlink.run([{ do: 'deleteLink', name: 'outside' }]));
    const containerIp = own.addresses[0]?.split('/')[0] ?? '';
    await serve(t, netlink, { pid: server.pid, port: 80, line: 'hello' });
    const mapping = { protocol: 'tcp', hostPort: 8080, containerIp, containerPort: 80 } as const;
    await plugin.publish(network, own, [{ ...mapping, hostIp: '0.0.0.0' }]);
    const gateway = network.subnets[0]?.gateway ?? '';
    const otherGateway = other.subnets[0]?.gateway ?? '';
    t.equal(await talk(self, '127.0.0.1', 8080), 'hello', 'loopback');
    t.equal(await talk(self, '10.255.255.1', 8080), 'hello', 'an address of the host');
    t.equal(await talk(self, gateway, 8080), 'hello', 'the gateway');
    t.equal(await talk(neighbour.pid, gateway, 8080), 'hello', 'a neighbour through the host');
    t.equal(await talk(neighbour.pid, containerIp, 80), 'hello', 'a neighbour directly');
    t.equal(await talk(server.pid, gateway, 8080), 'hello', 'itself through the host');
    t.equal(await talk(stranger.pid, otherGateway, 8080), 'hello', 'another network');
    t.equal(await talk(stranger.pid, containerIp, 80, 1), '', 'another network directly: dropped');
    await plugin.unpublish(own.id);
    t.equal(await talk(self, '127.0.0.1', 8080, 1), '', 'unpublished');
    await plugin.publish(network, own, [{ ...mapping, hostIp: '127.0.0.1' }]);
    t.equal(await talk(self, '127.0.0.1', 8080), 'hello', 'loopback only');
    t.equal(await talk(self, '10.255.255.1', 8080, 1), '', 'not on other addresses');
    t.equal(await talk(stranger.pid, otherGateway, 8080, 1), '', 'not for other networks');
  });

  test('bridge: an internal network reaches its own and nothing else', async (t) => {
    const { plugin, netlink } = await bench(t, 'bridge');
    const network = networkSpec('bridge', { internal: true });
    await plugin.createNetwork(network);
    await netlink.run([
      { do: 'addLink', kind: 'bridge', name: 'outside', up: true },
      { do: 'addAddress', link: 'outside', cidr: '10.255.255.1/32' },
    ]);
    t.teardown(() => netlink.run([{ do: 'deleteLink', name: 'outside' }]));
    const [one, two] = [await sleeper(t), await sleeper(t)];
    const own = endpointOf(network, 2);
    await plugin.join(network, own, { pid: one.pid });
    await plugin.join(network, endpointOf(network, 3), { pid: two.pid });
    await serve(t, netlink, { pid: one.pid, port: 80, line: 'inner' });
    t.equal(await talk(two.pid, own.addresses[0]?.split('/')[0] ?? '', 80), 'inner');
    const [routes] = await netlink.run([{ do: 'routes', netnsPid: two.pid }]);
    t.notOk(routes.some(({ destination }) => destination === 'default'));
  });

  test('bridge: without icc neighbours do not meet, published ports answer', wall, async (t) => {
    const { plugin, netlink } = await bench(t, 'bridge');
    const network = networkSpec('bridge', {
      options: { 'com.docker.network.bridge.enable_icc': 'false' },
    });
    await plugin.createNetwork(network);
    const [server, neighbour] = [await sleeper(t), await sleeper(t)];
    const own = endpointOf(network, 2);
    await plugin.join(network, own, { pid: server.pid });
    await plugin.join(network, endpointOf(network, 3), { pid: neighbour.pid });
    await serve(t, netlink, { pid: server.pid, port: 80, line: 'alone' });
    const containerIp = own.addresses[0]?.split('/')[0] ?? '';
    await plugin.publish(network, own, [
      { protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8081, containerIp, containerPort: 80 },
    ]);
    t.equal(await talk(neighbour.pid, containerIp, 80, 1), '');
    const [filtered] = await netlink.run([{
      do: 'readSysctl', name: 'net.bridge.bridge-nf-call-iptables', tolerate: ['ENOENT'],
    }]);
    const skip = filtered === '1' && 'br_netfilter makes such frames cross between isolated ports';
    t.equal(await talk(neighbour.pid, network.subnets[0]?.gateway ?? '', 8081), 'alone', { skip });
  });

  test('bridge: a UDP client that sent too early is answered once published', wall, async (t) => {
    const { plugin, netlink, network, endpoint } = await bench(t, 'bridge');
    await plugin.createNetwork(network);
    const server = await sleeper(t);
    const own = endpoint(2);
    await plugin.join(network, own, { pid: server.pid });
    const [{ fd }] = await netlink.run([{
      do: 'openSocket', protocol: 'udp', address: '0.0.0.0', port: 53, listen: false,
      netnsPid: server.pid,
    }]);
    const echo = createSocket('udp4');
    echo.on('message', (bytes, { port, address }) => echo.send(bytes, port, address));
    echo.bind({ fd });
    const client = createSocket('udp4');
    client.on('error', () => undefined);
    t.teardown(() => {
      echo.close();
      client.close();
    });
    const answered = new Promise<string>((resolve) =>
      client.once('message', (bytes) => resolve(bytes.toString())));
    client.send('early', 5353, '127.0.0.1');
    await delay(50);
    const containerIp = own.addresses[0]?.split('/')[0] ?? '';
    await plugin.publish(network, own, [
      { protocol: 'udp', hostIp: '0.0.0.0', hostPort: 5353, containerIp, containerPort: 53 },
    ]);
    client.send('late', 5353, '127.0.0.1');
    t.equal(await Promise.race([answered, delay(2000, 'nothing')]), 'late');
  });

  test('bridge: a table that a stranger flushed is back within five seconds', wall, async (t) => {
    const { plugin, netlink, network, endpoint } = await bench(t, 'bridge');
    await plugin.createNetwork(network);
    const server = await sleeper(t);
    const own = endpoint(2);
    await plugin.join(network, own, { pid: server.pid });
    await serve(t, netlink, { pid: server.pid, port: 80, line: 'again' });
    const containerIp = own.addresses[0]?.split('/')[0] ?? '';
    await plugin.publish(network, own, [
      { protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8082, containerIp, containerPort: 80 },
    ]);
    await netlink.run([{ do: 'nft', commands: 'flush ruleset' }]);
    t.equal(await talk(self, '127.0.0.1', 8082, 1), '', 'gone');
    const deadline = performance.now() + 5000;
    let answer = '';
    while (answer === '' && performance.now() < deadline) {
      answer = await talk(self, '127.0.0.1', 8082, 1);
    }
    t.equal(answer, 'again');
  });

  test('bridge: a link of that name that is a stranger\'s is refused', async (t) => {
    const { plugin, netlink, network } = await bench(t, 'bridge');
    await netlink.run([{ do: 'addLink', kind: 'bridge', name: network.linkName, up: true }]);
    t.teardown(() => netlink.run([{ do: 'deleteLink', name: network.linkName }]));
    await t.rejects(
      plugin.createNetwork(network),
      invalidParameter(`a link ${network.linkName} exists and is not this network's`),
    );
    await plugin.removeNetwork(network);
    const [links] = await netlink.run([{ do: 'links' }]);
    t.ok(links.some(({ name }) => name === network.linkName), 'it is still there');
  });

  test('bridge: IPv6 is off and router advertisements are refused in a v4 network', async (t) => {
    const { plugin, netlink, network, endpoint } = await bench(t, 'bridge');
    const target = await sleeper(t);
    await plugin.createNetwork(network);
    await plugin.join(network, endpoint(2), { pid: target.pid });
    const netnsPid = target.pid;
    const [disabled, accept] = await netlink.run([
      { do: 'readSysctl', name: 'net.ipv6.conf.eth0.disable_ipv6', netnsPid },
      { do: 'readSysctl', name: 'net.ipv6.conf.eth0.accept_ra', netnsPid },
    ]);
    t.same([disabled, accept], ['1', '0']);
  });

  test('bridge: options that mean nothing are refused in Docker\'s words', async (t) => {
    const { plugin, network } = await bench(t, 'bridge');
    const key = 'com.docker.network.bridge.enable_icc';
    t.throws(
      () => plugin.validate({ ...network, options: { [key]: 'maybe' } }),
      invalidParameter(
        `failed to parse ${key} value: maybe ` +
          '(strconv.ParseBool: parsing "maybe": invalid syntax)'),
    );
  });
}

async function hasNftables(): Promise<boolean> {
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

if (inPrivateNetns(import.meta.url)) {
  for (const driver of Object.keys(drivers)) suite(driver);
  bridgeFacts({ skip: (await hasNftables()) ? false : 'this kernel has no nftables' });
}
