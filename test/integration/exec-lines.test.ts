/** A client of an exec that sends nothing is spoken to by the shim itself. */
import { readdirSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { startBox } from '../support/box.js';
import { until } from '../support/containers.js';
import type { TestDaemon } from '../support/daemon.js';

async function created(daemon: TestDaemon, body: object): Promise<string> {
  const asked = { AttachStdout: true, AttachStderr: true, ...body };
  const { json } = await daemon.api.post('/containers/box/exec', asked);
  return String(json.Id);
}

/** Starts it on a connection of its own, as the docker client does; paused. */
async function started(daemon: TestDaemon, exec: string, tty = false): Promise<Socket> {
  const socket = createConnection({ path: daemon.socket, allowHalfOpen: true });
  const body = JSON.stringify({ Detach: false, Tty: tty });
  socket.write(
    `POST /v1.45/exec/${exec}/start HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\n` +
      'Upgrade: tcp\r\nContent-Type: application/json\r\n' +
      `Content-Length: ${String(body.length)}\r\n\r\n${body}`,
  );
  await new Promise((resolve) => socket.once('readable', resolve));
  return socket;
}

const hasEnded = async (daemon: TestDaemon, exec: string): Promise<boolean> =>
  (await daemon.api.get(`/exec/${exec}/json`)).json.Running === false;

test('its output goes on to its end when the daemon is killed', async (t) => {
  const daemon = await startBox(t);
  const exec = await created(daemon, { Cmd: ['sh', '-c', 'echo one; sleep 2; echo two'] });
  const client = await started(daemon, exec);
  await until('it runs', async () => !(await hasEnded(daemon, exec)));
  await sleep(200);
  await daemon.kill9();
  t.match(await text(client), /one\n[^]*two\n$/);
  await daemon.start();
});

test('what is not read yet when it has ended still comes, and the code is there', async (t) => {
  const daemon = await startBox(t);
  const sizeBytes = 5_000_000;
  const script = `head -c ${String(sizeBytes)} /dev/zero; exit 4`;
  const exec = await created(daemon, { Cmd: ['sh', '-c', script] });
  const client = await started(daemon, exec);
  await until('it has ended', () => hasEnded(daemon, exec));
  let received = 0;
  for await (const part of client) received += (part as Buffer).length;
  // The answer's head, and eight bytes before each piece of up to 32 KiB.
  t.ok(received > sizeBytes && received < sizeBytes * 1.01, `${String(received)} bytes`);
  t.equal((await daemon.api.get(`/exec/${exec}/json`)).json.ExitCode, 4);
  await until('no shim is left', async () => readdirSync(`${daemon.execRoot}/e`).length === 0);
});

test('a terminal\'s output comes as it is', async (t) => {
  const daemon = await startBox(t);
  const exec = await created(daemon, { Cmd: ['echo', 'plain'], Tty: true });
  t.match(await text(await started(daemon, exec, true)), /\r\n\r\nplain\r\n$/);
});

test('why one cannot be started is said to the same client', async (t) => {
  const daemon = await startBox(t);
  const exec = await created(daemon, { Cmd: ['/nowhere'] });
  t.match(await text(await started(daemon, exec)), /OCI runtime exec failed: [^]*\/nowhere/);
});

test('a client that goes while nothing is said is not kept', async (t) => {
  const daemon = await startBox(t);
  const fds = (): number => readdirSync(`/proc/${String(daemon.pid())}/fd`).length;
  await text(await started(daemon, await created(daemon, { Cmd: ['true'] })));
  const before = fds();
  const exec = await created(daemon, { Cmd: ['sleep', '1000'] });
  const client = await started(daemon, exec);
  await until('it runs', async () => !(await hasEnded(daemon, exec)));
  // The talk with the shim was there before, of one that was idle.
  t.ok(fds() > before);
  client.destroy();
  await until('its connection is closed', async () => fds() <= before);
  t.equal(await hasEnded(daemon, exec), false);
});

test('what is said to one that was not to speak does not end its output', async (t) => {
  const daemon = await startBox(t);
  const exec = await created(daemon, { Cmd: ['sh', '-c', 'sleep 0.5; echo said'] });
  const client = await started(daemon, exec);
  client.write('nobody listens\n');
  client.end();
  t.match(await text(client), /said\n$/);
});
