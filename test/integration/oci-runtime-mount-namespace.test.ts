/** Containers in a mount namespace of others, and without one of their own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { ended, ociWorld, type Config, type OciWorld } from '../support/oci-bundle.js';

const mountsOf = (pid: number | string): string =>
  fs.readFileSync(`/proc/${pid}/mountinfo`, 'utf8');

/** Sleeps in a mount namespace of its own until the test ends. */
async function holder(t: Test): Promise<number> {
  const child = spawn('unshare', ['--mount', 'sh', '-c', 'echo up; exec sleep 1000']);
  t.teardown(() => gone(child));
  await once(child.stdout, 'data');
  return child.pid ?? 0;
}

async function gone(child: ChildProcess): Promise<void> {
  const end = once(child, 'exit');
  child.kill('SIGKILL');
  await end;
}

function inNamespace({ linux }: Config, path?: string): void {
  // As `spec` writes it.
  const all = linux['namespaces'] as readonly { readonly type: string }[];
  const others = all.filter(({ type }) => type !== 'mount');
  linux['namespaces'] = path === undefined ? others : [...others, { type: 'mount', path }];
}

/** Nothing is to be mounted, and its root can be written to. */
function bare(config: Config): void {
  inNamespace(config);
  config.mounts = [];
  config['root'] = { path: 'rootfs' };
  config.linux['maskedPaths'] = config.linux['readonlyPaths'] = [];
}

/** Starts what sleeps; its process. */
async function started(world: OciWorld, ...flags: readonly string[]): Promise<number> {
  world.configure((config) => (config.process['args'] = ['sleep', '1000']));
  const child = world.start(['run', '--detach', ...flags, world.id], 'ignore');
  child.stdin?.end();
  await ended(child);
  return Number((await world.state())['pid']);
}

test('in a mount namespace by path its mounts are made there, and nowhere else', async (t) => {
  for (const flags of [[], ['--no-pivot']]) {
    const world = await ociWorld(t);
    const pid = await holder(t);
    const source = join(world.folder, 'source');
    fs.mkdirSync(source);
    world.configure((config) => {
      inNamespace(config, `/proc/${pid}/ns/mnt`);
      config.mounts.push({ destination: '/there', source, options: ['bind'] });
    });
    const before = mountsOf('self');
    const init = await started(world, ...flags);
    t.equal(fs.readlinkSync(`/proc/${init}/ns/mnt`), fs.readlinkSync(`/proc/${pid}/ns/mnt`));
    t.match(mountsOf(init), / \/there /);
    t.equal(mountsOf('self'), before, 'the host has what it had');
    const told = await world.call('exec', world.id, 'ls', '/', '/proc/1/cmdline');
    t.match(told, { code: 0, stdout: /\/proc\/1\/cmdline\n.*bin\ndev\nproc\nsys\nthere/s });
    t.match(await world.call('delete', '--force', world.id), { code: 0, stderr: '' });
  }
});

test('the root of a namespace is only exchanged by a container that can be made', async (t) => {
  const world = await ociWorld(t);
  const pid = await holder(t);
  world.configure((config) => {
    inNamespace(config, `/proc/${pid}/ns/mnt`);
    config.mounts.push({ destination: '/m', type: 'nothing' });
  });
  t.match(await world.call('create', world.id), { code: 1, stderr: /mount \/m/ });
  t.equal(fs.readlinkSync(`/proc/${pid}/root`), '/');
  t.ok(fs.existsSync(`/proc/${pid}/root${world.bundle}/config.json`), 'it is where it was');
});

test('the host\'s own mount namespace cannot be named', async (t) => {
  const world = await ociWorld(t);
  world.configure((config) => inNamespace(config, `/proc/${process.pid}/ns/mnt`));
  t.match(await world.call('create', world.id), {
    code: 1, stderr: /is the host's mount namespace/,
  });
});

test('without a mount namespace it only has another root, in execs too', async (t) => {
  const world = await ociWorld(t);
  world.configure(bare);
  const before = mountsOf('self');
  const pid = await started(world);
  t.equal(fs.readlinkSync(`/proc/${pid}/ns/mnt`), fs.readlinkSync('/proc/self/ns/mnt'));
  t.equal(fs.realpathSync(fs.readlinkSync(`/proc/${pid}/root`)), join(world.bundle, 'rootfs'));
  const told = await world.call('exec', world.id, 'sh', '-c', 'ls /; ls -d /../../../etc');
  t.match(told, { code: 1, stdout: 'bin\ndev\n', stderr: /No such file/ });
  t.equal(mountsOf('self'), before, 'nothing was mounted');
  t.match(await world.call('delete', '--force', world.id), { code: 0, stderr: '' });
});

test('parameters of the kernel are written by a procfs that is a bind, or not at all', async (t) => {
  const world = await ociWorld(t);
  const proc = (mount: object): void => world.configure((config) => {
    const others = config.mounts.filter((each) => Object(each).destination !== '/proc');
    config.mounts = [...others, { destination: '/proc', ...mount }];
    config.linux['maskedPaths'] = config.linux['readonlyPaths'] = [];
    config.linux['sysctl'] = { 'kernel.msgmax': '4242' };
    config.process['args'] = ['cat', '/proc/sys/kernel/msgmax'];
  });
  proc({ source: '/proc', options: ['rbind'] });
  t.match(await world.call('run', world.id), { code: 0, stdout: '4242\n' });
  proc({ type: 'tmpfs' });
  t.match(await world.call('run', world.id), { code: 1, stderr: /procfs at \/proc/ });
});
