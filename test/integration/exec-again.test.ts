/** A shim whose exec has ended carries out the next one, of whatever container. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { isAlive } from '../support/alive.js';
import { startBox } from '../support/box.js';
import { run, until } from '../support/containers.js';
import type { TestDaemon } from '../support/daemon.js';
import { unframe } from '../support/shim-container.js';

interface Said {
  readonly out: string;
  readonly code: unknown;
}

/** One that is not idle yet when the next exec is made does not carry it out. */
const few = 3;

/** Makes an exec and runs it to its end. */
async function exec(daemon: TestDaemon, box: string, script: string, more = {}): Promise<Said> {
  const { api } = daemon;
  const body = { Cmd: ['sh', '-c', script], AttachStdout: true, AttachStderr: true, ...more };
  const { json: { Id: id } } = await api.post(`/containers/${box}/exec`, body);
  const { bytes } = await api.post(`/exec/${String(id)}/start`, {});
  const { json: { ExitCode: code } } = await api.get(`/exec/${String(id)}/json`);
  return { out: (unframe(bytes).get(1) ?? '').toString().trim(), code };
}

/** The daemon's children that are shims of execs: those of containers have another parent soon. */
function shims(daemon: TestDaemon): readonly number[] {
  const parent = String(daemon.pid());
  const names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return names.map(Number).filter((pid) => {
    try {
      const status = readFileSync(`/proc/${String(pid)}/status`, 'latin1');
      return status.includes(`PPid:\t${parent}\n`) && status.startsWith('Name:\ttsdocker-shim');
    } catch {
      return false; // It has ended meanwhile.
    }
  });
}

/** The names by which a later daemon finds them. */
const sockets = ({ execRoot }: TestDaemon): readonly string[] => readdirSync(`${execRoot}/e`);

/** The shims of containers and what else is there beside those of execs. */
async function before(daemon: TestDaemon) {
  const others = new Set(shims(daemon));
  return (): readonly number[] => shims(daemon).filter((pid) => !others.has(pid));
}

test('execs that follow each other are one shim\'s, with nothing left of the last', async (t) => {
  const daemon = await startBox(t);
  const execShims = await before(daemon);
  t.match(await exec(daemon, 'box', 'echo $SECRET; exit 3', { Env: ['SECRET=x'] }),
    { out: 'x', code: 3 });
  const [first = 0, ...others] = execShims();
  t.ok(first > 0);
  t.same(others, []);
  const fds = (): readonly string[] =>
    readdirSync(`/proc/${String(first)}/fd`).map((fd) =>
      `${fd} ${readlinkSync(`/proc/${String(first)}/fd/${fd}`).replace(/\d+/, '')}`);
  const clean = fds();
  t.equal(clean.length, 5, '/dev/null, the daemon, and where a later daemon finds it');
  const seen = new Set<number>();
  for (let i = 0; i < 40; i++) {
    t.match(await exec(daemon, 'box', `echo [$SECRET] ${String(i)}; exit ${String(i)}`),
      { out: `[] ${String(i)}`, code: i });
    for (const pid of execShims()) seen.add(pid);
  }
  t.ok(seen.has(first) && seen.size <= few, `${String(seen.size)} shims for all`);
  if (execShims().includes(first)) t.same(fds(), clean);
  await until('it has gone', async () => execShims().length === 0);
});

test('one container\'s namespaces and groups are not the next one\'s', async (t) => {
  const daemon = await startBox(t);
  await run(daemon, { name: 'other', command: ['sleep', '1000'] });
  await run(daemon, { name: 'wide', command: ['sleep', '1000'], host: { PidMode: 'host' } });
  const execShims = await before(daemon);
  const links = ['pid', 'mnt', 'net'].map((name) => `readlink /proc/self/ns/${name}`);
  const look = ['hostname', ...links, 'cat /proc/self/cgroup'].join('; ');
  const alone = new Map<string, string>();
  for (const box of ['box', 'other', 'wide']) {
    alone.set(box, (await exec(daemon, box, look)).out);
    await until('its shim has gone', async () => execShims().length === 0);
  }
  t.equal(new Set(alone.values()).size, 3);
  t.match(alone.get('wide'), readlinkSync('/proc/self/ns/pid'), 'the host\'s own');
  const seen = new Set<number>();
  for (const box of ['box', 'other', 'wide', 'other', 'box', 'wide', 'wide', 'box']) {
    const { out } = await exec(daemon, box, look);
    t.equal(out, alone.get(box), box);
    for (const pid of execShims()) seen.add(pid);
  }
  t.ok(seen.size <= few, 'all by one shim or two');
});

