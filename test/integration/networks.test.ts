/** The networks service on the real kernel, in a namespace of the test's own. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type Test } from 'tap';
import type { EndpointSettings, HostConfig } from '../../api-spec/index.js';
import { conflict, forbidden, notFound, systemError } from '../../api-spec/errors.js';
import type { ContainerRecord } from '../../daemon/containers/record.js';
import { decodeQuery, encodeResponse } from '../../daemon/networks/dns-message.js';
import { defaultPoolRanges } from '../../daemon/networks/index.js';
import { openNetlink } from '../../native/netlink/index.js';
import { networksWorld as world, type Running, type World } from '../support/networks-world.js';
import { inPrivateNetns, runInside } from '../support/private-netns.js';

async function talk(
  pid: number,
  address: string,
  port: number,
  waitSeconds = 5,
): Promise<string> {
  const read = `cat < /dev/tcp/${address}/${port}`;
  const { status, output } = await runInside(
    pid, 'timeout', String(waitSeconds), 'bash', '-c', read);
  return status === 0 ? output.trim() : '';
}

async function serve(t: Test, { netlink }: World, pid: number, line: string): Promise<void> {
  const place = { address: '0.0.0.0', port: 80, netns: { pid } } as const;
  const [{ fd }] = await netlink.run([
    { do: 'openSocket', protocol: 'tcp', listen: true, ...place },
  ]);
  const server = createServer((socket) => socket.on('error', () => undefined).end(line));
  server.listen({ fd });
  t.teardown(() => void server.close());
}

/** What a name means to a process of the container; empty for none. */
async function resolve(pid: number, name: string): Promise<string> {
  const { output } = await runInside(
    pid, 'timeout', '5', 'busybox', 'nslookup', name, '127.0.0.11');
  return output;
}

const addressOf = ({ sandbox }: Running, network: string): string =>
  sandbox.endpoints[network]?.IPAddress ?? '';

