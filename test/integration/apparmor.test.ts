/** What AppArmor allows the OCI runtime's containers, where the kernel has it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { loadProfile, skipWithoutApparmor } from '../support/apparmor.js';
import { ended, ociWorld } from '../support/oci-bundle.js';

test('a bundle\'s profile confines its process, and execs', { skip: skipWithoutApparmor }, async (t) => {
  loadProfile(t, 'tsd-test');
  loadProfile(t, 'tsd-other');
  const world = await ociWorld(t);
  writeFileSync(join(world.bundle, 'rootfs/secret'), 'secret\n');
  writeFileSync(join(world.bundle, 'rootfs/open'), 'open\n');
  const show = 'cat /proc/self/attr/current /open /secret';
  world.configure(({ process }) => {
    process['apparmorProfile'] = 'tsd-test';
    process['args'] = ['sh', '-c', show];
  });
  const denied = { stderr: /can't open '\/secret': Permission denied/ };
  const run = await world.call('run', world.id);
  t.match(run, { code: 1, stdout: 'tsd-test (enforce)\nopen\n', ...denied });
  world.configure(({ process }) => (process['args'] = ['sleep', '1000']));
  const child = world.start(['run', '--detach', world.id], 'ignore');
  child.stdin?.end();
  t.equal((await ended(child)).code, 0);
  const own = await world.call('exec', world.id, 'sh', '-c', show);
  t.match(own, { code: 1, stdout: 'tsd-test (enforce)\nopen\n', ...denied });
  const other = await world.call('exec', '--apparmor', 'tsd-other', world.id, 'sh', '-c', show);
  t.match(other, { code: 1, stdout: 'tsd-other (enforce)\nopen\n', ...denied });
});

test('a profile that is not loaded is an error, and nothing runs', { skip: skipWithoutApparmor }, async (t) => {
  const world = await ociWorld(t);
  world.configure(({ process }) => (process['apparmorProfile'] = 'tsd-nowhere'));
  const { code, stderr } = await world.call('run', world.id);
  t.equal(code, 1);
  t.match(stderr, /AppArmor profile tsd-nowhere/);
  t.same(world.containers(), []);
});

test('it holds with a procfs that is the bundle\'s own mount', { skip: skipWithoutApparmor }, async (t) => {
  loadProfile(t, 'tsd-test');
  const world = await ociWorld(t);
  world.configure((config) => {
    config.process['apparmorProfile'] = 'tsd-test';
    config.process['args'] = ['cat', '/proc/self/attr/current'];
    const isProc = (mount: unknown): boolean => Object(mount).destination === '/proc';
    const others = config.mounts.filter((mount) => !isProc(mount));
    config.mounts = [...others, { destination: '/proc', source: '/proc', options: ['rbind'] }];
    const { linux } = config;
    linux['namespaces'] = (linux['namespaces'] as { type: string }[])
      .filter(({ type }) => type !== 'pid');
  });
  t.match(await world.call('run', world.id), { code: 0, stdout: 'tsd-test (enforce)\n' });
});
