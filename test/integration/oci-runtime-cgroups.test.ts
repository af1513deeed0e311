/** Control groups of the OCI runtime: the same facts with version 1 and with version 2. */
import { closeSync, existsSync, openSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { readHostFacts } from '../../daemon/runtime/host-facts.js';
import { readStat } from '../../cli/oci-runtime/store.js';
import {
  ended, giveTree, ociWorld, soon, type Config, type OciWorld,
} from '../support/oci-bundle.js';

const isV2 = readHostFacts().cgroups.version === 2;
const MIB = 1024 ** 2;
const FIRST = 200_000;

/** Where the kernel has the container's group: of this controller, with version 1. */
const folderOf = ({ id }: OciWorld, controller: string): string =>
  join('/sys/fs/cgroup', isV2 ? '' : controller, id);

const read = (world: OciWorld, v1: string, v2: string): string => {
  const [controller = '', file = ''] = v1.split('/');
  return readFileSync(join(folderOf(world, controller), isV2 ? v2 : file), 'utf8').trim();
};

/** A container that runs this script, in a group of its own at the root of the hierarchies. */
async function running(
  t: Test,
  script: string,
  change: (config: Config) => void = () => undefined,
): Promise<OciWorld> {
  const world = await ociWorld(t);
  // What is made in the root must belong to somebody whom a user namespace knows.
  giveTree(join(world.bundle, 'rootfs'), FIRST);
  world.configure((config) => {
    config.process['args'] = ['sh', '-c', script];
    config.linux['cgroupsPath'] = `/${world.id}`;
    change(config);
  });
  const out = openSync(join(world.folder, 'out'), 'a');
  const child = world.start(['run', '--detach', world.id], out);
  child.stdin?.end();
  closeSync(out);
  t.equal((await ended(child)).code, 0, said(world));
  return world;
}

const said = (world: OciWorld): string => readFileSync(join(world.folder, 'out'), 'utf8');

/** Until the container has said it; false when it does not. */
const says = (world: OciWorld, words: RegExp): Promise<boolean> =>
  soon(() => words.test(said(world)));

const resources = (given: object) => ({ linux }: Config): void => {
  linux['resources'] = given;
};

test('limits are the group\'s, and new ones while it lives', async (t) => {
  const world = await running(t, 'sleep 1000', resources({
    memory: { limit: 64 * MIB }, pids: { limit: 30 }, cpu: { quota: 50_000, period: 100_000 },
  }));
  const { id } = world;
  const figures = (): readonly string[] => [
    read(world, 'memory/memory.limit_in_bytes', 'memory.max'),
    read(world, 'pids/pids.max', 'pids.max'),
    read(world, 'cpu/cpu.cfs_quota_us', 'cpu.max').split(' ')[0] ?? '',
  ];
  t.same(figures(), [String(64 * MIB), '30', '50000']);
  const flags = ['--memory', '96m', '--pids-limit', '40', '--cpu-quota', '70000'];
  t.match(await world.call('update', ...flags, id), { code: 0 });
  t.same(figures(), [String(96 * MIB), '40', '70000']);
});

test('a frozen group is the kernel\'s frozen, and thaws', async (t) => {
  const world = await running(t, 'while true; do :; done');
  const state = (): string => isV2
    ? /frozen (\d)/.exec(read(world, '', 'cgroup.events'))?.[1] ?? ''
    : read(world, 'freezer/freezer.state', '');
  t.match(await world.call('pause', world.id), { code: 0 });
  t.equal(state(), isV2 ? '1' : 'FROZEN');
  t.match(await world.call('resume', world.id), { code: 0 });
  t.equal(state(), isV2 ? '0' : 'THAWED');
});

test('a deletion by force ends all that the container has begun, and its groups', async (t) => {
  const world = await running(t, `
    for i in 1 2 3 4 5; do (trap '' TERM; while true; do sleep 1; done) & done
    echo begun; wait`);
  t.ok(await says(world, /begun/));
  const pids = read(world, 'pids/cgroup.procs', 'cgroup.procs').split('\n').map(Number);
  t.ok(pids.length >= 6, `${pids.length} processes`);
  const records = pids.map((pid) => ({ pid, pidStart: readStat(pid)?.start ?? '' }));
  t.match(await world.call('pause', world.id), { code: 0 }, 'also when it stands still');
  t.match(await world.call('delete', '--force', world.id), { code: 0, stderr: '' });
  const left = records.filter(({ pid, pidStart }) =>
    readStat(pid)?.start === pidStart && !['Z', 'X'].includes(readStat(pid)?.state ?? ''));
  t.same(left, []);
  const folders = isV2 ? [''] : readdirSync('/sys/fs/cgroup');
  t.same(folders.filter((name) => existsSync(folderOf(world, name))), [], 'no group is left');
});

test('devices are the rules\' to open, in their order, by whichever way the kernel has', async (t) => {
  // Whether there is a driver or not: the group's word comes first.
  const node = { type: 'c', major: 10, minor: 235 };
  const rule = (allow: boolean, access = 'rwm'): object => ({ ...node, allow, access });
  const opens = async (...rules: readonly object[]): Promise<string> => {
    const world = await ociWorld(t);
    world.configure((config) => {
      config.process['args'] = ['sh', '-c', '(: < /dev/own) 2>&1; (: > /dev/own) 2>&1; true'];
      config.linux['devices'] = [{ ...node, path: '/dev/own' }];
      config.linux['resources'] = { devices: [{ allow: false, access: 'rwm' }, ...rules] };
    });
    return (await world.call('run', world.id)).stdout;
  };
  const refused = async (...rules: readonly object[]): Promise<number> =>
    (await opens(...rules)).match(/not permitted/g)?.length ?? 0;
  t.equal(await refused(), 2);
  t.equal(await refused(rule(true)), 0);
  t.equal(await refused(rule(true, 'r')), 1);
  t.equal(await refused(rule(true), rule(false)), 2);
  t.equal(await refused(rule(false), rule(true)), 0);
});

const maps = [{ containerID: 0, hostID: FIRST, size: 65_536 }];

/** Root of a user namespace, with its control groups in sight. */
function delegated(options: readonly string[]) {
  return (config: Config): void => {
    const { linux } = config;
    linux['namespaces'] = [
      // As `spec` writes it.
      ...(linux['namespaces'] as object[]), { type: 'user' }, { type: 'cgroup' },
    ];
    Object.assign(linux, { uidMappings: maps, gidMappings: maps });
    linux['resources'] = { pids: { limit: 30 } };
    const destination = '/sys/fs/cgroup';
    config.mounts = [
      ...config.mounts.filter((each) => !JSON.stringify(each).includes(destination)),
      { destination, type: 'cgroup', source: 'cgroup', options },
    ];
  };
}

test('root of a user namespace rules below its group, and not over its limits', async (t) => {
  const script = `
    cd /sys/fs/cgroup/${isV2 ? '' : 'pids'}
    busybox mkdir leaf 2>/dev/null && echo $$ > leaf/cgroup.procs &&
      echo +pids > cgroup.subtree_control && echo 7 > leaf/pids.max && cat leaf/pids.max
    (echo max > pids.max) 2>/dev/null || echo refused
    echo end; sleep 1000`;
  const world = await running(t, script, delegated(['nosuid', 'nodev']));
  t.ok(await says(world, /end/), said(world));
  const owner = statSync(folderOf(world, 'pids')).uid;
  if (isV2) {
    t.equal(said(world), '7\nrefused\nend\n');
    t.equal(owner, FIRST);
    t.equal(statSync(join(folderOf(world, ''), 'cgroup.threads')).uid, FIRST);
    t.equal(statSync(join(folderOf(world, ''), 'pids.max')).uid, 0);
  } else {
    t.equal(owner, 0, 'with version 1 that would not be safe');
    t.equal(said(world), 'refused\nend\n');
  }
  t.match(await world.call('delete', '--force', world.id), { code: 0, stderr: '' });
  t.equal(existsSync(folderOf(world, 'pids')), false, 'groups below go with it');
});

test('a group that is to be seen read-only stays the runtime\'s', async (t) => {
  const world = await running(t, 'sleep 1000', delegated(['nosuid', 'nodev', 'ro']));
  t.equal(statSync(folderOf(world, 'pids')).uid, 0);
});
