import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { abandonGate, connect, LaunchError, openGate, readExitFile } from '../../native/index.js';
import { shell } from '../support/launch-programs.js';
import { atGate } from '../support/shim-container.js';

const gone = async (path: string): Promise<boolean> => {
  for (let i = 0; i < 200 && existsSync(path); i++) await sleep(10);
  return !existsSync(path);
};

test('a process that was left at the gate is started by somebody else', async (t) => {
  const { dir, launching } = await atGate(t, { argv: shell('exit 5') });
  const socket = join(dir, 'shim.sock');
  await launching.leave({ handOver: false });
  const shim = await connect(socket);
  t.match(await shim.hello(), { pid: launching.pid, started: false });
  await openGate(socket, 'sh');
  t.match(await shim.exited, { exitCode: 5 });
  t.match(await readExitFile(join(dir, 'exit')), { exitCode: 5 });
  await t.rejects(openGate(socket, 'sh'), { code: 'EINVAL' }, 'only once');
  await shim.bye();
});

test('only the launcher opens or abandons what it has not left', async (t) => {
  const { dir, launching } = await atGate(t, { argv: shell('exit 0') });
  const socket = join(dir, 'shim.sock');
  await t.rejects(openGate(socket, 'sh'), { code: 'EINVAL' });
  await t.rejects(abandonGate(socket), { code: 'EINVAL' });
  await launching.open();
  t.match(await launching.shim.exited, { exitCode: 0 });
});

test('an execve that fails behind a gate without launcher says why', async (t) => {
  const { dir, launching } = await atGate(t, { argv: ['/bin/none'] });
  const socket = join(dir, 'shim.sock');
  await launching.leave({ handOver: true });
  const error: unknown = await openGate(socket, '/bin/none').catch((e: unknown) => e);
  t.ok(error instanceof LaunchError && error.code === 'ENOENT' && error.about === '/bin/none');
  t.ok(await gone(socket));
  t.equal(existsSync(join(dir, 'exit')), false);
});

test('an abandoned launch leaves neither init nor socket', async (t) => {
  const { dir, launching } = await atGate(t, { argv: shell('sleep 9') });
  const socket = join(dir, 'shim.sock');
  await launching.leave({ handOver: true });
  await abandonGate(socket);
  t.ok(await gone(`/proc/${launching.pid}/ns`));
  t.ok(await gone(socket));
  await t.rejects(abandonGate(socket), { code: 'ENOENT' });
});

test('a shim that hands over ends at the start, the process does not', async (t) => {
  const { dir, launching } = await atGate(t, { argv: shell('sleep 20') });
  const socket = join(dir, 'shim.sock');
  await launching.leave({ handOver: true });
  t.teardown(() => process.kill(launching.pid, 'SIGKILL'));
  await openGate(socket, 'sh');
  t.ok(await gone(socket));
  process.kill(launching.pid, 0);
  t.equal(existsSync(join(dir, 'exit')), false);
  t.equal(existsSync(join(dir, 'exit.draft')), false);
});

test('an init that is killed at the gate ends its shim', async (t) => {
  const { dir, launching } = await atGate(t, { argv: shell('sleep 9') });
  await launching.leave({ handOver: true });
  const shim = await connect(join(dir, 'shim.sock'));
  t.equal(await shim.signal(9), true);
  t.match(await shim.exited, { lost: true });
  t.ok(await gone(join(dir, 'shim.sock')));
});