test('a terminal, input and a failure in between change nothing', async (t) => {
  const daemon = await startBox(t);
  t.match(await exec(daemon, 'box', 'echo one'), { out: 'one', code: 0 });
  const { json: { Id: id } } = await daemon.api.post('/containers/box/exec', {
    Cmd: ['tty'], Tty: true, AttachStdout: true,
  });
  t.match((await daemon.api.post(`/exec/${String(id)}/start`, { Tty: true })).text, '/dev/pts/');
  const { json: { Id: none } } = await daemon.api.post('/containers/box/exec', {
    Cmd: ['/nope'], AttachStdout: true, AttachStderr: true,
  });
  const { text } = await daemon.api.post(`/exec/${String(none)}/start`, {});
  t.match(text, 'no such file or directory');
  t.match((await daemon.api.get(`/exec/${String(none)}/json`)).json, { ExitCode: 126 });
  const large = ['A', 'B', 'C'].map((name) => `${name}=${'x'.repeat(60_000)}`);
  t.match(await exec(daemon, 'box', 'echo ${#A} ${#B} ${#C}', { Env: large }),
    { out: '60000 60000 60000', code: 0 });
  t.match(await exec(daemon, 'box', 'test -t 1 || echo two; exit 9'), { out: 'two', code: 9 });
});

test('a resize or a signal for one that has ended does not reach the next', async (t) => {
  const daemon = await startBox(t);
  const { json: { Id: id } } = await daemon.api.post('/containers/box/exec', {
    Cmd: ['true'], Tty: true, AttachStdout: true,
  });
  await daemon.api.post(`/exec/${String(id)}/start`, { Tty: true });
  const { json: { Id: next } } = await daemon.api.post('/containers/box/exec', {
    Cmd: ['sh', '-c', 'sleep 1; stty size'], Tty: true, AttachStdout: true,
  });
  const said = daemon.api.post(`/exec/${String(next)}/start`, { Tty: true, ConsoleSize: [22, 44] });
  await sleep(400);
  await daemon.api.post(`/exec/${String(id)}/resize?h=11&w=33`, {}).catch(() => undefined);
  t.equal((await said).text.trim(), '22 44');
});

test('with an orphan of its process it goes, as one that nobody needs does', async (t) => {
  const daemon = await startBox(t);
  await run(daemon, { name: 'wide', command: ['sleep', '1000'], host: { PidMode: 'host' } });
  const execShims = await before(daemon);
  // In the host's pid namespace orphans come to the shim, not to a first process.
  const script = '(sleep 1.5 >/dev/null 2>&1 &) ; exec true';
  t.match(await exec(daemon, 'wide', script), { code: 0 });
  await until('it has gone', async () => execShims().length === 0);
  t.match(await exec(daemon, 'wide', 'echo fine'), { out: 'fine', code: 0 });
});

test('one that is killed while it is idle is not used, and is no zombie', async (t) => {
  const daemon = await startBox(t);
  const execShims = await before(daemon);
  await exec(daemon, 'box', 'true');
  const [idle = 0] = execShims();
  process.kill(idle, 'SIGKILL');
  await until('it is reaped', async () => !isAlive(idle));
  await until('its name has gone', async () => sockets(daemon).length === 0);
  t.match(await exec(daemon, 'box', 'echo fine'), { out: 'fine', code: 0 });
});

test('a daemon that stops, or is killed, leaves none', async (t) => {
  const daemon = await startBox(t);
  const execShims = await before(daemon);
  await exec(daemon, 'box', 'true');
  const [first = 0] = execShims();
  await daemon.stop();
  t.equal(isAlive(first), false, 'it was reaped by the daemon');
  await daemon.start();
  const later = await before(daemon);
  await exec(daemon, 'box', 'true');
  const [second = 0] = later();
  await daemon.kill9();
  await until('it has ended', async () =>
    !isAlive(second) || readFileSync(`/proc/${String(second)}/stat`, 'latin1').includes(') Z '));
  t.same(sockets(daemon), []);
  await daemon.start();
  t.match(await exec(daemon, 'box', 'echo fine'), { out: 'fine', code: 0 });
});

test('by the name that it has kept the next daemon finds what it runs by then', async (t) => {
  const daemon = await startBox(t);
  const { api } = daemon;
  await exec(daemon, 'box', 'true');
  const [kept = ''] = sockets(daemon);
  const body = { Cmd: ['sh', '-c', 'while [ ! -e /go ]; do sleep 0.05; done; exit 7'] };
  const { json: { Id: id } } = await api.post('/containers/box/exec', body);
  await api.post(`/exec/${String(id)}/start`, { Detach: true });
  t.same(sockets(daemon), [kept], 'no other than that of the first');
  t.not(kept, String(id).slice(0, kept.length));
  await daemon.kill9();
  await daemon.start();
  const path = `/exec/${String(id)}/json`;
  t.match((await api.get(path)).json, { ID: id, Running: true });
  await exec(daemon, 'box', 'touch /go');
  await until('it has ended', async () => (await api.get(path)).json.Running === false);
  t.match((await api.get(path)).json, { ExitCode: 7 });
  await until('nothing is left', async () => sockets(daemon).length === 0);
});
