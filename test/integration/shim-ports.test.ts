/** The shim's part of published ports: it keeps their sockets, and serves what no rule can. */
import { createSocket } from 'node:dgram';
import { closeSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type Test } from 'tap';
import type { HeldSocket } from '../../native/index.js';
import { openInetSocket } from '../../native/netlink/index.js';
import { until } from '../support/containers.js';
import { shell } from '../support/launch-programs.js';
import { atGate, readAll, type Started } from '../support/shim-container.js';

const sleeper = { argv: shell('sleep 60') };

/** A port of `::1` that leads to `port` of 127.0.0.1, held by the shim of a container that runs. */
async function forwarded(
  t: Test,
  protocol: 'tcp' | 'udp',
  port: number,
): Promise<Started & { readonly port: number }> {
  const listen = protocol === 'tcp';
  const outer = openInetSocket({ protocol, address: '::1', port: 0, listen });
  const forward = { protocol, address: '127.0.0.1', port };
  const started = await atGate(t, sleeper, {}, { held: [{ fd: outer.fd, forward }] });
  closeSync(outer.fd);
  await started.launching.open();
  return { ...started, port: outer.port };
}

async function serve(t: Test, onConnection: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.teardown(() => void server.close());
  // A server that listens on an address has one of this kind.
  return (server.address() as AddressInfo).port;
}

function dial(port: number): Socket {
  return connect({ host: '::1', port, allowHalfOpen: true });
}

/** The proxy of a shim, when it has one. */
async function proxyOf({ launching }: Started): Promise<number | undefined> {
  const { shimPid } = await launching.shim.hello();
  const children = readFileSync(`/proc/${shimPid}/task/${shimPid}/children`, 'utf8');
  return children.trim().split(' ').map(Number).find((pid) =>
    readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'tsdocker-proxy');
}

test('a connection is carried both ways, and each half ends by itself', async (t) => {
  const inner = await serve(t, (socket) => {
    let asked = '';
    socket.on('data', (bytes: Buffer) => (asked += bytes.toString()));
    socket.on('end', () => socket.end(`${asked} and back`));
  });
  const started = await forwarded(t, 'tcp', inner);
  t.equal(await proxyOf(started), undefined, 'nobody has come yet');
  for (const word of ['there', 'again']) {
    const socket = dial(started.port);
    socket.end(word);
    t.equal((await readAll(socket)).toString(), `${word} and back`);
  }
  const pid = await proxyOf(started);
  t.ok(pid !== undefined);
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  t.match(status, /CapEff:\t0{16}\n/, 'it has no capabilities');
  const fds = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  t.same(
    fds.filter((target) => !/^(socket:\[|\/dev\/null$|anon_inode:\[eventpoll\])/.test(target)), [],
    'and only the sockets');
});

test('much goes through at once, both ways, and no byte is lost', async (t) => {
  const inner = await serve(t, (socket) => void socket.pipe(socket));
  const started = await forwarded(t, 'tcp', inner);
  const block = Buffer.from(Array.from({ length: 65_536 }, (_, i) => (i * 31) % 251));
  const blocks = 256;
  await Promise.all(Array.from({ length: 4 }, async () => {
    const socket = dial(started.port);
    const back = readAll(socket);
    for (let i = 0; i < blocks; i++) {
      if (!socket.write(block)) await new Promise((done) => socket.once('drain', done));
    }
    socket.end();
    const bytes = await back;
    t.equal(bytes.length, blocks * block.length);
    t.ok(bytes.subarray(bytes.length - block.length).equals(block));
  }));
});

test('where nobody listens inside, who connects is reset', async (t) => {
  const started = await forwarded(t, 'tcp', 1);
  const error = await new Promise<NodeJS.ErrnoException>((resolve) =>
    dial(started.port).on('error', resolve));
  t.equal(error.code, 'ECONNRESET');
});

test('a reset inside is a reset outside', async (t) => {
  const inner = await serve(t, (socket) => {
    socket.once('data', () => socket.resetAndDestroy());
  });
  const started = await forwarded(t, 'tcp', inner);
  const socket = dial(started.port);
  const error = new Promise<NodeJS.ErrnoException>((resolve) => socket.on('error', resolve));
  socket.write('x');
  t.equal((await error).code, 'ECONNRESET');
});

test('more connections than it carries wait for their turn', async (t) => {
  let open = 0;
  const inner = await serve(t, (socket) => {
    open++;
    socket.resume().once('end', () => socket.end());
  });
  const started = await forwarded(t, 'tcp', inner);
  const sockets = Array.from({ length: 1100 }, () =>
    dial(started.port).on('error', () => undefined));
  t.teardown(() => sockets.forEach((socket) => socket.destroy()));
  await until('the first 1024', () => Promise.resolve(open === 1024));
  await sleep(300);
  t.equal(open, 1024);
  for (const socket of sockets.slice(0, 200)) socket.end();
  await until('the rest', () => Promise.resolve(open === 1100));
});

test('datagrams find their way back to who sent them', async (t) => {
  const inner = createSocket('udp4');
  inner.on('message', (bytes, from) =>
    inner.send(`to ${bytes.toString()}`, from.port, from.address));
  await new Promise<void>((done) => inner.bind(0, '127.0.0.1', done));
  t.teardown(() => void inner.close());
  const started = await forwarded(t, 'udp', inner.address().port);
  const senders = ['one', 'two'].map(async (word) => {
    const socket = createSocket('udp6');
    t.teardown(() => void socket.close());
    const answer = new Promise<readonly string[]>((resolve) =>
      socket.once('message', (bytes, from) =>
        resolve([bytes.toString(), from.address, String(from.port)])));
    socket.send(word, started.port, '::1');
    t.same(await answer, [`to ${word}`, '::1', String(started.port)]);
  });
  await Promise.all(senders);
});

test('a proxy that falls is followed by another', async (t) => {
  const inner = await serve(t, (socket) => void socket.end('served'));
  const started = await forwarded(t, 'tcp', inner);
  t.equal((await readAll(dial(started.port))).toString(), 'served');
  const first = (await proxyOf(started)) ?? 0;
  process.kill(first, 'SIGKILL');
  await until('it is gone', async () => (await proxyOf(started)) !== first);
  t.equal((await readAll(dial(started.port))).toString(), 'served');
  t.not(await proxyOf(started), first);
});

test('proxy and port are gone when the end of the process is told', async (t) => {
  const inner = await serve(t, (socket) => void socket.end('served'));
  const started = await forwarded(t, 'tcp', inner);
  await readAll(dial(started.port));
  const pid = (await proxyOf(started)) ?? 0;
  const { shim } = started.launching;
  await shim.signal(9);
  await shim.exited;
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  const place = { protocol: 'tcp', address: '::1', port: started.port, listen: true } as const;
  const again = openInetSocket(place);
  closeSync(again.fd);
});

test('a thousand ports are held by one shim', async (t) => {
  const sockets = Array.from({ length: 1000 }, () =>
    openInetSocket({ protocol: 'tcp', address: '127.0.0.1', port: 0, listen: false }));
  const held: readonly HeldSocket[] = sockets.map(({ fd }) => ({ fd }));
  const { launching } = await atGate(t, sleeper, {}, { held });
  for (const { fd } of sockets) closeSync(fd);
  await launching.open();
  const place = { protocol: 'tcp', address: '127.0.0.1', listen: false } as const;
  for (const { port } of [sockets[0], sockets[999]].flatMap((each) => each ?? [])) {
    t.throws(() => openInetSocket({ ...place, port }), { code: 'EADDRINUSE' });
  }
});
