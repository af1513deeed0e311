/**
 * What other runtimes were broken by, tried on ours: each test is named for the advisory. Others
 * are held elsewhere: CVE-2024-21626, 2016-9962 (fds, ptrace): `exec`; 2022-24769, 2022-36109,
 * 2024-40635, 2025-4437, 2019-16884, 2022-0811 (capabilities, groups, ids, account files, /proc,
 * sysctls): `runtime`; masked paths and socket families: `unit/runtime/spec`, `seccomp`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test, type Test } from 'tap';
import { output, run } from '../support/containers.js';
import { startDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { ended, ociWorld, type OciWorld } from '../support/oci-bundle.js';

const shim = fileURLToPath(new URL('../../native/tsdocker-shim', import.meta.url));
const digest = (): string => createHash('sha256').update(fs.readFileSync(shim)).digest('hex');

/** A folder of the host's that is to stay empty. */
function canaryOf(world: OciWorld): string {
  const canary = join(world.folder, 'canary');
  fs.mkdirSync(canary, { mode: 0o777 });
  return canary;
}

const command = (world: OciWorld, script: string): void =>
  world.configure((config) => (config.process['args'] = ['sh', '-c', script]));

test('CVE-2019-5736: the runtime\'s own program cannot be written from inside', async (t) => {
  const world = await ociWorld(t);
  const before = digest();
  world.configure((config) => (config.process['args'] = ['/proc/self/exe']));
  await world.call('run', world.id);
  t.equal(digest(), before, 'as the program of a container');
  command(world, 'exec 2>/dev/null; while :; do for i in /proc/*/exe; do echo x > $i; done; done');
  const out = fs.openSync(join(world.folder, 'out'), 'a');
  const child = world.start(['run', '--detach', world.id], out);
  child.stdin?.end();
  fs.closeSync(out);
  t.equal((await ended(child)).code, 0);
  for (let nth = 0; nth < 10; nth++) await world.call('exec', world.id, '/proc/self/exe');
  t.equal(digest(), before, 'as that of execs, while a loop tries to write to it');
});

test('CVE-2025-31133: what masks a path is no file of the image', async (t) => {
  const world = await ociWorld(t);
  const canary = join(canaryOf(world), 'file');
  fs.writeFileSync(canary, 'secret');
  fs.mkdirSync(join(world.bundle, 'rootfs/dev'));
  fs.symlinkSync('/proc/sys/kernel/core_pattern', join(world.bundle, 'rootfs/dev/null'));
  world.configure((config) => {
    const script = 'cat /proc/version; /bin/busybox stat -c %t:%T /proc/version';
    config.process['args'] = ['sh', '-c', script];
    config.mounts = [{ destination: '/proc', type: 'proc', source: 'proc' }];
    config.linux['maskedPaths'] = ['/proc/version'];
  });
  t.match(await world.call('run', world.id), { code: 0, stdout: '1:3\n' });
});

test('CVE-2025-52565: a terminal is one of a devpts, whatever is in its place', async (t) => {
  const world = await ociWorld(t);
  const canary = join(canaryOf(world), 'file');
  fs.writeFileSync(canary, 'untouched');
  const dev = join(world.folder, 'dev');
  fs.mkdirSync(join(dev, 'plain'), { recursive: true });
  for (const name of ['ptmx', '0']) fs.symlinkSync(canary, join(dev, 'plain', name));
  const run = async (): ReturnType<OciWorld['call']> => {
    world.configure((config) => {
      config.process['args'] = ['sh', '-c', 'echo x > /dev/console; echo began'];
      config.process['terminal'] = true;
      config.mounts = [
        { destination: '/proc', type: 'proc', source: 'proc' },
        { destination: '/dev', source: dev, options: ['rbind'] },
      ];
    });
    return world.call('run', world.id);
  };
  for (const pts of ['plain', '/proc/self/fd', dirname(canary)]) {
    fs.symlinkSync(pts, join(dev, 'pts'));
    t.match(await run(), { code: 1, stderr: /console/ }, `/dev/pts is ${pts}`);
    fs.unlinkSync(join(dev, 'pts'));
  }
  t.equal(fs.readFileSync(canary, 'utf8'), 'untouched');
});

test('CVE-2019-19921, 2023-28642: a link in the place of /proc takes no writes', async (t) => {
  const world = await ociWorld(t);
  const elsewhere = join(world.bundle, 'rootfs/elsewhere/sys/net/core');
  fs.mkdirSync(elsewhere, { recursive: true });
  fs.writeFileSync(join(elsewhere, 'somaxconn'), 'untouched');
  fs.symlinkSync('/elsewhere', join(world.bundle, 'rootfs/proc'));
  world.configure((config) => {
    config.process['args'] = ['cat', '/proc/sys/net/core/somaxconn'];
    config.linux['sysctl'] = { 'net.core.somaxconn': '99' };
  });
  t.match(await world.call('run', world.id), { code: 0, stdout: '99\n' });
  t.equal(fs.readFileSync(join(elsewhere, 'somaxconn'), 'utf8'), 'untouched');
});