function facts(): void {
  test('bridge, host and none always exist and cannot be removed', async (t) => {
    const { networks } = await world(t);
    const names = (await networks.list({})).map(({ Name }) => Name).sort();
    t.same(names, ['bridge', 'host', 'none']);
    await t.rejects(networks.remove('bridge'),
      forbidden('bridge is a pre-defined network and cannot be removed'));
  });

  test('a docker0 of another engine is left alone, with a warning', async (t) => {
    const before = openNetlink();
    await before.run([
      { do: 'addLink', kind: 'bridge', name: 'docker0', up: true },
      { do: 'addAddress', link: 'docker0', cidr: '172.17.0.1/16' },
    ]);
    t.teardown(async () => {
      await before.run([{ do: 'deleteLink', name: 'docker0' }]);
      await before.close();
    });
    const { networks, warnings, netlink } = await world(t);
    const { Options, IPAM } = await networks.inspect('bridge', { verbose: false, scope: '' });
    t.equal(Options?.['com.docker.network.bridge.name'], 'tsdocker0');
    t.not(IPAM.Config?.[0]?.Subnet, '172.17.0.0/16');
    t.ok(warnings.some((warning) => warning.includes('docker0 belongs to another engine')));
    const [links] = await netlink.run([{ do: 'links' }]);
    t.equal(links.find(({ name }) => name === 'docker0')?.alias, '');
  });

  test('a container on the default bridge has address, route and files', async (t) => {
    const here = await world(t);
    const running = await here.run(here.add({
      hostConfig: { ExtraHosts: ['db:1.2.3.4', 'up:host-gateway'], DnsOptions: ['ndots:2'] },
    }));
    t.equal(addressOf(running, 'bridge'), '172.17.0.2');
    const { netlink } = here;
    const [routes] = await netlink.run([{ do: 'routes', netns: { pid: running.pid } }]);
    t.ok(routes.some((r) => r.destination === 'default' && r.gateway === '172.17.0.1'));
    const hosts = here.file(running.record, 'hosts');
    t.match(hosts, `172.17.0.2\t${running.record.id.slice(0, 12)}`);
    t.match(hosts, '1.2.3.4\tdb');
    t.match(hosts, '172.17.0.1\tup');
    const resolver = here.file(running.record, 'resolv.conf');
    t.match(resolver, 'nameserver 8.8.8.8', 'the host\'s loopback is no resolver for it');
    t.match(resolver, 'options ndots:2');
    t.match(resolver, 'search example.test');
  });

  test('an address is given again when the container is gone, the lowest first', async (t) => {
    const here = await world(t);
    const first = await here.run(here.add());
    const second = await here.run(here.add());
    t.same([first, second].map((r) => addressOf(r, 'bridge')), ['172.17.0.2', '172.17.0.3']);
    await first.end();
    const deadline = performance.now() + 60_000;
    let third = '';
    while (third !== '172.17.0.2' && performance.now() < deadline) {
      const sandbox = await here.networks.allocate(here.add());
      await sandbox.ready;
      third = sandbox.endpoints['bridge']?.IPAddress ?? '';
      await here.networks.release(sandbox.id);
      // The kernel is not asked for so much that it has no time for the link.
      await sleep(50);
    }
    t.equal(third, '172.17.0.2');
  });

  test('a published port answers, and a second container is told who has it', async (t) => {
    const here = await world(t);
    const ports: HostConfig = { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } };
    const server = await here.run(here.add({ hostConfig: ports }));
    await serve(t, here, server.pid, 'served');
    t.equal(await talk(process.pid, '127.0.0.1', 8080), 'served');
    t.same(server.sandbox.ports['80/tcp'], [
      { HostIp: '0.0.0.0', HostPort: '8080' }, { HostIp: '::', HostPort: '8080' },
    ]);
    const second = here.add({ name: 'second', hostConfig: ports });
    const words = new RegExp(
      '^driver failed programming external connectivity on endpoint second \\([0-9a-f]{64}\\): ' +
        'Bind for 0\\.0\\.0\\.0:8080 failed: port is already allocated$');
    await t.rejects(here.networks.allocate(second), { message: words });
    await server.end();
    const again = await here.run(second);
    t.equal(again.sandbox.ports['80/tcp']?.[0]?.HostPort, '8080');
  });

  test('a port of a foreign program is not taken', async (t) => {
    const here = await world(t);
    const stranger = createServer();
    await new Promise<void>((done) => stranger.listen(8090, '127.0.0.1', done));
    t.teardown(() => void stranger.close());
    const record = here.add({
      hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8090' }] } },
    });
    await t.rejects(here.networks.allocate(record), { message: /address already in use$/ });
  });

  test('PublishAllPorts gives ports of the ephemeral range', async (t) => {
    const here = await world(t);
    const { sandbox } = await here.run(here.add({
      config: { ExposedPorts: { '80/tcp': {}, '53/udp': {} } },
      hostConfig: { PublishAllPorts: true },
    }));
    for (const key of ['80/tcp', '53/udp']) {
      const port = Number(sandbox.ports[key]?.[0]?.HostPort);
      t.ok(port >= 32768 && port <= 60999, `${key} at ${port}`);
    }
  });

  test('names, aliases, short ids and addresses are resolved on a user network', async (t) => {
    const here = await world(t);
    await here.networks.create({ Name: 'team' });
    const team = (name: string, asked: EndpointSettings = {}): ContainerRecord =>
      here.add({ name, hostConfig: { NetworkMode: 'team' }, endpoints: { team: asked } });
    const web = await here.run(team('web', { Aliases: ['www'] }));
    const client = await here.run(team('client', { Links: ['web:linked'] }));
    const address = addressOf(web, 'team');
    for (const name of ['web', 'www', 'WEB', 'web.team', web.record.id.slice(0, 12), 'linked']) {
      t.match(await resolve(client.pid, name), address, name);
    }
    t.match(await resolve(client.pid, address), 'web.team', 'backwards');
    const resolver = here.file(client.record, 'resolv.conf');
    t.match(resolver, /nameserver 127\.0\.0\.11\n(.*\n)*options ndots:0/);
    here.rename(web.record, 'shop');
    t.match(await resolve(client.pid, 'shop'), address, 'by a new name');
    t.notMatch(await resolve(client.pid, 'web'), address, 'not by the old one');
    await web.end();
    t.notMatch(await resolve(client.pid, 'shop'), address, 'gone with the container');
  });

  test('other names are forwarded from the host, but never for an internal network', async (t) => {
    const here = await world(t);
    const asked: string[] = [];
    const upstream = createSocket('udp4');
    upstream.on('message', (bytes, { port, address }) => {
      const query = decodeQuery(bytes);
      if (query === undefined) return;
      asked.push(query.name);
      const records = query.type === 1 ? [{ type: 1 as const, address: '192.0.2.77' }] : [];
      upstream.send(encodeResponse(query, 0, records, 512), port, address);
    });
    await new Promise<void>((done) => upstream.bind(53, '127.0.0.53', done));
    t.teardown(() => void upstream.close());
    await here.networks.create({ Name: 'open' });
    await here.networks.create({ Name: 'closed', Internal: true });
    const on = (network: string): ContainerRecord =>
      here.add({ hostConfig: { NetworkMode: network }, endpoints: { [network]: {} } });
    const outer = await here.run(on('open'));
    const inner = await here.run(on('closed'));
    t.match(await resolve(outer.pid, 'outside.test'), '192.0.2.77');
    t.notMatch(await resolve(inner.pid, 'secret.test'), '192.0.2.77');
    t.ok(asked.includes('outside.test'));
    t.notOk(asked.includes('secret.test'));
  });

  test('a restart of the daemon keeps ports, addresses and names', async (t) => {
    const here = await world(t);
    await here.networks.create({ Name: 'team' });
    const record = here.add({
      name: 'web',
      hostConfig: { NetworkMode: 'team', PortBindings: { '80/tcp': [{ HostPort: '8085' }] } },
      endpoints: { team: {} },
    });
    const web = await here.run(record);
    // This one counts as ended while no daemon looked.
    await here.run(here.add({ hostConfig: { NetworkMode: 'team' }, endpoints: { team: {} } }));
    await serve(t, here, web.pid, 'still');
    const next = await here.restart([web]);
    t.equal(await talk(process.pid, '127.0.0.1', 8085), 'still');
    t.match(await resolve(web.pid, 'web'), addressOf(web, 'team'));
    const { Containers } = await next.networks.inspect('team', { verbose: false, scope: '' });
    t.same(Object.keys(Containers), [record.id], 'the one that ended meanwhile is gone');
    const [links] = await next.netlink.run([{ do: 'links' }]);
    t.equal(links.filter(({ kind }) => kind === 'veth').length, 1);
    await t.rejects(next.networks.allocate(next.add({
      hostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8085' }] } },
    })), { message: /port is already allocated/ });
  });

  test('a live container is connected to a network and taken off again', async (t) => {
    const here = await world(t);
    await here.networks.create({ Name: 'team' });
    const web = await here.run(here.add({
      name: 'web', hostConfig: { NetworkMode: 'team' }, endpoints: { team: {} },
    }));
    const late = await here.run(here.add({ name: 'late' }));
    await here.networks.attach('team', {
      Container: 'late', EndpointConfig: { Aliases: ['tardy'] },
    });
    t.match(await resolve(web.pid, 'tardy'), addressOf(late, 'team'));
    t.match(await resolve(late.pid, 'web'), addressOf(web, 'team'));
    t.match(here.file(late.record, 'hosts'), addressOf(late, 'team'));
    await t.rejects(here.networks.attach('team', { Container: 'late' }),
      forbidden('endpoint with name late already exists in network team'));
    await t.rejects(here.networks.remove('team'), { message: /has active endpoints$/ });
    await here.networks.detach('team', { Container: 'late' });
    t.same(Object.keys(late.sandbox.endpoints), ['bridge']);
    const [links] = await here.netlink.run([{ do: 'links', netns: { pid: late.pid } }]);
    t.same(links.map(({ name }) => name).sort(), ['eth0', 'lo']);
    await t.rejects(here.networks.detach('team', { Container: 'late' }),
      systemError(`container ${late.record.id} is not connected to network team`));
  });

  test('networks are refused in Docker\'s words', async (t) => {
    const { networks } = await world(t);
    const invalid = (Subnet: string) =>
      networks.create({ Name: 'x', IPAM: { Config: [{ Subnet }] } });
    await networks.create({ Name: 'team' });
    await t.rejects(networks.create({ Name: 'team' }),
      conflict('network with name team already exists'));
    await t.rejects(invalid('foo'), {
      message: 'invalid network config:\ninvalid subnet foo: invalid CIDR block notation',
    });
    await t.rejects(invalid('10.130.1.5/24'), { message: /it should be 10\.130\.1\.0\/24$/ });
    await t.rejects(invalid('172.17.0.0/24'),
      forbidden('Pool overlaps with other one on this address space'));
    await t.rejects(networks.create({ Name: 'x', Driver: 'nosuch' }),
      notFound('plugin "nosuch" not found'));
    await t.rejects(networks.create({ Name: 'host' }),
      forbidden('operation is not permitted on predefined host network '));
    await t.rejects(networks.inspect('nosuch', { verbose: false, scope: '' }),
      notFound('network nosuch not found'));
  });

  test('networks that are made at once have different subnets, and one name wins', async (t) => {
    const { networks } = await world(t);
    const names = ['a', 'b', 'c', 'c'];
    const results = await Promise.allSettled(names.map((Name) => networks.create({ Name })));
    const ends = results.map(({ status }) => status);
    t.same(ends, ['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
    const made = await networks.list({ type: ['custom'] });
    t.equal(new Set(made.map(({ IPAM }) => IPAM.Config?.[0]?.Subnet)).size, 3);
  });

  test('an address that is asked for is given once, and only inside the subnet', async (t) => {
    const here = await world(t);
    const base = `10.${randomInt(128, 256)}.${randomInt(256)}`;
    await here.networks.create({ Name: 'own', IPAM: { Config: [{ Subnet: `${base}.0/24` }] } });
    const ask = (IPv4Address: string): ContainerRecord => here.add({
      hostConfig: { NetworkMode: 'own' }, endpoints: { own: { IPAMConfig: { IPv4Address } } },
    });
    const sandbox = await here.networks.allocate(ask(`${base}.9`));
    await sandbox.ready;
    t.equal(sandbox.endpoints['own']?.IPAddress, `${base}.9`);
    await t.rejects(here.networks.allocate(ask(`${base}.9`)), forbidden('Address already in use'));
    t.throws(() => here.networks.check(ask('1.2.3.4')), {
      message: 'invalid config for network own: invalid endpoint settings:\n' +
        'no configured subnet or ip-range contain the IP address 1.2.3.4',
    });
  });

  test('prune removes what nobody uses, and tells it', async (t) => {
    const here = await world(t);
    await here.networks.create({ Name: 'idle', Labels: { stage: 'test' } });
    await here.networks.create({ Name: 'busy' });
    await here.run(here.add({ hostConfig: { NetworkMode: 'busy' }, endpoints: { busy: {} } }));
    t.same(await here.networks.prune({ label: ['stage=prod'] }), { NetworksDeleted: null });
    t.same(await here.networks.prune({}), { NetworksDeleted: ['idle'] });
    t.ok(here.told.includes('destroy idle'));
  });

  test('host and none get no links, and what they resolve with', async (t) => {
    const here = await world(t);
    const none = await here.run(here.add({ hostConfig: { NetworkMode: 'none' } }));
    t.equal(none.sandbox.kind, 'none');
    const [links] = await here.netlink.run([{ do: 'links', netns: { pid: none.pid } }]);
    t.same(links.map(({ name }) => name), ['lo']);
    const sandbox = await here.networks.allocate(here.add({ hostConfig: { NetworkMode: 'host' } }));
    await sandbox.ready;
    t.equal(sandbox.kind, 'host');
    t.match(readFileSync(sandbox.resolvConfPath, 'utf8'), 'nameserver 127.0.0.53');
    await here.networks.release(sandbox.id);
  });

  test('who gives a sandbox back at once is not written to afterwards', async (t) => {
    const here = await world(t);
    const record = here.add({ hostConfig: { NetworkMode: 'none' } });
    const sandbox = await here.networks.allocate(record);
    await here.networks.release(sandbox.id);
    const folder = dirname(sandbox.hostsPath);
    rmSync(folder, { recursive: true });
    await sleep(100);
    t.notOk(existsSync(folder));
    t.equal(await sandbox.ready, undefined, 'its files were written by then');
  });

  test('the default pools are Docker\'s', (t) => {
    t.equal(defaultPoolRanges[0]?.base, '172.17.0.0/16');
    t.end();
  });
}

if (inPrivateNetns(import.meta.url)) facts();
