/** What AppArmor allows the daemon's containers, where the kernel has it. */
import { readFileSync } from 'node:fs';
import { test, type Test } from 'tap';
import { dropProfile, loadProfile, skipWithoutApparmor } from '../support/apparmor.js';
import { openRuntimeWorld, type RuntimeWorld } from '../support/runtime-world.js';

/** What a container of the daemon's is confined by, and whether it may mount. */
const script = 'cat /proc/self/attr/current; mount -t tmpfs t /mnt 2>/dev/null && echo mounts';
const files = { '/mnt/x': '' };
const mayMount = { CapAdd: ['SYS_ADMIN'] };

function open(t: Test): RuntimeWorld {
  const world = openRuntimeWorld();
  t.teardown(() => world.close());
  return world;
}

test('containers of the daemon have docker-default unless they ask', { skip: skipWithoutApparmor }, async (t) => {
  loadProfile(t, 'tsd-test');
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

test('docker-default is loaded again when it has gone', { skip: skipWithoutApparmor }, async (t) => {
  const world = open(t);
  const shown = async (): Promise<string> =>
    (await world.run({ command: ['cat', '/proc/self/attr/current'] })).output;
  t.equal(await shown(), 'docker-default (enforce)\n');
  dropProfile('docker-default');
  t.notMatch(readFileSync('/sys/kernel/security/apparmor/profiles', 'utf8'), /^docker-default /m);
  t.equal(await shown(), 'docker-default (enforce)\n');
});

test('what it denies cannot be written, what a container needs can', { skip: skipWithoutApparmor }, async (t) => {
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
