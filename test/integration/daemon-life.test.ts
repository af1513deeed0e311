import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { startDaemon } from '../support/daemon.js';
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
