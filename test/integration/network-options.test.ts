/** What a user may say of a network and of a container's place on it. */
import { test } from 'tap';
import type { IPAMConfig } from '../../api-spec/index.js';
import { invalidParameter, systemError } from '../../api-spec/errors.js';
import { networksWorld as world, type Running, type World } from '../support/networks-world.js';
import { inPrivateNetns, runInside } from '../support/private-netns.js';

/** `ifname address` of a namespace's interfaces, loopback and link-local left out. */
async function addressesIn({ netlink }: World, pid: number): Promise<readonly string[]> {
  const [links, addresses] = await netlink.run([
    { do: 'links', netns: { pid } }, { do: 'addresses', netns: { pid } },
  ]);
  return addresses
    .filter(({ cidr }) => !/^(127\.|::1\/|fe80:)/.test(cidr))
    .map(({ cidr, index }) => `${links.find((link) => link.index === index)?.name} ${cidr}`)
    .sort();
}

async function configOf({ networks }: World, name: string): Promise<readonly IPAMConfig[]> {
  return (await networks.inspect(name, { verbose: false, scope: '' })).IPAM.Config ?? [];
}

const endpointOn = ({ sandbox }: Running, network: string) => sandbox.endpoints[network];

function six(): void {
  test('a network with IPv6 gives addresses of both families, and AAAA answers', async (t) => {
    const here = await world(t);
    const config = [{ Subnet: 'fd00:77::/64' }];
    await here.networks.create({ Name: 'six', EnableIPv6: true, IPAM: { Config: config } });
    const one = await here.run(here.add({ name: 'one', hostConfig: { NetworkMode: 'six' } }));
    const endpoints = { six: { IPAMConfig: { IPv6Address: 'fd00:77::99' } } };
    await here.run(here.add({ name: 'two', hostConfig: { NetworkMode: 'six' }, endpoints }));
    t.match(endpointOn(one, 'six'), {
      GlobalIPv6Address: 'fd00:77::2', GlobalIPv6PrefixLen: 64, IPv6Gateway: 'fd00:77::1',
    });
    const [four, ...rest] = await addressesIn(here, one.pid);
    t.match(four, /^eth0 10\./);
    t.same(rest, ['eth0 fd00:77::2/64']);
    const asked = ['timeout', '5', 'busybox', 'nslookup', '-type=aaaa', 'two', '127.0.0.11'];
    t.match((await runInside(one.pid, ...asked)).output, 'Address: fd00:77::99');
    const pinged = await runInside(one.pid, 'busybox', 'ping', '-c1', '-W2', 'fd00:77::99');
    t.equal(pinged.status, 0, pinged.output);
    t.match(here.file(one.record, 'hosts'), `fd00:77::2\t${one.record.id.slice(0, 12)}`);
    const [shown, chosen] = await configOf(here, 'six');
    t.same(shown, { Subnet: 'fd00:77::/64' });
    t.match(chosen?.Subnet, /^10\./, 'the IPv4 range that was chosen is shown too');
  });

  test('addresses of the link alone are there beside those of the network', async (t) => {
    const here = await world(t);
    await here.networks.create({ Name: 'six', EnableIPv6: true });
    const endpoints = { six: { IPAMConfig: { LinkLocalIPs: ['169.254.3.3', 'fe80::77'] } } };
    const one = await here.run(
      here.add({ name: 'one', hostConfig: { NetworkMode: 'six' }, endpoints }));
    const addresses = await here.netlink.run([{ do: 'addresses', netns: { pid: one.pid } }]);
    const cidrs = addresses.flat().map(({ cidr }) => cidr);
    t.ok(cidrs.includes('169.254.3.3/16'), cidrs.join());
    t.ok(cidrs.includes('fe80::77/64'), cidrs.join());
    t.match(endpointOn(one, 'six'), { IPAddress: /^10\./, GlobalIPv6Address: /^fd/ });
  });

  test('IPv6 without a subnet takes one of the engine\'s own unique local range', async (t) => {
    const here = await world(t);
    for (const name of ['a', 'b']) await here.networks.create({ Name: name, EnableIPv6: true });
    const subnets = [];
    for (const name of ['a', 'b']) subnets.push((await configOf(here, name))[1]?.Subnet ?? '');
    t.match(subnets[0], /^fd[0-9a-f]{2}:[0-9a-f:]+::\/64$/);
    t.not(subnets[0], subnets[1]);
    t.equal(subnets[0]?.split(':')[0], subnets[1]?.split(':')[0], 'of one range');
  });

  test('an IPv6 subnet of a network without IPv6 is shown and not used', async (t) => {
    const here = await world(t);
    await here.networks.create({ Name: 'off', IPAM: { Config: [{ Subnet: 'fd00:79::/64' }] } });
    const { EnableIPv6 } = await here.networks.inspect('off', { verbose: false, scope: '' });
    t.equal(EnableIPv6, false);
    const one = await here.run(here.add({ hostConfig: { NetworkMode: 'off' } }));
    t.equal((await addressesIn(here, one.pid)).length, 1);
    t.equal((await runInside(one.pid, 'cat', '/proc/sys/net/ipv6/conf/eth0/disable_ipv6')).output
      .trim(), '1');
  });
}

