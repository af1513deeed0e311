/** Published ports of a daemon: at which addresses, what the API shows, and who outlives whom. */
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { test, type Test } from 'tap';
import type { ContainerSummary } from '../../api-spec/index.js';
import { create, run, start, stateOf, until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { echoInside } from '../support/echo-inside.js';
import { heard } from '../support/heard.js';
import { inPrivateNetns } from '../support/private-netns.js';

const server = ['sh', '-c', 'while true; do echo served | nc -l -p 80; done'];

async function ready(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return daemon;
}

const bindings = (...list: readonly (readonly [string, string])[]): object => ({
  PortBindings: { '80/tcp': list.map(([HostIp, HostPort]) => ({ HostIp, HostPort })) },
});

async function answers(t: Test, places: readonly (readonly [string, number])[]): Promise<void> {
  for (const [host, port] of places) {
    await until(`${host} ${port}`, async () => (await heard(host, port)) === 'served');
    t.pass(`${host} ${port}`);
  }
}

/** Host addresses of a container's port, from inspect. */
async function shown({ api }: TestDaemon, id: string, key = '80/tcp'): Promise<readonly string[]> {
  const inspected = (await api.get(`/containers/${id}/json`)).json;
  const list = inspected.NetworkSettings.Ports[key] as { HostIp: string; HostPort: string }[];
  return list.map(({ HostIp, HostPort }) => `${HostIp} ${HostPort}`);
}

function facts(): void {
  test('a port is published on IPv4 and IPv6, and both are shown', async (t) => {
    const daemon = await ready(t);
    const id = await run(daemon, { command: server, host: bindings(['', '8080'], ['', '']) });
    const [first, second, third = '', fourth = ''] = await shown(daemon, id);
    t.same([first, second], ['0.0.0.0 8080', ':: 8080']);
    const random = Number(third.split(' ')[1]);
    t.same([third, fourth], [`0.0.0.0 ${random}`, `:: ${random}`], 'one number for both');
    const [row] = (await daemon.api.get('/containers/json')).json as ContainerSummary[];
    t.same(row?.Ports.slice(0, 2), [
      { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    ]);
    await answers(t, [['127.0.0.1', 8080], ['::1', 8080], ['::1', random]]);
  });

  test('an address that was named is the only one', async (t) => {
    const daemon = await ready(t);
    const host = bindings(['127.0.0.1', '8081'], ['0:0::1', '8082'], ['0.0.0.0', '8083']);
    const id = await run(daemon, { command: server, host });
    t.same(await shown(daemon, id), ['127.0.0.1 8081', '::1 8082', '0.0.0.0 8083']);
    await answers(t, [['127.0.0.1', 8081], ['::1', 8082], ['127.0.0.1', 8083]]);
    t.equal(await heard('::1', 8081), '');
    t.equal(await heard('127.0.0.1', 8082), '');
    t.equal(await heard('::1', 8083), '');
  });

  test('IPv6 is served while the daemon is dead, and after; a stop gives it back', async (t) => {
    const daemon = await ready(t);
    const id = await run(daemon, { command: server, host: bindings(['', '8080']) });
    await answers(t, [['::1', 8080]]);
    await daemon.kill9();
    await answers(t, [['::1', 8080], ['127.0.0.1', 8080]]);
    await daemon.start();
    t.same(await shown(daemon, id), ['0.0.0.0 8080', ':: 8080']);
    await answers(t, [['::1', 8080]]);
    const second = await create(daemon, { command: server, host: bindings(['', '8080']) });
    await t.rejects(start(daemon, second), /Bind for 0\.0\.0\.0:8080 failed: port is already all/);
    await daemon.api.post(`/containers/${id}/stop?t=0`);
    await start(daemon, second);
    await answers(t, [['::1', 8080], ['127.0.0.1', 8080]]);
    t.equal((await stateOf(daemon, id)).Status, 'exited');
  });

  test('a stranger on IPv6 alone is told of in Docker\'s words, and nothing is held', async (t) => {
    const daemon = await ready(t);
    const stranger = createServer();
    await new Promise<void>((done) =>
      stranger.listen({ host: '::', port: 8090, ipv6Only: true }, done));
    const id = await create(daemon, { command: server, host: bindings(['', '8090']) });
    await t.rejects(start(daemon, id), /failed to bind host port for :::8090:.*address already in/);
    await new Promise((done) => stranger.close(done));
    await start(daemon, id);
    await answers(t, [['127.0.0.1', 8090]]);
  });

  test('connections that linger from before do not keep a port from its container', async (t) => {
    const before = createServer((socket) => void socket.end('before'));
    await new Promise<void>((done) => before.listen(8094, '127.0.0.1', done));
    t.equal(await heard('127.0.0.1', 8094), 'before');
    await new Promise((done) => before.close(done));
    const daemon = await ready(t);
    await run(daemon, { command: server, host: bindings(['', '8094']) });
    await answers(t, [['127.0.0.1', 8094]]);
  });

  test('an UDP port is answered on ::1 from the address that was asked', async (t) => {
    const daemon = await ready(t);
    const host = { PortBindings: { '53/udp': [{ HostPort: '8053' }] } };
    const id = await run(daemon, { command: ['sleep', '60'], host });
    t.same(await shown(daemon, id, '53/udp'), ['0.0.0.0 8053', ':: 8053']);
    await echoInside(t, (await stateOf(daemon, id)).Pid);
    for (const [type, address] of [['udp6', '::1'], ['udp4', '127.0.0.1']] as const) {
      const socket = createSocket(type);
      t.teardown(() => void socket.close());
      const answer = new Promise<readonly unknown[]>((resolve) =>
        socket.once('message', (bytes, from) =>
          resolve([bytes.toString(), from.address, from.port])));
      socket.send('ping', 8053, address);
      t.same(await answer, ['ping', address, 8053]);
    }
  });

  test('a range of six hundred ports is published', async (t) => {
    const daemon = await ready(t);
    const ports = Array.from({ length: 600 }, (_, i) => 20_000 + i);
    const PortBindings = Object.fromEntries(ports.map((port) =>
      [`${port}/tcp`, [{ HostPort: String(port) }]]));
    const command = ['sh', '-c', 'while true; do echo served | nc -l -p 20599; done'];
    await run(daemon, { command, host: { PortBindings } });
    await answers(t, [['127.0.0.1', 20_599], ['::1', 20_599]]);
  });

  test('a host without IPv6 publishes on IPv4 as ever', async (t) => {
    const ipv6 = (value: string): void =>
      writeFileSync('/proc/sys/net/ipv6/conf/all/disable_ipv6', value);
    ipv6('1');
    t.teardown(() => ipv6('0'));
    const daemon = await ready(t);
    const id = await run(daemon, { command: server, host: bindings(['', '8080']) });
    t.same(await shown(daemon, id), ['0.0.0.0 8080']);
    await answers(t, [['127.0.0.1', 8080]]);
  });
}

if (inPrivateNetns(import.meta.url)) facts();
