import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { test } from 'tap';
import type { ContainerSummary } from '../../api-spec/index.js';
import { create, logText, run, start, stateOf, until } from '../support/containers.js';
import { startDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

/** What the web server in a container answers; undefined when nobody does. */
function fetched(port: number, host = '127.0.0.1'): Promise<string | undefined> {
  return new Promise((resolve) => {
    const ask = request({ host, port, agent: false, timeout: 2000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('end', () => resolve(text)).once('error', () => resolve(undefined));
    });
    ask.once('timeout', () => ask.destroy());
    ask.once('error', () => resolve(undefined)).end();
  });
}

test('while the daemon is dead a container runs, logs and answers on its port', async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const script =
    'httpd -p 80 -h /www; i=0; while true; do echo line $i; i=$((i+1)); sleep 0.05; done';
  const id = await run(daemon, {
    command: ['sh', '-c', script],
    config: { ExposedPorts: { '80/tcp': {} } },
    host: { PortBindings: { '80/tcp': [{ HostPort: '' }] } },
  });
  const before = (await daemon.api.get(`/containers/${id}/json`)).json;
  const port = Number(before.NetworkSettings.Ports['80/tcp'][0].HostPort);
  await until('the web server answers', async () => (await fetched(port)) !== undefined);
  await daemon.kill9();
  t.match(await fetched(port), /Hello from a container/);
  await sleep(500);
  await daemon.start();
  const after = (await daemon.api.get(`/containers/${id}/json`)).json;
  t.match(after.State, {
    Status: 'running',
    Pid: before.State.Pid,
    StartedAt: before.State.StartedAt,
  });
  t.same(after.NetworkSettings, before.NetworkSettings, 'its networks are shown as before');
  t.match(await fetched(port), /Hello from a container/);
  const lines = (await logText(daemon, id)).trimEnd().split('\n');
  t.same(lines, lines.map((_, index) => `line ${index}`), 'no line is missing or out of order');
  t.ok(lines.length > 10, `${lines.length} lines`);
});

/** Asks inside the container as programs do, for up to a minute; the addresses or the error. */
async function resolved(pid: number, name: string): Promise<string> {
  const script = `
    const { Resolver } = require('node:dns').promises;
    const resolver = new Resolver({ timeout: 60000, tries: 1 });
    resolver.setServers(['127.0.0.11']);
    resolver.resolve4('${name}').then((found) => console.log(found.join()), (error) =>
      console.log(error.code));`;
  const nsenter = ['--target', String(pid), '--net', process.execPath, '-e', script];
  return (await promisify(execFile)('nsenter', nsenter)).stdout.trim();
}

/** Whether the shim of a container holds the sockets of its DNS server. */
function holdsNames(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const shim = /^PPid:\t(\d+)$/m.exec(status)?.[1] ?? '';
  const sockets = ['udp', 'tcp'].map((protocol) => {
    const lines = readFileSync(`/proc/${pid}/net/${protocol}`, 'utf8').split('\n');
    const ours = lines.find((line) => /^ *\d+: 0B00007F:/.test(line));
    return `socket:[${ours?.trim().split(/ +/)[9] ?? ''}]`;
  });
  const folder = `/proc/${shim}/fd`;
  const open = readdirSync(folder).map((fd) => readlinkSync(`${folder}/${fd}`));
  return sockets.every((socket) => open.includes(socket));
}

test('a name that is asked for while the daemon is dead is told by the next one', async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  await daemon.api.post('/networks/create', { Name: 'team' });
  const host = { NetworkMode: 'team' };
  const db = await run(daemon, { name: 'db', command: ['sleep', '1000'], host });
  const web = await run(daemon, { name: 'web', command: ['sleep', '1000'], host });
  const { json } = await daemon.api.get(`/containers/${db}/json`);
  const address = json.NetworkSettings.Networks.team.IPAddress;
  const { Pid: pid } = await stateOf(daemon, web);
  await until('the shim holds the sockets', () => Promise.resolve(holdsNames(pid)));
  for (const time of ['once', 'twice']) {
    await daemon.kill9();
    const asked = resolved(pid, 'db');
    await sleep(500);
    await daemon.start();
    t.equal(await asked, address, time);
    t.equal(await resolved(pid, 'db'), address, 'and later on');
  }
  t.ok(holdsNames(pid), 'for the next one');
});

