/** Containers as scopes of systemd's, which must be the first process here. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type Test } from 'tap';
import { readHostFacts } from '../../daemon/runtime/host-facts.js';
import type { HostConfig } from '../../api-spec/index.js';
import { openRuntimeWorld } from '../support/runtime-world.js';
import { ended, ociWorld, type Config, type OciWorld } from '../support/oci-bundle.js';

const isV2 = readHostFacts().cgroups.version === 2;
const isFirst = readFileSync('/proc/1/comm', 'utf8') === 'systemd\n';
const skip = !(isFirst && existsSync('/run/systemd/private')) &&
  'systemd is not the first process here';
const MIB = 1024 ** 2;

const show = (unit: string, property: string): string =>
  execFileSync('systemctl', ['show', '--value', '--property', property, unit], {
    encoding: 'utf8',
  }).trim();

/** A file of the group's, by its name of version 1 or 2. */
function read(path: string, v1: string, v2: string): string {
  const [controller = '', file = ''] = v1.split('/');
  const place = isV2 ? join(path, v2) : join(controller, path, file);
  return readFileSync(join('/sys/fs/cgroup', place), 'utf8').trim();
}

async function started(t: Test, change: (config: Config, id: string) => void): Promise<OciWorld> {
  const world = await ociWorld(t);
  world.configure((config) => {
    config.process['args'] = ['sleep', '1000'];
    change(config, world.id);
  });
  // The streams of what is left must not be the test's.
  const child = world.start(['--systemd-cgroup', 'run', '--detach', world.id], 'ignore');
  child.stdin?.end();
  t.equal((await ended(child)).code, 0);
  return world;
}

/** Of a unit that went with its last process. */
async function goes(unit: string): Promise<boolean> {
  for (let i = 0; i < 300; i++) {
    if (show(unit, 'LoadState') === 'not-found') return true;
    await sleep(50);
  }
  return false;
}

test('a container is a scope, whose limits systemd knows', { skip }, async (t) => {
  const world = await started(t, ({ linux }, id) => {
    linux['cgroupsPath'] = `tsd-test.slice:tsd:${id}`;
    linux['resources'] = {
      memory: { limit: 64 * MIB }, pids: { limit: 30 }, cpu: { quota: 50_000, period: 100_000 },
    };
  });
  const unit = `tsd-${world.id}.scope`;
  const path = `/tsd.slice/tsd-test.slice/${unit}`;
  t.equal(show(unit, 'ActiveState'), 'active');
  t.equal(show(unit, 'ControlGroup'), path);
  t.equal(show(unit, 'Delegate'), 'yes');
  const limits = (): readonly string[] => [
    show(unit, 'MemoryMax'), show(unit, 'TasksMax'), show(unit, 'CPUQuotaPerSecUSec'),
    read(path, 'memory/memory.limit_in_bytes', 'memory.max'),
    read(path, 'pids/pids.max', 'pids.max'),
  ];
  t.same(limits(), [`${64 * MIB}`, '30', '500ms', `${64 * MIB}`, '30']);
  const { pid } = await world.state();
  t.equal(read(path, 'pids/cgroup.procs', 'cgroup.procs'), String(pid), 'it is alone there');
  const flags = ['--memory', '96m', '--pids-limit', '40', '--cpu-quota', '20000'];
  t.match(await world.call('update', ...flags, world.id), { code: 0, stderr: '' });
  t.same(limits(), [`${96 * MIB}`, '40', '200ms', `${96 * MIB}`, '40']);
  execFileSync('systemctl', ['daemon-reload']);
  t.same(limits(), [`${96 * MIB}`, '40', '200ms', `${96 * MIB}`, '40'], 'also when it reloads');
  t.match(await world.call('pause', world.id), { code: 0 });
  t.match(await world.call('resume', world.id), { code: 0 });
  t.match(await world.call('kill', world.id, 'KILL'), { code: 0 });
  t.ok(await world.reach('stopped'));
  t.match(await world.call('delete', world.id), { code: 0, stderr: '' });
  t.ok(await goes(unit), 'the scope goes with it');
});

