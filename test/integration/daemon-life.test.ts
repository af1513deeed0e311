import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { test } from 'tap';
import { startDaemon } from '../support/daemon.js';

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
