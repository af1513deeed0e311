/** Clients of a container's streams, through the API: what they see, and what they cost. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import type { EventMessage } from '../../api-spec/index.js';
import { test } from 'tap';
import { create, run, start, stateOf, until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

async function world(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return daemon;
}

/** A hijacked connection, its head read; what follows is in `body`. */
async function attach(t: Test, daemon: TestDaemon, path: string, body = ''): Promise<Socket> {
  const socket = connect({ path: daemon.socket, allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  let head = Buffer.alloc(0);
  while (!head.includes('\r\n\r\n')) {
    const piece = socket.read() as Buffer | null;
    if (piece === null) await once(socket, 'readable');
    else head = Buffer.concat([head, piece]);
  }
  const end = head.indexOf('\r\n\r\n') + 4;
  if (!head.toString().startsWith('HTTP/1.1 101')) throw new Error(head.toString());
  if (end < head.length) socket.unshift(head.subarray(end));
  return socket;
}

/** All of stdout, without its frames. */
async function rest(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  return unframed(Buffer.concat(parts));
}

function unframed(frames: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= frames.length; at += 8 + frames.readUInt32BE(at + 4)) {
    parts.push(frames.subarray(at + 8, at + 8 + frames.readUInt32BE(at + 4)));
  }
  return Buffer.concat(parts);
}

const fdsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
const shimOf = (pid: number): number =>
  Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

test('logs=1 and stream=1 join without a loss or a double, at full speed', async (t) => {
  const daemon = await world(t);
  // It lives until all have come: who attaches to one that has ended waits for its next start.
  const script =
    'trap "exit 0" TERM; i=0; while [ $i -lt 60000 ]; do echo $i; i=$((i+1)); ' +
    '[ $((i % 3000)) -eq 0 ] && sleep 0.02; done; sleep 1000 & wait';
  const id = await run(daemon, { command: ['sh', '-c', script] });
  const path = `/containers/${id}/attach?logs=1&stream=1&stdout=1&stderr=1`;
  const clients: Promise<Socket>[] = [];
  for (let count = 0; count < 12; count += 1) {
    clients.push(attach(t, daemon, path));
    await sleep(15);
  }
  const texts = (await Promise.all(clients)).map(rest);
  await until('its last line is in the log', async () => {
    const { text } = await daemon.api.get(`/containers/${id}/logs?stdout=1&tail=1`);
    return text.includes('59999');
  }, 60_000);
  await daemon.api.post(`/containers/${id}/kill?signal=TERM`);
  const whole = Array.from({ length: 60_000 }, (_, n) => `${n}\n`).join('');
  for (const [at, text] of (await Promise.all(texts)).entries()) {
    t.ok(text.toString() === whole, `client ${at}: ${text.length} of ${whole.length}`);
  }
});

test('the beginning of a line that is in no log yet comes once', async (t) => {
  const daemon = await world(t);
  const script = 'echo one; printf two; read x; echo three';
  const id = await run(daemon, { command: ['sh', '-c', script], config: { OpenStdin: true } });
  await sleep(300);
  const query = 'logs=1&stream=1&stdin=1&stdout=1&stderr=1';
  const socket = await attach(t, daemon, `/containers/${id}/attach?${query}`);
  await sleep(100);
  socket.write('\n');
  t.equal((await rest(socket)).toString(), 'one\ntwothree\n');
});

test('several clients see the same; input of all of them arrives', async (t) => {
  const daemon = await world(t);
  const id = await create(daemon, {
    command: ['cat'], config: { OpenStdin: true, StdinOnce: true },
  });
  const path = `/containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1`;
  const clients = await Promise.all([1, 2, 3].map(() => attach(t, daemon, path)));
  await start(daemon, id);
  for (const [at, client] of clients.entries()) {
    client.write(`${at}\n`);
    await sleep(50);
  }
  for (const client of clients) client.end();
  for (const client of clients) t.equal((await rest(client)).toString(), '0\n1\n2\n');
  await until('it has ended', async () => !(await stateOf(daemon, id)).Running);
});

test('without StdinOnce a half-close ends nothing', async (t) => {
  const daemon = await world(t);
  const id = await create(daemon, { command: ['cat'], config: { OpenStdin: true } });
  const path = `/containers/${id}/attach?stream=1&stdin=1&stdout=1`;
  const first = await attach(t, daemon, path);
  await start(daemon, id);
  first.end('one\n');
  await once(first, 'readable');
  const second = await attach(t, daemon, path);
  second.write('two\n');
  await once(second, 'readable');
  t.equal((await stateOf(daemon, id)).Running, true);
});

test('detach keys, also several of them, end one attachment', async (t) => {
  const daemon = await world(t);
  const id = await run(daemon, { command: ['cat'], config: { OpenStdin: true, Tty: true } });
  for (const [keys, bytes] of [['', [16, 17]], ['ctrl-a,x,y', [1, 0x78, 0x79]]] as const) {
    const query = keys === '' ? '' : `&detachKeys=${keys}`;
    const path = `/containers/${id}/attach?stream=1&stdin=1&stdout=1${query}`;
    const socket = await attach(t, daemon, path);
    socket.write('hi\n');
    socket.write(Buffer.from(bytes));
    const [text] = await Promise.all([rest(socket), once(socket, 'end')]);
    t.ok(text.length >= 0, `${keys}: it has ended`);
    t.equal((await stateOf(daemon, id)).Running, true);
  }
  t.match(
    await daemon.api.post(`/containers/${id}/attach?stream=1&detachKeys=nonsense`),
    // Plain text on a connection that is taken over already, as Docker's.
    { status: 400, text: 'Invalid detach keys (nonsense) provided\r\n' },
  );
});

test('a websocket speaks both ways, and its detach keys end it alone', async (t) => {
  const daemon = await world(t);
  const id = await run(daemon, { command: ['cat'], config: { OpenStdin: true, Tty: true } });
  const socket = connect(daemon.socket);
  t.teardown(() => socket.destroy());
  const query = 'stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,x';
  socket.write(
    `GET /v1.45/containers/${id}/attach/ws?${query} HTTP/1.1\r\nHost: x\r\n` +
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
  );
  let told = '';
  socket.setEncoding('latin1').on('data', (part: string) => (told += part));
  const ended = once(socket, 'end');
  // A message of few bytes as clients send it: masked, here with zeros.
  const say = (text: string) => socket.write(
    Buffer.from([0x82, 0x80 | text.length, 0, 0, 0, 0, ...Buffer.from(text)]));
  await until('it is taken over', async () => told.startsWith('HTTP/1.1 101 '));
  say('hello\n');
  await until('an answer', async () => /hello\r\n[^]*hello\r\n/.test(told));
  say('\x01');
  say('x');
  await ended;
  t.match(told, /\x88\x02\x03\xe8$/, 'closed as websockets are');
  t.equal((await stateOf(daemon, id)).Running, true);
});

test('a resize is answered as Docker does, whatever the size and the streams', async (t) => {
  const daemon = await world(t);
  const since = Date.now() / 1000;
  const plain = await run(daemon, { command: ['sleep', '1000'] });
  const command = ['sh', '-c', 'read x; stty size'];
  const config = { OpenStdin: true, Tty: true };
  const terminal = await run(daemon, { command, config });
  for (const id of [plain, terminal]) {
    for (const query of ['h=10&w=20', 'h=-1&w=5', 'h=70000&w=70000', 'h=33&w=44']) {
      const answer = await daemon.api.post(`/containers/${id}/resize?${query}`);
      t.match(answer, { status: 200, text: '' });
    }
    t.match(await daemon.api.post(`/containers/${id}/resize?h=x&w=1`), {
      status: 400, json: { message: 'strconv.Atoi: parsing "x": invalid syntax' },
    });
  }
  const socket = await attach(
    t, daemon, `/containers/${terminal}/attach?stream=1&stdin=1&stdout=1`,
  );
  socket.write('\n');
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  t.match(Buffer.concat(parts).toString(), /33 44\r\n$/);
  const filters = encodeURIComponent(JSON.stringify({ event: ['resize'], container: [plain] }));
  const until = Date.now() / 1000;
  const { text } = await daemon.api.get(`/events?since=${since}&until=${until}&filters=${filters}`);
  const sizes = text.trim().split('\n').map((line) => {
    const { height, width } = (JSON.parse(line) as EventMessage).Actor.Attributes;
    return `${height} ${width}`;
  });
  t.strictSame(sizes, ['10 20', '-1 5', '70000 70000', '33 44'], 'as they were asked for');
});

test('a client that pauses gets every byte of what comes at full speed', async (t) => {
  const daemon = await world(t);
  const sizeBytes = 300_000_000;
  const script = `yes 0123456789 | head -c ${sizeBytes}`;
  const id = await create(daemon, { command: ['sh', '-c', script] });
  const socket = await attach(t, daemon, `/containers/${id}/attach?stream=1&stdout=1`);
  await start(daemon, id);
  await sleep(2000);
  const hash = createHash('sha256');
  let bytes = 0;
  let held = Buffer.alloc(0);
  for await (const part of socket) {
    held = Buffer.concat([held, part as Buffer]);
    let at = 0;
    while (at + 8 <= held.length && at + 8 + held.readUInt32BE(at + 4) <= held.length) {
      const end = at + 8 + held.readUInt32BE(at + 4);
      hash.update(held.subarray(at + 8, end));
      bytes += end - at - 8;
      at = end;
    }
    held = held.subarray(at);
  }
  const expected = createHash('sha256');
  const line = '0123456789\n';
  const block = Buffer.from(line.repeat(100_000));
  for (let left = sizeBytes; left > 0; left -= block.length) {
    expected.update(block.subarray(0, left));
  }
  t.equal(bytes, sizeBytes);
  t.equal(hash.digest('hex'), expected.digest('hex'));
});

test('abandoned clients are noticed at once, and leave nothing', async (t) => {
  const daemon = await world(t);
  const id = await run(daemon, { command: ['sleep', '1000'], config: { OpenStdin: true } });
  const { Pid } = await stateOf(daemon, id);
  const shim = shimOf(Pid);
  const path = `/containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1`;
  const shimFds = fdsOf(shim);
  const rounds = async (count: number): Promise<void> => {
    for (let round = 0; round < count; round += 1) {
      const sockets = await Promise.all(
        Array.from({ length: 100 }, () => attach(t, daemon, path)),
      );
      // Half of them close their side first, as docker's client does without an input.
      for (const [at, socket] of sockets.entries()) if (at % 2 === 0) socket.end();
      await sleep(20);
      for (const socket of sockets) socket.destroy();
      await until('all are let go', async () => fdsOf(shim) <= shimFds, 5000);
    }
  };
  // By then whatever the daemon makes once for all is there.
  await rounds(4);
  await sleep(500);
  const before = fdsOf(daemon.pid());
  await rounds(8);
  await until('no fd is left', async () => fdsOf(daemon.pid()) <= before + 2);
});

test('a client that is stopped holds up nobody for ever', async (t) => {
  const daemon = await world(t);
  const script = 'yes 0123456789 | head -c 30000000; echo done; sleep 1000';
  const id = await create(daemon, { command: ['sh', '-c', script] });
  const path = `/containers/${id}/attach?stream=1&stdout=1`;
  const stopped = await attach(t, daemon, path);
  stopped.pause();
  const other = await attach(t, daemon, path);
  await start(daemon, id);
  let bytes = 0;
  other.on('data', (part: Buffer) => (bytes += part.length));
  await until('the other client has all', async () => bytes > 30_000_000);
  const logs = await daemon.api.get(`/containers/${id}/logs?stdout=1&tail=1`);
  t.match(logs.text, /done/, 'and so has the log');
});