function places(): void {
  test('what cannot be is refused in Docker\'s words', async (t) => {
    const { networks } = await world(t);
    const refused = (config: IPAMConfig, error: Error): Promise<unknown> => {
      const body = { Name: 'x', EnableIPv6: true, IPAM: { Config: [config] } };
      return t.rejects(networks.create(body), error);
    };
    await refused({ Subnet: 'fd00:77::1/64' }, invalidParameter(
      'invalid network config:\ninvalid subnet fd00:77::1/64: it should be fd00:77::/64'));
    await refused({ Subnet: '10.1.0.0/24', AuxiliaryAddresses: { h: '10.1.0.1' } }, systemError(
      'failed to allocate secondary ip address (h:10.1.0.1): Address already in use'));
    await refused({ Subnet: '10.1.0.0/24', IPRange: '10.2.0.0/28' }, invalidParameter(
      'invalid network config:\ninvalid ip-range 10.2.0.0/28: parent subnet 10.1.0.0/24 ' +
        'doesn\'t contain ip-range'));
    t.equal((await networks.list({})).length, 3, 'and nothing is made');
  });

  test('addresses come of the range, past those that are kept for others', async (t) => {
    const here = await world(t);
    await here.networks.create({ Name: 'narrow', IPAM: { Config: [{
      Subnet: '10.93.0.0/24', IPRange: '10.93.0.128/30', Gateway: '10.93.0.1',
      AuxiliaryAddresses: { h1: '10.93.0.129', h2: '10.93.0.130' },
    }] } });
    const wish = { hostConfig: { NetworkMode: 'narrow' } };
    const given = [await here.run(here.add(wish)), await here.run(here.add(wish))];
    t.same(given.map((each) => endpointOn(each, 'narrow')?.IPAddress),
      ['10.93.0.128', '10.93.0.131']);
    await t.rejects(here.networks.allocate(here.add(wish)), /no available IPv4 addresses/);
  });

  test('eth0 is the way out: by priority, then by name, and internal networks last', async (t) => {
    const here = await world(t);
    const make = (Name: string, Subnet: string, Internal = false): Promise<unknown> =>
      here.networks.create({ Name, Internal, IPAM: { Config: [{ Subnet }] } });
    await make('a', '10.71.0.0/24', true);
    await make('b', '10.72.0.0/24');
    await make('c', '10.73.0.0/24');
    const order = async (priority: number): Promise<readonly string[]> => {
      const endpoints = { a: {}, b: {}, c: { GwPriority: priority } };
      const running = await here.run(here.add({ hostConfig: { NetworkMode: 'c' }, endpoints }));
      const addresses = await addressesIn(here, running.pid);
      const [routes] = await here.netlink.run([{ do: 'routes', netns: { pid: running.pid } }]);
      const way = routes.find(({ destination }) => destination === 'default')?.gateway ?? '';
      return [...addresses.map((each) => each.replace(/\.0\.\d+\/24$/, '')), way];
    };
    t.same(await order(0), ['eth0 10.72', 'eth1 10.73', 'eth2 10.71', '10.72.0.1']);
    t.same(await order(5), ['eth0 10.73', 'eth1 10.72', 'eth2 10.71', '10.73.0.1']);
  });

  test('an interface and a MAC address are as asked', async (t) => {
    const here = await world(t);
    await here.networks.create({ Name: 'n' });
    const running = await here.run(here.add({
      hostConfig: { NetworkMode: 'n' },
      endpoints: { n: {
        MacAddress: '02:42:aa:bb:cc:dd',
        DriverOpts: { 'com.docker.network.endpoint.ifname': 'foo0' },
      } },
    }));
    const shown = await runInside(running.pid, 'ip', 'link', 'show', 'foo0');
    t.match(shown.output, 'link/ether 02:42:aa:bb:cc:dd');
  });

  test('a bridge that the user made is used, and stays', async (t) => {
    const here = await world(t);
    await here.netlink.run([{ do: 'addLink', kind: 'bridge', name: 'userbr0', up: true }]);
    t.teardown(() => here.netlink.run([{ do: 'deleteLink', name: 'userbr0' }]));
    await here.networks.create({
      Name: 'own', IPAM: { Config: [{ Subnet: '10.98.0.0/24' }] },
      Options: { 'com.docker.network.bridge.name': 'userbr0' },
    });
    const one = await here.run(here.add({ hostConfig: { NetworkMode: 'own' } }));
    t.equal((await runInside(one.pid, 'busybox', 'ping', '-c1', '-W2', '10.98.0.1')).status, 0);
    await one.end();
    await here.networks.remove('own');
    const [links] = await here.netlink.run([{ do: 'links' }]);
    t.ok(links.some(({ name }) => name === 'userbr0'));
  });

  test('ports of an internal network are neither published nor shown', async (t) => {
    const here = await world(t);
    await here.networks.create({ Name: 'in', Internal: true });
    const { sandbox } = await here.run(here.add({
      config: { ExposedPorts: { '80/tcp': {} } },
      hostConfig: { NetworkMode: 'in', PortBindings: { '80/tcp': [{ HostPort: '8101' }] } },
    }));
    t.same(sandbox.ports, {});
    t.same(sandbox.reservations, []);
  });

  test('a container that was taken off none may be connected', async (t) => {
    const here = await world(t);
    await here.networks.create({ Name: 'n' });
    const record = here.add({ hostConfig: { NetworkMode: 'none' }, endpoints: { none: {} } });
    await t.rejects(here.networks.attach('n', { Container: record.id }), /private \(none\) mode$/);
    await here.networks.detach('none', { Container: record.id });
    await here.networks.attach('n', { Container: record.id });
    const running = await here.run(here.find(record.id));
    t.match(await addressesIn(here, running.pid), [/^eth0 10\./]);
  });

  test('a link to a container that does not exist is refused at create', async (t) => {
    const here = await world(t);
    t.throws(() => here.networks.check(here.add({ hostConfig: { Links: ['nope:x'] } })),
      invalidParameter('could not get container for nope: No such container: nope'));
  });
}

