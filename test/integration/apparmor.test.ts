/** What AppArmor allows containers, where the kernel has it. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { readHostFacts } from '../../daemon/runtime/host-facts.js';
import { lacking, packageCache } from '../support/debian-package.js';
import { ended, ociWorld } from '../support/oci-bundle.js';
import { openRuntimeWorld, type RuntimeWorld } from '../support/runtime-world.js';

const programs = ['/usr/sbin', '/sbin', join(packageCache, 'apparmor/sbin'),
  join(packageCache, 'apparmor/usr/sbin')];
process.env['PATH'] = `${process.env['PATH'] ?? ''}:${programs.join(':')}`;
const { apparmor, apparmorParser: parser = '' } = readHostFacts();
const skip = apparmor
  ? parser === '' && lacking('apparmor')
  : 'this kernel does not confine by AppArmor';

const loaded = '/sys/kernel/security/apparmor/profiles';

/** Everything but one file. */
const profile = (name: string): string =>
  `profile ${name} flags=(attach_disconnected,mediate_deleted) {
    network, capability, file, signal, ptrace, mount, umount, pivot_root, deny /secret r,
  }`;

function load(t: Test, name: string): void {
  execFileSync(parser, ['-K', '-r'], { input: profile(name), stdio: 'pipe' });
  t.teardown(() => execFileSync(parser, ['-R'], { input: profile(name), stdio: 'pipe' }));
}

test('a bundle\'s profile confines its process, and execs', { skip }, async (t) => {
  load(t, 'tsd-test');
  load(t, 'tsd-other');
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

test('a profile that is not loaded is an error, and nothing runs', { skip }, async (t) => {
  const world = await ociWorld(t);
  world.configure(({ process }) => (process['apparmorProfile'] = 'tsd-nowhere'));
  const { code, stderr } = await world.call('run', world.id);
  t.equal(code, 1);
  t.match(stderr, /AppArmor profile tsd-nowhere/);
  t.same(world.containers(), []);
});

test('it holds with a procfs that is the bundle\'s own mount', { skip }, async (t) => {
  load(t, 'tsd-test');
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

/** What a container of the daemon's is confined by, and whether it may mount. */
const script = 'cat /proc/self/attr/current; mount -t tmpfs t /mnt 2>/dev/null && echo mounts';
const files = { '/mnt/x': '' };
const mayMount = { CapAdd: ['SYS_ADMIN'] };

function open(t: Test): RuntimeWorld {
  const world = openRuntimeWorld();
  t.teardown(() => world.close());
  return world;
}

test('containers of the daemon have docker-default unless they ask', { skip }, async (t) => {
  load(t, 'tsd-test');
  const world = open(t);
  const output = async (host: object): Promise<string> =>
    (await world.run({ command: ['sh', '-c', script], host, files })).output;
  t.equal(await output(mayMount), 'docker-default (enforce)\n', 'and may not mount');
  const free = { ...mayMount, SecurityOpt: ['apparmor=unconfined'] };
  t.equal(await output(free), 'unconfined\nmounts\n');
  const asked = { ...mayMount, SecurityOpt: ['apparmor=tsd-test'] };
  t.equal(await output(asked), 'tsd-test (enforce)\nmounts\n');
  t.equal(await output({ Privileged: true }), 'unconfined\nmounts\n');
});

test('docker-default is loaded again when it has gone', { skip }, async (t) => {
  const world = open(t);
  const shown = async (): Promise<string> =>
    (await world.run({ command: ['cat', '/proc/self/attr/current'] })).output;
  t.equal(await shown(), 'docker-default (enforce)\n');
  execFileSync(parser, ['-R'], { input: 'profile docker-default {}', stdio: 'pipe' });
  t.notMatch(readFileSync(loaded, 'utf8'), /^docker-default /m);
  t.equal(await shown(), 'docker-default (enforce)\n');
});

test('what it denies cannot be written, what a container needs can', { skip }, async (t) => {
  const world = open(t);
  const tries = ['/proc/sysrq-trigger', '/proc/sys/vm/swappiness'];
  const lines = [
    ...tries.map((path) => `(echo 1 > ${path}) 2>&1 | grep -o 'Permission denied'`),
    'echo x > /file && cat /file', 'echo 0 > /proc/self/oom_score_adj && echo own',
    'kill -0 $$ && echo signals',
  ];
  const host = { SecurityOpt: ['systempaths=unconfined'], CapAdd: ['ALL'] };
  const { output } = await world.run({ command: ['sh', '-c', lines.join('\n')], host });
  const denied = 'Permission denied\n'.repeat(lines.length - 3);
  t.equal(output, `${denied}x\nown\nsignals\n`);
});
