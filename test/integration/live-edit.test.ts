/** What `update` changes of a container that runs, beyond Docker's: ports, labels, log, health. */
import { readdirSync, readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type Test } from 'tap';
import type { ContainerInspectResponse, ContainerSummary } from '../../api-spec/index.js';
import { create, run, start, stateOf, until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { heard } from '../support/heard.js';
import { inPrivateNetns } from '../support/private-netns.js';

const slow = { timeout: 90_000 };

/** Says where it listens, to whoever comes to port 80 or 81. */
const server = [
  'sh', '-c',
  'while true; do echo at 81 | nc -l -p 81; done & while true; do echo at 80 | nc -l -p 80; done',
];

async function ready(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return daemon;
}

const bindings = (ports: Readonly<Record<string, readonly string[]>>) => ({
  PortBindings: Object.fromEntries(Object.entries(ports).map(([inside, list]) =>
    [`${inside}/tcp`, list.map((HostPort) => ({ HostPort }))])),
});

async function inspect({ api }: TestDaemon, id: string): Promise<ContainerInspectResponse> {
  return (await api.get(`/containers/${id}/json`)).json as ContainerInspectResponse;
}

async function update({ api }: TestDaemon, id: string, body: object): Promise<void> {
  const answer = await api.post(`/containers/${id}/update`, body);
  if (answer.status !== 200) throw new Error(`update: ${answer.status} ${answer.text}`);
}

async function answers(t: Test, port: number, text: string): Promise<void> {
  for (const host of ['127.0.0.1', '::1']) {
    await until(`${host} ${port}: ${text}`, async () => (await heard(host, port)) === text);
    t.pass(`${host} ${port} is answered ${text}`);
  }
}

async function isFree(port: number): Promise<boolean> {
  const stranger = createServer();
  const listening = new Promise<boolean>((resolve) =>
    stranger.once('error', () => resolve(false)).listen(port, () => resolve(true)));
  const free = await listening;
  if (free) await new Promise((done) => stranger.close(done));
  return free;
}

async function shown(daemon: TestDaemon, id: string): Promise<readonly string[]> {
  const { Ports } = (await inspect(daemon, id)).NetworkSettings;
  return Object.entries(Ports).flatMap(([inside, list]) =>
    (list ?? []).filter(({ HostIp }) => HostIp === '0.0.0.0')
      .map(({ HostPort }) => `${HostPort}:${inside}`));
}

async function eventsOf({ api }: TestDaemon, id: string) {
  const until = (Date.now() / 1000).toFixed(3);
  const { text } = await api.get(`/events?since=1&until=${until}&filters=` +
    encodeURIComponent(JSON.stringify({ container: [id] })));
  return text.trim().split('\n').map((line) => JSON.parse(line) as {
    readonly Action: string;
    readonly Actor: { readonly Attributes: Readonly<Record<string, string>> };
  });
}

function ports(): void {
  test('ports come, move and go while the container runs', slow, async (t) => {
    const daemon = await ready(t);
    const id = await run(daemon, { command: server, host: bindings({ 80: ['8080', ''] }) });
    await answers(t, 8080, 'at 80');
    const [, random = ''] = await shown(daemon, id);
    const { Pid } = await stateOf(daemon, id);

    await update(daemon, id, bindings({ 80: ['8080', ''], 81: ['8081'] }));
    await answers(t, 8081, 'at 81');
    await answers(t, 8080, 'at 80');
    t.same(await shown(daemon, id), ['8080:80/tcp', random, '8081:81/tcp'], 'what was stays');

    await update(daemon, id, bindings({ 81: ['8080'] }));
    await answers(t, 8080, 'at 81');
    t.same(await shown(daemon, id), ['8080:81/tcp']);
    t.ok(await isFree(8081), 'the host has its port again');
    t.equal(await heard('127.0.0.1', Number(random.split(':')[0])), '');

    await update(daemon, id, { PortBindings: {} });
    t.same(await shown(daemon, id), []);
    t.equal(await heard('127.0.0.1', 8080), '');
    t.ok(await isFree(8080));

    await update(daemon, id, bindings({ 80: ['8090'] }));
    await answers(t, 8090, 'at 80');
    const [row] = (await daemon.api.get('/containers/json')).json as ContainerSummary[];
    t.same(row?.Ports.map(({ PublicPort }) => PublicPort), [8090, 8090]);
    t.same((await inspect(daemon, id)).HostConfig.PortBindings, bindings({ 80: ['8090'] })
      .PortBindings);
    t.equal((await stateOf(daemon, id)).Pid, Pid, 'it was never restarted');
    t.equal((await eventsOf(daemon, id)).filter(({ Action }) => Action === 'update').length, 4);

    await daemon.api.post(`/containers/${id}/restart?t=0`);
    await answers(t, 8090, 'at 80');
  });

  test('a port that is taken is refused in Docker\'s words, and nothing changes', slow, async (t) => {
    const daemon = await ready(t);
    const id = await run(daemon, { command: server, host: bindings({ 80: ['8080'] }) });
    await run(daemon, { command: ['sleep', '60'], host: bindings({ 80: ['8085'] }) });
    const before = await inspect(daemon, id);
    const wanted = { ...bindings({ 80: ['8081', '8085'] }), Labels: { new: '1' }, CpuShares: 77 };
    await t.rejects(update(daemon, id, wanted),
      /500 .*external connectivity .*Bind for 0\.0\.0\.0:8085 failed: port is already allocated/);
    const stranger = createServer();
    await new Promise<void>((done) => stranger.listen(8086, '127.0.0.1', done));
    t.teardown(() => void stranger.close());
    await t.rejects(update(daemon, id, bindings({ 80: ['8081', '8086'] })),
      /500 .*failed to bind host port for 0\.0\.0\.0:8086:.*address already in use/);
    await t.rejects(update(daemon, id, bindings({ 'x': ['1'] })), /400 .*invalid port/);
    t.same(await inspect(daemon, id), before);
    t.ok(await isFree(8081));
    await answers(t, 8080, 'at 80');
    await daemon.kill9();
    await daemon.start();
    t.same((await inspect(daemon, id)).HostConfig, before.HostConfig);
    await answers(t, 8080, 'at 80');
  });

  test('connections that are open go on when their port goes', async (t) => {
    const daemon = await ready(t);
    const echo = ['sh', '-c', 'mkfifo /p; exec 3<>/p; nc -l -p 80 <&3 >&3'];
    const id = await run(daemon, { command: echo, host: bindings({ 80: ['8080'] }) });
    const socket = await until6(8080);
    t.teardown(() => void socket.destroy());
    t.equal(await said(socket, 'before'), 'before');
    await update(daemon, id, { PortBindings: {} });
    t.ok(await isFree(8080));
    t.equal(await said(socket, 'after'), 'after');
    await update(daemon, id, bindings({ 80: ['8080'] }));
    t.equal(await said(socket, 'again'), 'again');
  });

  test('a daemon that is killed in the midst comes back to one truth', slow, async (t) => {
    const daemon = await ready(t);
    const id = await run(daemon, { command: server, host: bindings({ 80: ['8080'] }) });
    await answers(t, 8080, 'at 80');
    for (const [round, delayMs] of [2, 8, 20, 40, 80, 160].entries()) {
      const wanted = round % 2 === 0 ? bindings({ 80: ['8082'], 81: ['8080'] })
        : bindings({ 80: ['8080'] });
      const asked = update(daemon, id, wanted).catch(() => undefined);
      await sleep(delayMs);
      await daemon.kill9();
      await asked;
      await daemon.start();
      const ports = await shown(daemon, id);
      const isNew = ports.includes('8082:80/tcp');
      t.same(ports, isNew ? ['8082:80/tcp', '8080:81/tcp'] : ['8080:80/tcp'], `round ${round}`);
      await answers(t, 8080, isNew ? 'at 81' : 'at 80');
      t.equal(await isFree(8082), !isNew, `8082 is ${isNew ? 'taken' : 'free'}`);
    }
    await daemon.api.delete(`/containers/${id}?force=1`);
    t.ok(await isFree(8080));
  });

  test('ports and networks that change at once are all there in the end', slow, async (t) => {
    const daemon = await ready(t);
    const id = await run(daemon, { command: server, host: bindings({ 80: ['8080'] }) });
    const nets = ['a', 'b', 'c', 'd'];
    for (const Name of nets) await daemon.api.post('/networks/create', { Name });
    const connected = nets.map((name) =>
      daemon.api.post(`/networks/${name}/connect`, { Container: id }));
    const [answered] = await Promise.all([
      Promise.all(connected), update(daemon, id, bindings({ 80: ['8081'], 81: ['8082'] })),
    ]);
    t.same(answered.map(({ status }) => status), [200, 200, 200, 200]);
    const { Networks } = (await inspect(daemon, id)).NetworkSettings;
    t.same(Object.keys(Networks).sort(), [...nets, 'bridge'].sort());
    t.same(await shown(daemon, id), ['8081:80/tcp', '8082:81/tcp']);
    await answers(t, 8082, 'at 81');
    await Promise.all([
      ...nets.map((name) => daemon.api.post(`/networks/${name}/disconnect`, { Container: id })),
      update(daemon, id, bindings({ 80: ['8083'] })),
    ]);
    t.same(Object.keys((await inspect(daemon, id)).NetworkSettings.Networks), ['bridge']);
    t.same(await shown(daemon, id), ['8083:80/tcp']);
    await answers(t, 8083, 'at 80');
  });

  test('one that does not run has its new ports at its next start', async (t) => {
    const daemon = await ready(t);
    const id = await create(daemon, { command: server, host: bindings({ 80: ['8080'] }) });
    await update(daemon, id, bindings({ 81: ['8081'] }));
    await start(daemon, id);
    await answers(t, 8081, 'at 81');
    t.equal(await heard('127.0.0.1', 8080), '');
  });
}

async function until6(port: number): Promise<Socket> {
  for (let tries = 0; tries < 100; tries++) {
    const socket = connect({ host: '::1', port });
    const isThere = await new Promise<boolean>((resolve) =>
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false)));
    await sleep(50);
    if (isThere && !socket.destroyed) return socket.on('error', () => undefined);
  }
  throw new Error(`nobody at ${port}`);
}

