/** What the bridge driver promises beyond the suite of all: ports, isolation, IPv6, options. */
import { createSocket } from 'node:dgram';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'tap';
import { invalidParameter } from '../../api-spec/errors.js';
import {
  bench, dualStack, endpointOf, hasNftables, networkSpec, serve, sleeper, talk,
} from '../support/netplugin-bench.js';
import { inPrivateNetns } from '../support/private-netns.js';

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
    const [routes] = await netlink.run([{ do: 'routes', netns: { pid: two.pid } }]);
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
      netns: { pid: server.pid },
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
    const deadline = performance.now() + 60_000;
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
    const netns = { pid: target.pid };
    const [disabled, accept] = await netlink.run([
      { do: 'readSysctl', name: 'net.ipv6.conf.eth0.disable_ipv6', netns },
      { do: 'readSysctl', name: 'net.ipv6.conf.eth0.accept_ra', netns },
    ]);
    t.same([disabled, accept], ['1', '0']);
  });

  test('bridge: IPv6 has addresses, a way out, and takes no advertisements', async (t) => {
    const { plugin, netlink } = await bench(t, 'bridge');
    const { network, endpoint } = dualStack();
    const [target, neighbour] = [await sleeper(t), await sleeper(t)];
    await plugin.createNetwork(network);
    await plugin.join(network, endpoint(2), { pid: target.pid });
    await plugin.join(network, endpoint(3), { pid: neighbour.pid });
    const netns = { pid: target.pid };
    const [addresses, routes, disabled, accept, onBridge] = await netlink.run([
      { do: 'addresses', netns },
      { do: 'routes', netns },
      { do: 'readSysctl', name: 'net.ipv6.conf.eth0.disable_ipv6', netns },
      { do: 'readSysctl', name: 'net.ipv6.conf.eth0.accept_ra', netns },
      { do: 'readSysctl', name: `net.ipv6.conf.${network.linkName}.accept_ra` },
    ]);
    t.ok(addresses.some(({ cidr }) => cidr === 'fd00:5::2/64'));
    t.ok(routes.some((r) => r.destination === 'default' && r.gateway === 'fd00:5::1'));
    t.same([disabled, accept, onBridge], ['0', '0', '0']);
    await serve(t, netlink, { pid: target.pid, port: 80, line: 'six', address: '::' });
    t.equal(await talk(neighbour.pid, 'fd00:5::2', 80), 'six', 'at once: no duplicate detection');
    t.equal(await talk(self, 'fd00:5::2', 80), 'six', 'the host too');
  });

  test('bridge: an IPv6 port is published by rules, but for ::1', wall, async (t) => {
    const { plugin, netlink } = await bench(t, 'bridge');
    const { network, endpoint } = dualStack();
    const other = networkSpec('bridge', {
      subnets: [
        { family: 4, cidr: '10.254.6.0/24', gateway: '10.254.6.1' },
        { family: 6, cidr: 'fd00:6::/64', gateway: 'fd00:6::1' },
      ],
    });
    const [server, stranger] = [await sleeper(t), await sleeper(t)];
    await plugin.createNetwork(network);
    await plugin.createNetwork(other);
    const own = endpoint(2);
    await plugin.join(network, own, { pid: server.pid });
    await plugin.join(other, {
      ...endpointOf(other, 2), addresses: ['10.254.6.2/24', 'fd00:6::2/64'],
      gateways: ['10.254.6.1', 'fd00:6::1'],
    }, { pid: stranger.pid });
    await serve(t, netlink, { pid: server.pid, port: 80, line: 'six', address: '::' });
    const inner = { containerIp: 'fd00:5::2', containerPort: 80 };
    await plugin.publish(network, own, [
      { protocol: 'tcp', hostIp: '::', hostPort: 8084, ...inner },
    ]);
    t.equal(await talk(self, 'fd00:5::1', 8084), 'six', 'an address of the host');
    t.equal(await talk(stranger.pid, 'fd00:6::1', 8084), 'six', 'another network');
    t.equal(await talk(stranger.pid, 'fd00:5::2', 80, 1), '', 'another network directly: dropped');
    t.equal(await talk(self, '::1', 8084, 1), '', 'left to the proxy');
    await plugin.unpublish(own.id);
    t.equal(await talk(stranger.pid, 'fd00:6::1', 8084, 1), '', 'unpublished');
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

if (inPrivateNetns(import.meta.url)) {
  bridgeFacts({ skip: (await hasNftables()) ? false : 'this kernel has no nftables' });
}