test('without a path it is a scope of the system\'s slice', { skip }, async (t) => {
  const world = await started(t, () => undefined);
  const unit = `tsdocker-runtime-${world.id}.scope`;
  t.equal(show(unit, 'ControlGroup'), `/system.slice/${unit}`);
  t.match(await world.call('delete', '--force', world.id), { code: 0, stderr: '' });
  t.ok(await goes(unit));
});

test('what cannot be a scope is an error, and leaves none', { skip }, async (t) => {
  const world = await started(t, ({ linux }, id) => (linux['cgroupsPath'] = `::${id}`));
  const unit = `${world.id}.scope`;
  const other = await ociWorld(t);
  other.configure(({ linux }) => (linux['cgroupsPath'] = `user.slice::${world.id}`));
  t.match(await other.call('--systemd-cgroup', 'create', other.id), {
    code: 1, stderr: /EEXIST/,
  });
  t.equal(show(unit, 'ActiveState'), 'active', 'whose it was has it');
  other.configure((config) => {
    config.linux['cgroupsPath'] = `::${other.id}`;
    config.root = { path: 'rootfs', readonly: true };
    config.mounts.push({ destination: '/m', type: 'nothing', source: 'x' });
  });
  t.match(await other.call('--systemd-cgroup', 'create', other.id), { code: 1, stderr: /mount/ });
  t.ok(await goes(`${other.id}.scope`), 'a creation that fails leaves no unit');
});

test('so are the daemon\'s containers, in a slice of its own', { skip }, async (t) => {
  const world = openRuntimeWorld(undefined, 'systemd');
  t.teardown(() => world.close());
  const options = { command: ['sleep', '1000'], host: { Memory: 64 * MIB, PidsLimit: 30 } };
  const record = world.record(options);
  const task = await world.runtime.create(world.request(record, options));
  const unit = `tsdocker-${record.id}.scope`;
  const path = `/tsdocker.slice/tsdocker-${world.rootId}.slice/${unit}`;
  t.equal(show(unit, 'ControlGroup'), path);
  await task.start();
  t.equal(read(path, 'pids/cgroup.procs', 'cgroup.procs'), String(task.pid), 'it is alone there');
  t.equal(show(unit, 'MemoryMax'), `${64 * MIB}`);
  const hostConfig = { ...record.hostConfig, PidsLimit: 40 };
  await world.runtime.update({ ...record, hostConfig }, new Set(['PidsLimit']));
  t.equal(show(unit, 'TasksMax'), '40');
  t.equal(read(path, 'pids/pids.max', 'pids.max'), '40');
  await task.dispose();
  t.ok(await goes(unit), 'the scope goes with it');
});

test('what a daemon does not know is swept, in its own slice alone', { skip }, async (t) => {
  const world = openRuntimeWorld(undefined, 'systemd');
  t.teardown(() => world.close());
  const begin = async (host: HostConfig): Promise<string> => {
    const options = { command: ['sleep', '1000'], host };
    const record = world.record(options);
    const task = await world.runtime.create(world.request(record, options));
    t.teardown(() => task.dispose());
    await task.start();
    return record.id;
  };
  const [known, unknown, elsewhere] = [
    await begin({}), await begin({}), await begin({ CgroupParent: 'tsd-else.slice' }),
  ];
  const removed = await world.reopen().sweep(new Set([known, elsewhere]));
  t.ok(removed.some((name) => name.includes(unknown.slice(0, 16))), removed.join());
  t.ok(await goes(`tsdocker-${unknown}.scope`));
  for (const id of [known, elsewhere]) {
    t.equal(show(`tsdocker-${id}.scope`, 'ActiveState'), 'active');
  }
  t.equal(show(`tsdocker-${elsewhere}.scope`, 'Slice'), 'tsd-else.slice');
});