function said(socket: Socket, word: string): Promise<string> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(''), 5000);
    socket.once('data', (bytes: Buffer) => {
      clearTimeout(timer);
      resolve(bytes.toString().trim());
    });
    socket.write(`${word}\n`);
  });
}

function rest(): void {
  test('labels are others at once, for lists, events and the log', async (t) => {
    const daemon = await ready(t);
    const LogConfig = { Type: 'json-file', Config: { labels: 'tier' } };
    const id = await run(daemon, {
      command: ['sh', '-c', 'while true; do echo line; sleep 0.05; done'],
      config: { Labels: { tier: 'old', gone: '1' } }, host: { LogConfig },
    });
    await update(daemon, id, { Labels: { tier: 'new' } });
    t.same((await inspect(daemon, id)).Config.Labels, { tier: 'new' });
    const filters = encodeURIComponent(JSON.stringify({ label: ['tier=new'] }));
    const found = (await daemon.api.get(`/containers/json?filters=${filters}`)).json;
    t.equal((found as readonly unknown[]).length, 1);
    const event = (await eventsOf(daemon, id)).at(-1);
    t.equal(event?.Action, 'update');
    t.equal(event?.Actor.Attributes['tier'], 'new');
    await until('the shim writes the new label', () => lastAttrs(daemon, id, { tier: 'new' }));
  });

  test('log options are taken by the shim that runs', slow, async (t) => {
    const daemon = await ready(t);
    const id = await run(daemon, {
      command: ['sh', '-c', 'while true; do seq 1000; sleep 0.02; done'],
      host: { LogConfig: { Type: 'json-file', Config: { 'max-size': '10m' } } },
    });
    const { LogPath } = await inspect(daemon, id);
    const rotated = () => readdirSync(dirname(LogPath))
      .map((name) => /-json\.log\.(.*)$/.exec(name)?.[1] ?? '').filter((name) => name !== '');
    t.same(rotated(), []);
    const Config = { 'max-size': '64k', 'max-file': '4', 'tag': 'by {{.Name}}' };
    const { Name } = await inspect(daemon, id);
    await update(daemon, id, { LogConfig: { Config } });
    await until('three are rotated', async () =>
      Promise.resolve(['1', '2', '3'].every((name) => rotated().includes(name))));
    t.notOk(rotated().includes('4'));
    await until('its tag is written', () => lastAttrs(daemon, id, { tag: `by ${Name.slice(1)}` }));
    await update(daemon, id, { LogConfig: { Config: { ...Config, compress: 'true' } } });
    await until('they are compressed', async () =>
      Promise.resolve(rotated().some((name) => name.endsWith('.gz'))));
    await daemon.kill9();
    await daemon.start();
    await update(daemon, id, { LogConfig: { Config: { 'max-size': '64k', 'max-file': '1' } } });
    await until('no rotated file is left', async () => Promise.resolve(rotated().length === 0));
    t.same((await inspect(daemon, id)).HostConfig.LogConfig,
      { Type: 'json-file', Config: { 'max-size': '64k', 'max-file': '1' } });
    const before = await inspect(daemon, id);
    await t.rejects(update(daemon, id, { LogConfig: { Config: { 'max-size': 'x' } } }), /400 /);
    await t.rejects(update(daemon, id, { LogConfig: { Config: { 'nope': 'x' } } }),
      /400 .*unknown log opt 'nope'/);
    await t.rejects(update(daemon, id, { LogConfig: { Type: 'local' } }), /400 .*log driver/);
    t.same(await inspect(daemon, id), before);
  });

  test('an unhealthy container is restarted when that is switched on', slow, async (t) => {
    const daemon = await ready(t);
    const Healthcheck = {
      Test: ['CMD-SHELL', 'test -e /well'], Interval: 2e8, Retries: 2, Timeout: 5e9,
    };
    const id = await run(daemon, {
      command: ['sh', '-c', 'trap "exit 3" TERM; while true; do sleep 0.05; done'],
      config: { Healthcheck },
    });
    await until('it is unhealthy', async () =>
      (await inspect(daemon, id)).State.Health?.Status === 'unhealthy');
    await sleep(600);
    t.equal((await inspect(daemon, id)).RestartCount, 0, 'as Docker does, it is left alone');
    await update(daemon, id, { RestartOnUnhealthy: true });
    await until('it was restarted twice', async () =>
      (await inspect(daemon, id)).RestartCount >= 2);
    const actions = (await eventsOf(daemon, id)).map(({ Action }) => Action)
      .filter((action) => !action.startsWith('exec_'));
    const first = actions.indexOf('kill');
    t.same(actions.slice(first, first + 5),
      ['kill', 'die', 'start', 'health_status: unhealthy', 'kill']);
    await daemon.kill9();
    await daemon.start();
    const { RestartCount } = await inspect(daemon, id);
    await until('and goes on after the daemon was killed', async () =>
      (await inspect(daemon, id)).RestartCount > RestartCount);
    await update(daemon, id, { RestartOnUnhealthy: false });
    await daemon.api.post(`/containers/${id}/stop`);
    t.equal((await stateOf(daemon, id)).Status, 'exited', 'a stop is a stop');
  });

  test('a body without these fields is answered as by Docker', async (t) => {
    const daemon = await ready(t);
    const id = await run(daemon, {
      command: server, host: bindings({ 80: ['8080'] }), config: { Labels: { a: 'b' } },
    });
    const before = await inspect(daemon, id);
    const answer = await daemon.api.post(`/containers/${id}/update`, { CpuShares: 512 });
    t.same(answer.json, { Warnings: null });
    const after = await inspect(daemon, id);
    t.same(after.NetworkSettings, before.NetworkSettings);
    t.same(after.Config, before.Config);
    t.same(after.HostConfig, { ...before.HostConfig, CpuShares: 512 });
    t.notOk('RestartOnUnhealthy' in after.HostConfig, 'what was not asked is not shown');
  });
}

async function lastAttrs(daemon: TestDaemon, id: string, wanted: object): Promise<boolean> {
  const { LogPath } = await inspect(daemon, id);
  const lines = readFileSync(LogPath, 'utf8').trim().split('\n');
  return JSON.stringify(attrsOf(lines.at(-1) ?? '{}')) === JSON.stringify(wanted);
}

function attrsOf(line: string): unknown {
  try {
    return (JSON.parse(line) as { readonly attrs?: unknown }).attrs;
  } catch {
    return undefined; // in the midst of being written
  }
}

if (inPrivateNetns(import.meta.url)) {
  ports();
  rest();
}
