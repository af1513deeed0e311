/** An exec is launched when it is created, as far as can be outside of its container. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import type { Test } from 'tap';
import { isAlive } from '../support/alive.js';
import { run, until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

interface World {
  readonly daemon: TestDaemon;
  readonly create: (body: object) => Promise<string>;
  /** Starts it; what it says, its frames taken off. */
  readonly start: (exec: string, body?: object) => Promise<string>;
  /** The sockets of shims that live. */
  readonly sockets: () => readonly string[];
}

async function world(t: Test, host: object = {}): Promise<World> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  await run(daemon, { name: 'box', command: ['sleep', '1000'], host });
  return {
    daemon,
    create: async (body) => {
      const { json } = await daemon.api.post(
        '/containers/box/exec', { AttachStdout: true, AttachStderr: true, ...body });
      return String(json.Id);
    },
    start: async (exec, body = {}) =>
      (await daemon.api.post(`/exec/${exec}/start`, body)).bytes.subarray(8).toString().trim(),
    sockets: () => readdirSync(`${daemon.execRoot}/e`),
  };
}

/** The shim that serves it, by its command line. */
function shimOf(exec: string): number {
  const name = exec.slice(0, 16);
  const pid = readdirSync('/proc').find((each) => {
    const path = `/proc/${each}/cmdline`;
    return /^\d+$/.test(each) && existsSync(path) && readFileSync(path, 'latin1').includes(name);
  });
  return Number(pid ?? 0);
}

const waits = ({ sockets }: World, exec: string): Promise<void> =>
  until('its shim waits', async () => sockets().includes(exec.slice(0, 16)));

test('until it is started nothing of it is in the container', async (t) => {
  const here = await world(t);
  const { daemon, create, start, sockets } = here;
  const exec = await create({ Cmd: ['sh', '-c', 'echo $PPID; ps -o pid | wc -l'] });
  await waits(here, exec);
  const shim = shimOf(exec);
  t.ok(shim > 0);
  t.equal(readFileSync(`/proc/${shim}/task/${shim}/children`, 'utf8'), '');
  const { json: top } = await daemon.api.get('/containers/box/top');
  t.equal((top.Processes as unknown[]).length, 1);
  t.match((await daemon.api.get(`/exec/${exec}/json`)).json, { Running: false, ExitCode: null });
  t.match(await start(exec), /^0\s/);
  await until('the very shim that waited has gone', async () => !isAlive(shim));
  await until('nobody has taken its place', async () => shimOf(exec) === 0);
  t.same(sockets(), []);
});

test('one that is not started goes after a while, and can be started all the same', async (t) => {
  const here = await world(t);
  const exec = await here.create({ Cmd: ['echo', 'late'] });
  await waits(here, exec);
  await until('it has gone', async () => here.sockets().length === 0);
  t.equal(await here.start(exec), 'late');
});

test('one whose shim was killed is launched once more when it is started', async (t) => {
  const here = await world(t);
  const exec = await here.create({ Cmd: ['echo', 'again'] });
  await waits(here, exec);
  process.kill(shimOf(exec), 'SIGKILL');
  // A start that meets the very moment of its end is refused.
  await sleep(200);
  t.equal(await here.start(exec), 'again');
  await until('nothing is left', async () => here.sockets().length === 0);
});

test('a start that says anything else than was expected is done as it says', async (t) => {
  const here = await world(t);
  const detached = await here.create({ Cmd: ['sh', '-c', 'echo x > /detached'] });
  await waits(here, detached);
  t.equal(await here.start(detached, { Detach: true }), '');
  await until('a shim of its own waits for the next', async () => here.sockets().length === 0);
  const sized = await here.create({ Cmd: ['stty', 'size'], Tty: true });
  await waits(here, sized);
  const { text } = await here.daemon.api.post(
    `/exec/${sized}/start`, { Tty: true, ConsoleSize: [33, 77] });
  t.equal(text.trim(), '33 77');
  const read = await here.create({ Cmd: ['cat', '/detached'] });
  t.equal(await here.start(read), 'x');
});

test('who a name is, is looked up when it is started', async (t) => {
  const { create, start, sockets } = await world(t);
  const exec = await create({ Cmd: ['id', '-u'], User: 'late' });
  t.same(sockets(), [], 'nothing of it is made ahead');
  const add = await create({ Cmd: ['sh', '-c', 'echo late:x:77:77::/: >> /etc/passwd'] });
  await start(add);
  t.equal(await start(exec), '77');
});

test('no more than four wait, and those who do not are run as well', async (t) => {
  const { create, start, sockets } = await world(t);
  const execs = await Promise.all(
    Array.from({ length: 12 }, (_, index) => create({ Cmd: ['echo', String(index)] })));
  t.ok(sockets().length <= 4, `${sockets().length} wait`);
  const said = await Promise.all(execs.map((exec) => start(exec)));
  t.same(said, execs.map((_, index) => String(index)));
});

test('it goes with its container', async (t) => {
  const here = await world(t);
  const exec = await here.create({ Cmd: ['true'] });
  await waits(here, exec);
  const shim = shimOf(exec);
  await here.daemon.api.delete('/containers/box?force=1');
  await until('its shim has gone', async () => !isAlive(shim));
  t.equal((await here.daemon.api.post(`/exec/${exec}/start`, {})).status, 404);
});

test('it goes with the daemon, however that ends', async (t) => {
  const here = await world(t);
  const exec = await here.create({ Cmd: ['true'] });
  await waits(here, exec);
  const shim = shimOf(exec);
  await here.daemon.kill9();
  await until('its shim has gone', async () => !isAlive(shim));
  t.same(here.sockets(), [], 'it has taken its socket along');
  await here.daemon.start();
});

test('a paused container lets none be started, and one that goes on does', async (t) => {
  const here = await world(t);
  const exec = await here.create({ Cmd: ['echo', 'on'] });
  await waits(here, exec);
  await here.daemon.api.post('/containers/box/pause');
  t.equal((await here.daemon.api.post(`/exec/${exec}/start`, {})).status, 409);
  await here.daemon.api.post('/containers/box/unpause');
  t.equal(await here.start(exec), 'on');
});

test('the head of an answer does not wait for output that does not come', async (t) => {
  const { daemon, create } = await world(t);
  const exec = await create({ Cmd: ['sleep', '3'] });
  const startedMs = performance.now();
  const headMs = await new Promise<number>((resolve, reject) => {
    const asked = request({
      socketPath: daemon.socket, method: 'POST', path: `/exec/${exec}/start`,
      headers: { 'content-type': 'application/json' },
    }, (answer) => {
      resolve(performance.now() - startedMs);
      answer.destroy();
    });
    asked.on('error', reject).end('{}');
  });
  t.ok(headMs < 2000, `${headMs} ms`);
});
