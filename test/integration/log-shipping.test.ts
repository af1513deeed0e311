/** Logs that go to a syslog server or to journald: servers of the test's own, real containers. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { gunzipSync } from 'node:zlib';
import { test } from 'tap';
import { create, run, start, until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { datagramServer } from '../support/datagram-server.js';
import { importDemoImage } from '../support/demo-image.js';
import { logEntries } from '../support/log-frames.js';

async function world(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return daemon;
}

const syslogTo = (address: string, more: object = {}) => ({
  LogConfig: { Type: 'syslog', Config: { 'syslog-address': address, ...more } },
});

const script = 'echo out; echo err >&2; sleep 0.3; seq 1000; sleep 1000';

/** A server that counts what comes, over UDP. */
async function udpServer(t: Test) {
  const server = createSocket('udp4');
  const messages: string[] = [];
  server.on('message', (bytes) => messages.push(bytes.toString()));
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { messages, address: `udp://127.0.0.1:${server.address().port}` };
}

/** One over TCP or a unix socket, which can go away and come back. */
async function streamServer(t: Test, where: { readonly path?: string }) {
  const state = { text: '', port: 0 };
  const sockets = new Set<{ destroy(): void }>();
  const make = () =>
    createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (bytes: Buffer) => (state.text += bytes.toString()));
    });
  let server = make();
  const start = async (): Promise<void> => {
    server = make();
    if (where.path === undefined) server.listen(state.port, '127.0.0.1');
    else server.listen(where.path);
    await once(server, 'listening');
    if (where.path === undefined) state.port = (server.address() as AddressInfo).port;
  };
  const stop = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  await start();
  t.teardown(stop);
  return { state, start, stop };
}

const numbersIn = (text: string): readonly number[] =>
  [...text.matchAll(/\]: (\d+)$/gm)].map((match) => Number(match[1]));

test('syslog over UDP: priority, tag, format', async (t) => {
  const daemon = await world(t);
  const server = await udpServer(t);
  const more = {
    'syslog-facility': 'local3', 'syslog-format': 'rfc5424micro', 'tag': 'x/{{.Name}}',
  };
  const host = syslogTo(server.address, more);
  // No more than the server's socket holds, should it be slow: what is too much for UDP is lost.
  const few = script.replace('seq 1000', 'seq 100');
  const id = await run(daemon, { name: 'told', command: ['sh', '-c', few], host });
  await until('all has come', async () => server.messages.length >= 102);
  const out = server.messages.find((message) => message.endsWith('- out\n'));
  t.match(out, /^<158>1 \d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z \S+ x\/told \d+ x\/told - out\n$/);
  t.match(server.messages.find((message) => message.endsWith('- err\n')), /^<155>1 /);
  const { json } = await daemon.api.get(`/containers/${id}/json`);
  t.equal(json.LogPath, '');
  const logs = logEntries((await daemon.api.get(`/containers/${id}/logs?stdout=1&tail=1`)).bytes);
  t.equal(Buffer.from(logs[0]?.bytes ?? []).toString(), '100\n', 'logs reads the spool');
});

test('nothing is lost over TCP while the server, or the daemon, is away', async (t) => {
  const daemon = await world(t);
  const server = await streamServer(t, {});
  const command = ['sh', '-c', 'i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); ' +
    '[ $((i % 100)) = 0 ] && sleep 0.1; done; sleep 1000'];
  const host = syslogTo(`tcp://127.0.0.1:${server.state.port}`);
  await run(daemon, { command, host });
  await until('some have come', async () => numbersIn(server.state.text).length > 200);
  server.stop();
  await until('they come again', async () => {
    await server.start().catch(() => undefined);
    return true;
  });
  await until('more have come', async () => numbersIn(server.state.text).length > 1000);
  await daemon.kill9();
  await daemon.start();
  await until('all have come', async () => numbersIn(server.state.text).includes(2999), 20_000);
  const missing = Array.from({ length: 3000 }, (_, n) => n)
    .filter((n) => !numbersIn(server.state.text).includes(n));
  // What had left for a server that went away before it read is gone, as with any syslog.
  t.ok(missing.length <= 100, `${missing.length} of 3000 are missing`);
});

test('a container that ends and goes has told all, or the next daemon tells it', async (t) => {
  const daemon = await world(t);
  // sun_path holds 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), 'tsl-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'log');
  const server = await streamServer(t, { path });
  const host = syslogTo(`unix://${path}`);
  const id = await create(daemon, { command: ['seq', '6000', '6999'], host });
  await run(daemon, { command: ['seq', '0', '4999'], host: { ...host, AutoRemove: true } });
  await until('all have come', async () => numbersIn(server.state.text).includes(4999));
  t.equal(numbersIn(server.state.text).length, 5000);

  server.stop();
  await start(daemon, id);
  await daemon.api.post(`/containers/${id}/wait`);
  await daemon.kill9();
  rmSync(path, { force: true });
  await server.start();
  await daemon.start();
  await until('the rest has come', async () => numbersIn(server.state.text).includes(6999));
});

test('gelf over UDP, compressed and in chunks', async (t) => {
  const daemon = await world(t);
  const server = createSocket('udp4');
  t.teardown(() => server.close());
  const chunks: Buffer[] = [];
  server.on('message', (bytes) => chunks.push(bytes));
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  const Config = { 'gelf-address': `udp://127.0.0.1:${server.address().port}`, labels: 'team' };
  const id = await run(daemon, {
    command: ['sh', '-c', 'echo hello; head -c 9000 /dev/urandom | base64 -w 0; echo; sleep 1000'],
    config: { Labels: { team: 'a' } },
    host: { LogConfig: { Type: 'gelf', Config } },
  });
  const isChunk = (bytes: Buffer): boolean => bytes.readUInt16BE(0) === 0x1e0f;
  await until('both have come', async () => {
    const last = chunks.filter(isChunk);
    return chunks.some((bytes) => !isChunk(bytes)) && last.length === (last[0]?.[11] ?? -1);
  });
  const text = (bytes: Buffer): unknown => JSON.parse(gunzipSync(bytes).toString());
  const whole = chunks.find((bytes) => !isChunk(bytes));
  t.match(text(whole ?? Buffer.alloc(0)), {
    version: '1.1', short_message: 'hello', level: 6, _container_id: id, _team: 'a',
  });
  const parts = chunks.filter(isChunk).sort((a, b) => (a[10] ?? 0) - (b[10] ?? 0));
  const long = text(Buffer.concat(parts.map((part) => part.subarray(12))));
  t.match(long, { short_message: /^[A-Za-z0-9+/=]{12000}$/ });
});

test('syslog to a datagram socket', async (t) => {
  const daemon = await world(t);
  const path = join(t.testdir(), 'log');
  const server = await datagramServer(t, path);
  await run(daemon, { command: ['sh', '-c', script], host: syslogTo(`unixgram://${path}`) });
  await until('all has come', async () => server.messages.length >= 1002);
  const first = server.messages[0]?.toString();
  t.match(first, /^<30>\w{3} [ \d]\d [\d:]{8} [0-9a-f]{12}\[\d+\]: out\n$/);
});
