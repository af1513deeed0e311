/** All six hooks: when, where, with what, and what becomes of a container when one fails. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { ociWorld, type OciWorld } from '../support/oci-bundle.js';

interface HookLine {
  readonly name: string;
  readonly state: Readonly<Record<string, unknown>>;
  readonly uts: string;
  readonly mount: string;
}

const outside = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'];

/** Each hook writes a line to a file, which is in the container too; the `slow` one never ends. */
async function hooked(t: Test, slow?: string): Promise<OciWorld> {
  const world = await ociWorld(t);
  const log = join(world.folder, 'log');
  fs.writeFileSync(log, '');
  fs.writeFileSync(join(world.bundle, 'rootfs', 'log'), '');
  const hook = (name: string, path: string): object => ({
    path: '/bin/sh',
    args: ['sh', '-c', `echo "${name}|$(cat)|$(readlink /proc/self/ns/uts)|` +
      `$(readlink /proc/self/ns/mnt)" >> ${path}; exec ${name === slow ? 'sleep 60' : 'true'}`],
    env: ['PATH=/bin:/usr/bin'],
    ...(name === slow ? { timeout: 1 } : {}),
  });
  fs.symlinkSync('busybox', join(world.bundle, 'rootfs', 'bin', 'true'));
  world.configure((config) => {
    config.process['args'] = ['sh', '-c', 'readlink /proc/self/ns/uts; echo ran'];
    config.mounts.push({ destination: '/log', source: log, options: ['bind'] });
    config.hooks = Object.fromEntries([
      ...outside.map((name) => [name, [hook(name, log)]]),
      ['startContainer', [hook('startContainer', '/log')]],
    ]);
  });
  return world;
}

function lines(world: OciWorld): readonly HookLine[] {
  const text = fs.readFileSync(join(world.folder, 'log'), 'utf8').trim();
  return text.split('\n').map((line) => {
    const [name = '', state = '{}', uts = '', mount = ''] = line.split('|');
    // Written by the runtime: the state document.
    return { name, state: JSON.parse(state) as HookLine['state'], uts, mount };
  });
}

test('six hooks run in order, each in its namespaces and with the state of its time', async (t) => {
  const world = await hooked(t);
  const { code, stdout } = await world.call('run', world.id);
  t.match({ code, stdout }, { code: 0, stdout: /ran\n$/ });
  const all = lines(world);
  t.same(all.map(({ name }) => name), [
    'prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop',
  ]);
  const own = fs.readlinkSync('/proc/self/ns/uts');
  const uts = stdout.split('\n')[0];
  for (const { name, state, ...namespaces } of all) {
    const isInside = name === 'createContainer' || name === 'startContainer';
    t.equal(namespaces.uts, isInside ? uts : own, `${name}: uts`);
    t.equal(namespaces.mount !== fs.readlinkSync('/proc/self/ns/mnt'), isInside, `${name}: mnt`);
    t.match(state, { id: world.id, bundle: world.bundle });
    const status = name === 'poststart' ? 'running' : name === 'poststop' ? 'stopped'
      : name === 'startContainer' ? 'created' : 'creating';
    t.equal(state['status'], status, `${name}: status`);
    t.equal(typeof state['pid'], name === 'poststop' ? 'undefined' : 'number');
  }
});

for (const name of ['prestart', 'createRuntime', 'createContainer', 'startContainer']) {
  test(`a ${name} hook that takes too long ends the container before its program`, async (t) => {
    const world = await hooked(t, name);
    const told = await world.call('run', world.id);
    t.equal(told.code, 1);
    t.match(told.stderr, new RegExp(`hook ${name}.*(SIGKILL|longer than its timeout)`));
    t.notMatch(told.stdout, /ran/);
    t.equal(lines(world).at(-1)?.name, 'poststop', 'what is to follow the end follows');
    t.same(world.containers(), []);
  });
}

test('a hook that fails, or is not there, is named', async (t) => {
  const world = await ociWorld(t);
  const told = async (point: string, path: string): Promise<string> => {
    world.configure((config) => (config.hooks = { [point]: [{ path: '/bin/true' }, { path }] }));
    const { code, stderr } = await world.call('run', world.id);
    return code === 1 ? stderr.trim() : `exit ${code}`;
  };
  fs.symlinkSync('busybox', join(world.bundle, 'rootfs', 'bin', 'true'));
  fs.symlinkSync('busybox', join(world.bundle, 'rootfs', 'bin', 'false'));
  t.equal(
    await told('createContainer', '/bin/false'), 'hook createContainer[1] /bin/false: it failed',
  );
  t.equal(
    await told('createContainer', '/nowhere'),
    'hook createContainer[1] /nowhere: no such file or directory',
  );
  t.match(await told('startContainer', '/bin/false'), /^hook startContainer.*: it failed$/);
  t.match(await told('startContainer', '/nowhere'), /^hook startContainer.*: it failed$/);
  t.same(world.containers(), []);
});

test('a startContainer hook that fails a start of its own leaves a stopped container', async (t) => {
  const world = await ociWorld(t);
  fs.symlinkSync('busybox', join(world.bundle, 'rootfs', 'bin', 'false'));
  world.configure((config) => (config.hooks = { startContainer: [{ path: '/bin/false' }] }));
  const out = fs.openSync(join(world.folder, 'out'), 'a');
  const created = world.start(['create', world.id], out);
  created.stdin?.end();
  fs.closeSync(out);
  await new Promise((resolve) => created.once('close', resolve));
  t.match(await world.state(), { status: 'created' });
  const { stderr } = await world.call('start', world.id);
  t.equal(stderr, 'hook startContainer: it failed\n');
  t.match(await world.state(), { status: 'stopped' });
});

test('a root that is moved, for who cannot pivot, is the container\'s all the same', async (t) => {
  const world = await ociWorld(t);
  world.configure((config) => (config.process['args'] = ['sh', '-c', 'ls /; ls /proc/1/root/bin']));
  const { code, stdout } = await world.call('run', '--no-pivot', world.id);
  t.equal(code, 0);
  t.match(stdout, /^bin\ndev\nproc\nsys\n[\s\S]*busybox/);
});