test('CVE-2026-41579, 2026-47766: a link in the place of /dev leads nowhere out', async (t) => {
  const world = await ociWorld(t);
  const canary = canaryOf(world);
  fs.symlinkSync(canary, join(world.bundle, 'rootfs/dev'));
  command(world, 'ls /dev/null');
  t.match(await world.call('run', world.id), { code: 0, stdout: '/dev/null\n' });
  t.same(fs.readdirSync(canary), []);
});

/** Folder and link change places, as fast as may be, until it is killed. */
const flipper = `
import ctypes, os, sys
os.chdir(sys.argv[1]); os.mkdir('d'); os.symlink(sys.argv[2], 'l')
call = ctypes.CDLL(None).renameat2
while True: call(-100, b'd', -100, b'l', 2)
`;

test('CVE-2021-30465, 2024-45310: a place that is swapped while it is mounted on', async (t) => {
  const world = await ociWorld(t);
  const canary = canaryOf(world);
  const shared = join(world.folder, 'shared');
  fs.mkdirSync(shared);
  fs.mkdirSync(join(world.bundle, 'rootfs/vol'));
  const swapping = spawn('python3', ['-c', flipper, shared, canary], { stdio: 'inherit' });
  t.teardown(() => swapping.kill('SIGKILL'));
  world.configure((config) => {
    config.process['args'] = ['sh', '-c', 'echo went'];
    config.mounts.push(
      { destination: '/vol', source: shared, options: ['bind'] },
      { destination: '/vol/d/deep/x', type: 'tmpfs', source: 'tmpfs' },
      { destination: '/vol/d/file', source: '/etc/hostname', options: ['bind'] },
    );
  });
  let went = 0;
  for (let nth = 0; nth < 15; nth++) {
    if ((await world.call('run', world.id)).stdout === 'went\n') went++;
  }
  t.same(fs.readdirSync(canary), [], 'nothing is made outside');
  t.comment(`${went} of 15 went`);
});

const needsRoot = {
  skip: process.getuid?.() === 0 ? false : 'a daemon that mounts needs root', timeout: 120_000,
};

test('what a daemon keeps is nobody else\'s', needsRoot, async (t: Test) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  await run(daemon, { command: ['sleep', '600'] });
  const stranger = (path: string): string =>
    spawnSync('ls', [path], { uid: 65_534, gid: 65_534, encoding: 'utf8' }).stderr;
  for (const path of [daemon.dataRoot, daemon.execRoot, join(daemon.execRoot, 's')]) {
    t.match(stranger(path), /Permission denied/, 'CVE-2021-41091, 2021-41103, 2024-25621');
  }
  const abstract = fs.readFileSync('/proc/net/unix', 'utf8').split('\n')
    .filter((line) => / @.*(tsd|docker)/.test(line));
  t.same(abstract, [], 'CVE-2020-15257: no socket without a file');
  const { text } = await output(daemon, {
    command: ['sh', '-c', `
      cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6 /proc/sys/net/ipv6/conf/eth0/accept_ra
      busybox unshare -U true 2>/dev/null || echo refused
      for i in /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/x; do
        (echo x > $i) 2>/dev/null && echo written; done; true`],
  });
  const [disabled = '', accepts = '', ...rest] = text.trim().split('\n');
  t.ok(disabled === '1' || accepts === '0', 'CVE-2020-13401: no router is believed');
  t.same(rest, ['refused'], 'CVE-2022-0492: no user namespace, no release_agent');
});

test('CVE-2022-4318, 2024-5154: an image and its variables write no files', needsRoot, async (t) => {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const canary = fs.mkdtempSync(join(tmpdir(), 'tsd-canary-'));
  t.teardown(() => fs.rmSync(canary, { recursive: true }));
  const id = await run(daemon, {
    command: ['sh', '-c', `rm -f /etc/mtab && ln -s ${canary}/mtab /etc/mtab`],
  });
  t.equal((await daemon.api.post(`/containers/${id}/wait`)).json.StatusCode, 0);
  t.equal((await daemon.api.post(`/commit?container=${id}&repo=linked`)).status, 201);
  const plain = await output(daemon, { command: ['cat', '/etc/passwd', '/etc/group'] });
  const evil = 'evil:x:0:0::/:/bin/sh';
  const { code, text } = await output(daemon, {
    command: ['cat', '/etc/passwd', '/etc/group'],
    config: { Image: 'linked', User: '4711', Env: [`HOME=/x\n${evil}`], WorkingDir: '/tmp' },
  });
  t.equal(code, 0);
  t.equal(text, plain.text, 'a home of two lines is no line of passwd');
  t.same(fs.readdirSync(canary), [], 'a link in the place of mtab leads nowhere out');
  const begin = Date.now();
  const many = await daemon.api.post('/containers/create', {
    Image: 'tsdocker-demo', Cmd: ['true'], HostConfig: { CpusetCpus: '0-4294967295' },
  });
  t.equal(many.status, 400, 'CVE-2018-20699: a set of four thousand million processors');
  t.ok(Date.now() - begin < 10_000, 'is refused without being counted out');
});
