/**
 * A whole daemon, and Debian's podman with our runtime, whose containers are scopes of systemd's;
 * that must be the first process here.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { asInstalled } from '../support/as-installed.js';
import { create, logText, run, start, stateOf, until } from '../support/containers.js';
import { startDaemon } from '../support/daemon.js';
import { lacking } from '../support/debian-package.js';
import { importDemoImage } from '../support/demo-image.js';
import type { Ended } from '../support/oci-bundle.js';

const isFirst = readFileSync('/proc/1/comm', 'utf8') === 'systemd\n';
const skip = !(isFirst && existsSync('/run/systemd/private')) &&
  'systemd is not the first process here';
const MIB = 1024 ** 2;

const show = (unit: string, property: string): string =>
  execFileSync('systemctl', ['show', '--value', '--property', property, unit], {
    encoding: 'utf8',
  }).trim();

const gone = (unit: string): Promise<void> =>
  until(`end of ${unit}`, async () => show(unit, 'LoadState') === 'not-found', 30_000);

test('a daemon with native.cgroupdriver=systemd makes scopes', { skip }, async (t) => {
  const daemon = await startDaemon(t, { flags: ['--exec-opt', 'native.cgroupdriver=systemd'] });
  await importDemoImage(daemon.api);
  t.match((await daemon.api.get('/info')).json, { CgroupDriver: 'systemd' });
  const host = { Memory: 64 * MIB, PidsLimit: 30 };
  const id = await run(daemon, { name: 'one', command: ['sleep', '1000'], host });
  const unit = `tsdocker-${id}.scope`;
  t.equal(show(unit, 'ActiveState'), 'active');
  const group = /^\/tsdocker\.slice\/tsdocker-[0-9a-f]{8}\.slice\/.*\.scope$/;
  t.match(show(unit, 'ControlGroup'), group);
  t.same([show(unit, 'MemoryMax'), show(unit, 'TasksMax')], [String(64 * MIB), '30']);
  const changed = await daemon.api.post(`/containers/${id}/update`, { PidsLimit: 40 });
  t.equal(changed.status, 200);
  t.equal(show(unit, 'TasksMax'), '40');
  const exec = await daemon.api.post(`/containers/${id}/exec`, {
    Cmd: ['sh', '-c', 'cat /proc/self/cgroup > /told'],
  });
  const begun = await daemon.api.post(`/exec/${String(exec.json.Id)}/start`, { Detach: true });
  t.equal(begun.status, 200);
  await daemon.kill9();
  await daemon.start();
  t.equal((await stateOf(daemon, id)).Running, true, 'a new daemon has it');
  t.equal((await daemon.api.post(`/containers/${id}/stop?t=0`)).status, 204);
  await gone(unit);
  await start(daemon, id);
  t.equal(show(unit, 'ActiveState'), 'active', 'it is a scope again when it starts again');
  t.equal((await daemon.api.delete(`/containers/${id}?force=1`)).status, 204);
  await gone(unit);
  const own = await create(daemon, {
    command: ['grep', 'name=systemd\\|^0:', '/proc/self/cgroup'],
    host: { CgroupParent: 'tsd-own.slice', CgroupnsMode: 'host' },
  });
  await start(daemon, own);
  await daemon.api.post(`/containers/${own}/wait`);
  t.match(await logText(daemon, own), /:\/tsd\.slice\/tsd-own\.slice\/tsdocker-[0-9a-f]+\.scope\n/);
});

const lacks = lacking('podman');

test('podman --cgroup-manager=systemd runs with it', { skip: skip || lacks }, async (t) => {
  const { folder, rootfs, runtime, call } = asInstalled(t, 'podman', 'libpod_parent');
  const path = (name: string): string => join(folder, name);
  writeFileSync(path('containers.conf'), `
[containers]
seccomp_profile = "/usr/share/containers/seccomp.json"
netns = "none"
log_driver = "k8s-file"
[engine]
events_logger = "file"
`);
  const storage = `driver = "vfs"\nrunroot = "${path('r')}"\ngraphroot = "${path('g')}"\n`;
  writeFileSync(path('storage.conf'), `[storage]\n${storage}`);
  const podman = (...args: readonly string[]): Promise<Ended> => call(
    'env', `CONTAINERS_CONF=${path('containers.conf')}`,
    `CONTAINERS_STORAGE_CONF=${path('storage.conf')}`,
    'podman', '--runtime', runtime, '--cgroup-manager', 'systemd', '--root', path('g'),
    '--runroot', path('r'), '--tmpdir', path('t'), ...args,
  );
  t.teardown(() => podman('rm', '--all', '--force', '--time', '0'));
  const begun = await podman(
    'run', '-d', '--name', 'one', '--memory', '64m', '--rootfs', rootfs, '/bin/sleep', '1000');
  t.match(begun, { code: 0 }, begun.stderr);
  const unit = `libpod-${begun.stdout.trim()}.scope`;
  t.equal(show(unit, 'ActiveState'), 'active');
  t.equal(show(unit, 'ControlGroup'), `/machine.slice/${unit}`);
  t.equal(show(unit, 'MemoryMax'), String(64 * MIB));
  t.match(await podman('exec', 'one', '/bin/sh', '-c', 'exit 4'), { code: 4 });
  t.match(await podman('stop', '--time', '0', 'one'), { code: 0 });
  t.match(await podman('rm', 'one'), { code: 0 });
  await gone(unit);
});
