import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { run, stateOf, until } from '../support/containers.js';
import { startDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import type { EngineApi } from '../support/engine-api.js';
import { engineApi } from '../support/engine-api.js';

test('a daemon answers, stops at SIGTERM with status 0, and starts again on its roots', async (t) => {
  const daemon = await startDaemon(t);
  t.match(await daemon.api.get('/_ping'), { status: 200, text: 'OK' });
  t.match((await daemon.api.get('/version')).json, { Os: 'linux' });
  t.equal(statSync(daemon.dataRoot).mode & 0o777, 0o710);
  t.equal(await daemon.stop(), 0);
  t.notOk(existsSync(daemon.socket), 'the socket is gone');
  await daemon.start();
  t.equal((await daemon.api.get('/_ping')).status, 200);
});

test('a daemon that was killed is replaced at once by the next', async (t) => {
  const daemon = await startDaemon(t);
  await daemon.kill9();
  t.ok(existsSync(daemon.socket), 'its socket is still there');
  await daemon.start();
  t.equal((await daemon.api.get('/_ping')).status, 200);
});

test('a second daemon on the same root is refused and harms nothing', async (t) => {
  const daemon = await startDaemon(t);
  const [node = '', ...argv] = daemon.command;
  t.match(spawnSync(node, argv, { encoding: 'utf8', timeout: 20_000 }), {
    status: 1,
    stderr: /data belongs to another tsdockerd that is running/,
  });
  t.equal((await daemon.api.get('/_ping')).status, 200);
});

test('without systemd its cgroup driver is refused, and not when a container starts', {
  skip: existsSync('/run/systemd/private') && 'systemd is here',
}, async (t) => {
  const daemon = await startDaemon(t);
  await daemon.kill9();
  const [node, ...argv] = [...daemon.command, '--exec-opt', 'native.cgroupdriver=systemd'];
  t.match(spawnSync(node, argv, { encoding: 'utf8', timeout: 60_000 }), {
    status: 1, stderr: /systemd/,
  });
  await daemon.start();
  t.match((await daemon.api.get('/info')).json, { CgroupDriver: 'cgroupfs' });
});

/** Binds a socket as systemd does, and becomes the daemon with it as descriptor 3. */
const activation = `
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(16)
if listener.fileno() != 3: os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='tsdocker.socket')
os.execv(sys.argv[2], sys.argv[2:])
`;

async function pinged(api: EngineApi): Promise<number> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return (await api.get('/_ping')).status;
    } catch (error) {
      if (attempt === 500) throw error; // the socket is not there yet
      await sleep(20);
    }
  }
}

test('a socket that systemd passed is served, and left to systemd at the end', async (t) => {
  const daemon = await startDaemon(t);
  t.equal(await daemon.stop(), 0);
  const path = `${daemon.dataRoot}.activated`;
  const [node = '', ...argv] = daemon.command;
  const flags = argv.map((word) => (word === `unix://${daemon.socket}` ? 'fd://' : word));
  const child = spawn('python3', ['-c', activation, path, node, ...flags], { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  const api = engineApi(path);
  // Whoever connects before the daemon is ready waits in the socket's queue, and is answered.
  t.equal(await pinged(api), 200);
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  t.same(await gone, [0, null]);
  t.ok(existsSync(path), 'the socket is systemd’s');
});

test('two daemons live side by side, and a start of one leaves the other alone', async (t) => {
  const daemons = [await startDaemon(t), await startDaemon(t)] as const;
  const [one, two] = daemons;
  const host = { PortBindings: { '80/tcp': [{ HostPort: '' }] }, Binds: ['data:/data'] };
  const command = ['httpd', '-f', '-h', '/www'];
  const lives = await Promise.all(daemons.map(async (daemon) => {
    await importDemoImage(daemon.api);
    await daemon.api.post('/networks/create', { Name: 'same' });
    // All names are the same in both.
    const id = await run(daemon, { name: 'same', command, host: { ...host, NetworkMode: 'same' } });
    const { json } = await daemon.api.get(`/containers/${id}/json`);
    const port = String(json.NetworkSettings.Ports['80/tcp'][0].HostPort);
    return { id, pid: Number(json.State.Pid), port };
  }));
  t.not(lives[0]?.port, lives[1]?.port);
  const isWell = async (of: 0 | 1): Promise<void> => {
    const { id = '', pid, port = '' } = lives[of] ?? {};
    t.match(await stateOf(daemons[of], id), { Running: true, Pid: pid });
    // The server may not listen yet, or its port be on its way to the next daemon's rules.
    await until('it answers', async () => {
      try {
        const headers = { connection: 'close' };
        const answer = await fetch(`http://127.0.0.1:${port}/`, { headers });
        return (await answer.text()).startsWith('Hello');
      } catch {
        return false;
      }
    });
    t.equal((await daemons[of].api.get('/containers/json?all=1')).json.length, 1);
  };
  await isWell(0);
  await isWell(1);
  // A start looks for what nobody knows any more, and removes it: only of its own.
  await two.kill9();
  await two.start();
  await isWell(0);
  await isWell(1);
  await two.api.delete(`/containers/${lives[1]?.id ?? ''}?force=1&v=1`);
  await isWell(0);
  await one.stop();
  await one.start();
  await isWell(0);
});
