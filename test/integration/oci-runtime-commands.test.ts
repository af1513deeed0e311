/** Commands and options of the OCI runtime that no other suite is about. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { ended, giveTree, ociWorld, type OciWorld } from '../support/oci-bundle.js';

/** A container that sleeps, and its process. */
async function sleeping(t: Test): Promise<{ readonly world: OciWorld; readonly pid: number }> {
  const world = await ociWorld(t);
  world.configure((config) => {
    config.process['args'] = ['sleep', '1000'];
    config.process['noNewPrivileges'] = false;
  });
  const child = world.start(['run', '--detach', world.id], 'ignore');
  child.stdin?.end();
  t.equal((await ended(child)).code, 0);
  return { world, pid: Number((await world.state())['pid']) };
}

test('a run that is to keep its container leaves it, stopped', async (t) => {
  const world = await ociWorld(t);
  world.configure(({ process }) => (process['args'] = ['sh', '-c', 'exit 7']));
  t.match(await world.call('run', '--keep', world.id), { code: 7 });
  t.equal((await world.state())['status'], 'stopped');
  t.match(await world.call('run', world.id), { code: 1, stderr: /container with id exists/ });
  t.match(await world.call('delete', world.id), { code: 0, stderr: '' });
  t.same(world.containers(), []);
  world.configure(({ process }) => (process['args'] = ['/nowhere']));
  t.equal((await world.call('run', '--keep', world.id)).code, 1);
  t.same(world.containers(), [], 'one that never ran is not kept');
});

test('debugging tells what is done, and where an error comes from', async (t) => {
  const world = await ociWorld(t);
  const log = join(world.folder, 'log');
  const lines = (): readonly string[] => fs.readFileSync(log, 'utf8').trim().split('\n');
  t.match(await world.call('--log', log, 'state', 'nobody'), { code: 1 });
  t.equal(lines().length, 1);
  const flags = ['--debug', '--log', log, '--log-format', 'json'];
  t.match(await world.call(...flags, 'state', 'nobody'), { code: 1 });
  t.match(JSON.parse(lines()[1] ?? ''), { level: 'debug', msg: 'state nobody' });
  t.match(JSON.parse(lines()[2] ?? ''), { level: 'error', msg: /container does not exist/ });
});

test('a bundle is named by a flag, and its default is written by spec', async (t) => {
  const world = await ociWorld(t);
  const folder = join(world.folder, 'other');
  fs.mkdirSync(folder);
  t.match(await world.call('spec', '--bundle', folder), { code: 0, stdout: '', stderr: '' });
  t.match(await world.call('spec', '--bundle', folder), { code: 1, stderr: /EEXIST/ });
  const path = join(folder, 'config.json');
  const text = fs.readFileSync(path, 'utf8');
  fs.writeFileSync(path, text.replace('"terminal": true', '"terminal": false'));
  fs.renameSync(join(world.bundle, 'rootfs'), join(folder, 'rootfs'));
  t.match(await world.call('run', '--bundle', folder, world.id), { code: 0, stderr: '' });
});

test('the bundle of a user has one id, and nothing that only root could have', async (t) => {
  const world = await ociWorld(t);
  fs.rmSync(join(world.bundle, 'config.json'));
  t.match(await world.call('spec', '--rootless'), { code: 0, stderr: '' });
  world.configure(({ process }) => {
    process['args'] = ['sh', '-c', 'cat /proc/self/uid_map; id -u; ls /sys/class'];
  });
  giveTree(join(world.bundle, 'rootfs'), process.geteuid?.() ?? 0);
  const { code, stdout, stderr } = await world.call('run', world.id);
  t.match({ code, stderr }, { code: 0, stderr: '' });
  t.match(stdout, /^ +0 +0 +1\n0\n.*net\n/s);
});

test('containers and processes are listed as tables and as JSON', async (t) => {
  const { world, pid } = await sleeping(t);
  const says = async (...args: readonly string[]): Promise<string> =>
    (await world.call(...args)).stdout;
  t.match(await says('list'), new RegExp(`^ID +PID +STATUS .*\\n${world.id} +${pid} +running `));
  t.match(JSON.parse(await says('list', '--format', 'json')), [{ id: world.id, pid }]);
  t.equal(await says('list', '--quiet'), `${world.id}\n`);
  t.match(await says('ps', world.id), new RegExp(`PID.*\\n.*\\b${pid}\\b.*sleep 1000`));
  t.same(JSON.parse(await says('ps', '--format', 'json', world.id)), [pid]);
  t.match(await world.call('list', '--format', 'x'), { code: 1, stderr: /unknown format x/ });
});

test('an exec has the rights and groups that it is given, also while all stands', async (t) => {
  const { world } = await sleeping(t);
  const exec = (...words: readonly string[]) => world.call('exec', ...words);
  const flags = [
    '--user', '5:6', '--additional-gids', '7', '--additional-gids', '8', '--cap', 'CAP_NET_RAW',
    '--no-new-privs', '--env', 'A=b', '--cwd', '/bin',
  ];
  const script = 'id -G; grep -E "CapBnd|NoNewPrivs" /proc/self/status; echo $A $PWD';
  const told = await exec(...flags, world.id, 'sh', '-c', script);
  t.match(told, { code: 0, stderr: '' });
  t.match(told.stdout, /^6 7 8\nCapBnd:\t0{8}20002420\nNoNewPrivs:\t1\nb \/bin\n$/);
  const plain = await exec(world.id, 'grep', '-E', 'CapBnd|NoNewPrivs', '/proc/self/status');
  t.match(plain, { stdout: 'CapBnd:\t0000000020000420\nNoNewPrivs:\t0\n' });
  t.match(await exec('--tty', world.id, 'tty'), { code: 1, stderr: /terminal/ });
  t.match(await world.call('pause', world.id), { code: 0 });
  t.match(await exec(world.id, 'true'), { code: 1, stderr: /--ignore-paused/ });
  // It stands as well, in the same groups: so it is only made.
  const child = world.start(
    ['exec', '--ignore-paused', '--detach', world.id, 'sleep', '1000'], 'ignore');
  child.stdin?.end();
  t.teardown(() => child.kill());
});