function flags(): void {
  test('--default-gateway is the way out of containers, and nobody else\'s address', async (t) => {
    const here = await world(t, { defaultGateway: '172.17.0.2' });
    const running = await here.run(here.add());
    t.match(endpointOn(running, 'bridge'), { IPAddress: '172.17.0.3', Gateway: '172.17.0.2' });
    const [routes] = await here.netlink.run([{ do: 'routes', netns: { pid: running.pid } }]);
    t.ok(routes.some((r) => r.destination === 'default' && r.gateway === '172.17.0.2'));
    const [config] = await configOf(here, 'bridge');
    t.same(config?.AuxiliaryAddresses, { DefaultGatewayIPv4: '172.17.0.2' });
    t.equal(config?.Gateway, '172.17.0.1');
  });

  test('--default-network-opt holds for new networks that do not say otherwise', async (t) => {
    const key = 'com.docker.network.driver.mtu';
    const here = await world(t, { defaultOptions: { [key]: '1234' } });
    await here.networks.create({ Name: 'a' });
    await here.networks.create({ Name: 'b', Options: { [key]: '1300' } });
    const one = await here.run(here.add({ hostConfig: { NetworkMode: 'a' } }));
    t.match((await runInside(one.pid, 'ip', 'link', 'show', 'eth0')).output, 'mtu 1234');
    const options = async (name: string): Promise<unknown> =>
      (await here.networks.inspect(name, { verbose: false, scope: '' })).Options;
    t.same([await options('a'), await options('b')], [{ [key]: '1234' }, { [key]: '1300' }]);
  });

  test('--ip is where ports of the default bridge are published', async (t) => {
    const here = await world(t, { hostBinding: '127.0.0.1' });
    const { sandbox } = await here.run(here.add({
      hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8085' }] } },
    }));
    t.same(sandbox.ports, { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8085' }] });
  });
}

if (inPrivateNetns(import.meta.url)) {
  six();
  flags();
  places();
}
