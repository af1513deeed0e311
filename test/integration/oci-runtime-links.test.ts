/** Links of the runtime's network namespace that become the container's. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test, type Test } from 'tap';
import { ociWorld, type OciWorld } from '../support/oci-bundle.js';

const ip = (...args: readonly string[]): string =>
  execFileSync('ip', args, { encoding: 'utf8' });

let links = 0;

/** One end of a pair in this namespace, with addresses; gone when the test ends. */
function makeLink(t: Test): string {
  const name = `tsl${process.pid % 100_000}x${links++}`;
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`);
  t.teardown(() => forget(`${name}p`));
  ip('link', 'set', name, 'mtu', '1400', 'address', '02:00:5e:00:53:01', 'up');
  for (const address of ['10.77.1.2/24', '2001:db8:77::2/64']) {
    ip('address', 'add', address, 'dev', name);
  }
  return name;
}

/** The kernel may be taking it away itself: its other end's namespace goes whenever it likes. */
function forget(link: string): void {
  const { status, stderr } = spawnSync('ip', ['link', 'delete', link], { encoding: 'utf8' });
  if (status !== 0 && !stderr.includes('Cannot find device')) throw new Error(stderr);
}

const has = (name: string): boolean => new RegExp(`^${name}[@ ]`, 'm').test(ip('-brief', 'link'));

/** A world whose program tells what it sees of a link. */
async function worldWith(t: Test, devices: object, shown: string): Promise<OciWorld> {
  const world = await ociWorld(t);
  world.configure((config) => {
    config.process['args'] = ['sh', '-c', `busybox ip address show dev ${shown}`];
    config.linux['netDevices'] = devices;
  });
  return world;
}

test('a link goes in under another name, with its addresses, and is up', async (t) => {
  const name = makeLink(t);
  const world = await worldWith(t, { [name]: { name: 'eth7' } }, 'eth7');
  const { code, stdout, stderr } = await world.call('run', world.id);
  t.equal(code, 0, stderr);
  t.match(stdout, /eth7[^ ]*: <[^>]*\bUP\b[^>]*> mtu 1400/);
  t.match(stdout, '02:00:5e:00:53:01');
  t.match(stdout, 'inet 10.77.1.2/24');
  t.match(stdout, 'inet6 2001:db8:77::2/64');
  t.equal(has(name), false, 'it is here no more');
});

test('it goes into a namespace by path, and keeps its name', async (t) => {
  const name = makeLink(t);
  const child = spawn('unshare', ['--net', 'sh', '-c', 'echo up; exec sleep 100']);
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const world = await worldWith(t, { [name]: {} }, name);
  world.configure(({ linux }) => {
    const others = (linux['namespaces'] as { type: string }[])
      .filter(({ type }) => type !== 'network');
    linux['namespaces'] = [...others, { type: 'network', path: `/proc/${child.pid ?? 0}/ns/net` }];
  });
  const { code, stdout, stderr } = await world.call('run', world.id);
  t.equal(code, 0, stderr);
  t.match(stdout, 'inet 10.77.1.2/24');
});

test('what cannot be moved is an error by its path, and stays', async (t) => {
  const name = makeLink(t);
  const refused = async (devices: object, words: RegExp): Promise<void> => {
    const world = await worldWith(t, devices, 'lo');
    const { code, stderr } = await world.call('run', world.id);
    t.not(code, 0);
    t.match(stderr, words);
    t.ok(has(name), 'the link is where it was');
    t.not((await world.call('state', world.id)).code, 0, 'there is no container');
  };
  await refused({ tsnone: {} }, /\$\.linux\.netDevices\.tsnone: .*ENODEV/);
  await refused({ [name]: { name: 'lo' } }, /\$\.linux\.netDevices\.\w+: .*EEXIST/);
});
