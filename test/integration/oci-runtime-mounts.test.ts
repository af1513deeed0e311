/** What the mounts of a configuration may say, as the kernel shows it in the container. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { ociWorld, type OciWorld } from '../support/oci-bundle.js';

/** A folder with a mount of its own below it. */
function nested(t: Test, world: OciWorld, options: string): string {
  const folder = join(world.folder, 'nested');
  fs.mkdirSync(folder);
  const mount = (path: string): void => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tsdocker-test', path]);
    t.teardown(() => execFileSync('umount', ['-l', path]));
  };
  mount(folder);
  fs.mkdirSync(join(folder, 'below'));
  mount(join(folder, 'below'));
  return folder;
}

/** The options of each mount at or below /m, one set a line. */
async function shown(world: OciWorld, mount: object): Promise<readonly string[]> {
  world.configure((config) => {
    config.process['args'] = ['grep', ' /m', '/proc/self/mountinfo'];
    config.mounts = [...config.mounts.filter((each) => !isTest(each)), mount];
  });
  const { code, stdout, stderr } = await world.call('run', world.id);
  if (code !== 0) return [stderr];
  return stdout.trim().split('\n').map((line) => line.split(' ')[5] ?? '');
}

const isTest = (mount: unknown): boolean =>
  typeof mount === 'object' && mount !== null && 'destination' in mount &&
  mount.destination === '/m';

test('options are of the mount alone, or of all below it', async (t) => {
  const world = await ociWorld(t);
  const source = nested(t, world, 'nosuid');
  const rows: readonly (readonly [readonly string[], readonly [string, string]])[] = [
    [[], ['rw,nosuid,relatime', 'rw,nosuid,relatime']],
    [['ro', 'nodev', 'noatime'], ['ro,nosuid,nodev,noatime', 'rw,nosuid,relatime']],
    [['rro', 'rnoexec'], ['ro,nosuid,noexec,relatime', 'ro,nosuid,noexec,relatime']],
    [['rro', 'rw', 'suid'], ['rw,relatime', 'ro,nosuid,relatime']],
    [['rsuid', 'rstrictatime', 'rnodiratime'], ['rw,nodiratime', 'rw,nodiratime']],
    [['rnosymfollow', 'rnoatime', 'ratime'], [
      'rw,nosuid,relatime,nosymfollow', 'rw,nosuid,relatime,nosymfollow',
    ]],
  ];
  for (const [options, expected] of rows) {
    const mount = { destination: '/m', source, options: ['rbind', ...options] };
    t.same(await shown(world, mount), expected, options.join());
  }
});

test('a filesystem takes what the kernel knows, and an error names what it does not', async (t) => {
  const world = await ociWorld(t);
  const tmpfs = (...options: readonly string[]): object => ({
    destination: '/m', type: 'tmpfs', source: 'tmpfs', options,
  });
  t.same(await shown(world, tmpfs('noexec', 'strictatime', 'silent', 'sync')), ['rw,noexec']);
  t.match(await shown(world, tmpfs('colour=red')), [/mount \/m: /]);
});

test('a tmpfs may begin with what it covers', async (t) => {
  const world = await ociWorld(t);
  const folder = join(world.bundle, 'rootfs', 'm');
  fs.mkdirSync(join(folder, 'below'), { recursive: true, mode: 0o755 });
  fs.writeFileSync(join(folder, 'below', 'file'), 'x'.repeat(100_000));
  fs.chmodSync(join(folder, 'below', 'file'), 0o4751);
  fs.chownSync(join(folder, 'below', 'file'), 11, 12);
  fs.chmodSync(join(folder, 'below', 'file'), 0o4751);
  fs.utimesSync(join(folder, 'below', 'file'), 1000, 2000);
  fs.symlinkSync('/nowhere', join(folder, 'link'));
  fs.chmodSync(folder, 0o750);
  const shows = async (...options: readonly string[]): Promise<string> => {
    world.configure((config) => {
      config.process['args'] = ['sh', '-c', `
        /bin/busybox stat -c '%a %u %g %s %Y' /m/below/file; readlink /m/link
        /bin/busybox stat -c %a /m; (echo y > /m/new) 2>/dev/null && ls /m || echo closed`];
      config.mounts = [...config.mounts.filter((each) => !isTest(each)), {
        destination: '/m', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup', ...options],
      }];
    });
    const { stdout, stderr } = await world.call('run', world.id);
    return stdout + stderr;
  };
  const copied = '4751 11 12 100000 2000\n/nowhere\n';
  t.equal(await shows(), `${copied}750\nbelow\nlink\nnew\n`);
  t.equal(await shows('ro', 'mode=1777', 'noatime'), `${copied}1777\nclosed\n`);
  t.match(await shows('size=16k'), /mount \/m: tmpcopyup: no space left/);
  t.equal(fs.existsSync(join(folder, 'new')), false, 'what is covered stays as it was');
});

test('a mount may be changed by one that comes later, and be shared', async (t) => {
  const world = await ociWorld(t);
  world.configure((config) => {
    config.process['args'] = ['grep', ' /m ', '/proc/self/mountinfo'];
    config.mounts.push(
      { destination: '/m', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'rshared'] },
      { destination: '/m', type: 'tmpfs', source: 'tmpfs', options: ['remount', 'ro', 'suid'] },
    );
  });
  t.match((await world.call('run', world.id)).stdout, / \/m ro,relatime shared:\d+ - tmpfs/);
});

test('a filesystem that is mounted takes what a later mount tells it', async (t) => {
  const world = await ociWorld(t);
  const remounted = async (...options: readonly string[]): Promise<string> => {
    const tmpfs = { destination: '/n', type: 'tmpfs', source: 'tmpfs' };
    world.configure((config) => {
      config.process['args'] = ['grep', ' /n ', '/proc/self/mountinfo'];
      config.mounts = [
        ...config.mounts.filter((each) => !JSON.stringify(each).includes('"/n"')),
        { ...tmpfs, options: ['nosuid', 'size=32k', 'mode=700'] },
        { ...tmpfs, options: ['remount', ...options] },
      ];
    });
    const { stdout, stderr } = await world.call('run', world.id);
    return stdout + stderr;
  };
  const changed = await remounted('size=64k', 'noexec');
  t.match(changed, / \/n rw,nosuid,noexec,relatime - tmpfs tmpfs rw,size=64k,mode=700/);
  t.match(await remounted('luck=1'), /mount \/n: invalid argument/);
});