test('the exit code of who ended while the daemon was dead is right', async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const ends = { seven: 'exit 7', killed: 'kill -9 $$', zero: 'true' };
  const ids: string[] = [];
  for (const [name, end] of Object.entries(ends)) {
    ids.push(await run(daemon, { name, command: ['sh', '-c', `sleep 0.5; ${end}`] }));
  }
  await daemon.kill9();
  await sleep(900);
  await daemon.start();
  const codes = await Promise.all(ids.map(async (id) => (await stateOf(daemon, id)).ExitCode));
  // PID 1 of a namespace cannot be killed from within: `kill -9 $$` fails there, as in Docker.
  t.same(codes, [7, 0, 0]);
  const [first = ''] = ids;
  await start(daemon, first);
  t.equal((await stateOf(daemon, first)).Status, 'running', 'and it starts again');
});

test('a restart policy goes on after the daemon was dead', async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const policy = { RestartPolicy: { Name: 'always' } };
  const always = await run(daemon, { command: ['sleep', '0.6'], host: policy });
  const unless = { RestartPolicy: { Name: 'unless-stopped' } };
  const stopped = await run(daemon, { command: ['sleep', '100'], host: unless });
  await daemon.api.post(`/containers/${stopped}/stop?t=0`);
  await daemon.kill9();
  await sleep(900);
  await daemon.start();
  await until('it runs again', async () => (await stateOf(daemon, always)).Status === 'running');
  t.equal((await stateOf(daemon, stopped)).Status, 'exited');
});

test('--rm of a container that ended meanwhile is carried out', async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const id = await run(daemon, { command: ['sleep', '0.4'], host: { AutoRemove: true } });
  await daemon.kill9();
  await sleep(700);
  await daemon.start();
  await until(
    'it is gone',
    async () => (await daemon.api.get(`/containers/${id}/json`)).status === 404,
  );
});

test('SIGTERM leaves containers running, and the next daemon has them', async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const id = await run(daemon, { command: ['sleep', '100'] });
  const { Pid } = await stateOf(daemon, id);
  t.equal(await daemon.stop(), 0);
  process.kill(Pid, 0);
  await daemon.start();
  t.match(await stateOf(daemon, id), { Status: 'running', Pid });
  t.equal((await daemon.api.post(`/containers/${id}/stop?t=0`)).status, 204);
});

test('fifty containers are adopted within a second', async (t) => {
  const daemon = await startDaemon(t, { flags: ['--log-level', 'info'] });
  await importDemoImage(daemon.api);
  const command = ['sleep', '1000'];
  const ids = await Promise.all(Array.from({ length: 50 }, () => run(daemon, { command })));
  await daemon.kill9();
  await daemon.start();
  const listed = (await daemon.api.get('/containers/json')).json;
  t.equal(listed.length, 50);
  const recovered = /adopted=50 .*tookMs=(\d+)/.exec(daemon.log());
  t.ok(recovered !== null, 'the log tells of fifty');
  t.ok(Number(recovered?.[1]) < 1000, `it took ${recovered?.[1]} ms`);
  await Promise.all(ids.map((id) => daemon.api.delete(`/containers/${id}?force=1`)));
});

test('killed at random moments of a busy life, it always comes back, and what it says is so', async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const acknowledged = new Map<string, 'created' | 'removed'>();
  let busy = true;
  const life = async (worker: number): Promise<void> => {
    for (let round = 0; busy; round += 1) {
      const name = `w${worker}r${round}`;
      try {
        const id = await create(daemon, { name, command: ['sleep', '0.05'] });
        acknowledged.set(id, 'created');
        await start(daemon, id);
        await sleep(30 * worker);
        const answer = await daemon.api.delete(`/containers/${id}?force=1`);
        if (answer.status === 204) acknowledged.set(id, 'removed');
      } catch (error) {
        // The daemon was killed under this request: what it had not answered may be either way.
        if (!(error instanceof Error)) throw error;
        await sleep(50);
      }
    }
  };
  const lives = [1, 2, 3].map(life);
  for (let kill = 0; kill < 12; kill += 1) {
    await sleep(40 + ((kill * 53) % 211));
    await daemon.kill9();
    await daemon.start();
  }
  busy = false;
  await Promise.all(lives);
  const listed = (await daemon.api.get('/containers/json?all=1')).json as ContainerSummary[];
  const there = new Set(listed.map(({ Id }) => Id));
  t.ok(acknowledged.size > 10, `${acknowledged.size} containers lived`);
  for (const [id, last] of acknowledged) {
    if (last === 'removed') t.notOk(there.has(id), 'what was removed stays removed');
    else if (!there.has(id)) {
      const { status } = await daemon.api.get(`/containers/${id}/json`);
      t.equal(status, 404, 'a removal that was under way has been finished');
    }
  }
  for (const id of there) {
    t.equal((await daemon.api.delete(`/containers/${id}?force=1`)).status, 204);
  }
});
