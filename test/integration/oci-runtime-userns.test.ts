/** Containers of the OCI runtime in user namespaces, and with clocks of their own. */
import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { readHostFacts } from '../../daemon/runtime/host-facts.js';
import { ended, giveTree, ociWorld, type Config, type OciWorld } from '../support/oci-bundle.js';

const FIRST = 200_000;
const maps = [{ containerID: 0, hostID: FIRST, size: 65_536 }];

/** The bundle's files are the namespace's root's, and its configuration asks for one. */
async function usernsWorld(t: Test, script: string): Promise<OciWorld> {
  const world = await ociWorld(t);
  giveTree(join(world.bundle, 'rootfs'), FIRST);
  world.configure((config) => {
    inUserns(config);
    config.process['args'] = ['sh', '-c', script];
  });
  return world;
}

function inUserns({ linux }: Config): void {
  // As `spec` writes it.
  linux['namespaces'] = [...(linux['namespaces'] as object[]), { type: 'user' }];
  linux['uidMappings'] = maps;
  linux['gidMappings'] = maps;
}

test('root in a user namespace is somebody else outside, and owns its other namespaces', async (t) => {
  const world = await usernsWorld(t, `
    id -u; cat /proc/self/uid_map; cat /proc/sys/kernel/hostname
    ls -ln /proc/self/ | grep -c ' 0 '; echo $$; echo x > /file; ls -ln /file | grep -o ' 0 *0 '
    ls /sys/class/net; grep -c . /proc/mounts; echo end`);
  world.configure((config) => {
    (config['root'] as Record<string, unknown>)['readonly'] = false;
  });
  const told = await world.call('run', world.id);
  t.match(told, { code: 0, stderr: '' });
  t.match(told.stdout, /^0\n +0 +200000 +65536\ntsdocker\n\d+\n1\n 0 +0 \nlo\n\d+\nend\n$/);
  t.equal(fs.statSync(join(world.bundle, 'rootfs', 'file')).uid, FIRST);
});

test('devices, masks and limits are there, and a user may open its output again', async (t) => {
  const world = await usernsWorld(t, `
    echo x > /dev/null && head -c 3 /dev/zero | wc -c; ls -ln /dev/null | grep -c ' 0 *0 '
    echo again > /dev/stdout; cat /proc/version | wc -c; id -G; grep nice /proc/self/limits
    ls -d /dev/tsd; grep -c . /proc/sys/kernel/msgmax`);
  world.configure((config) => {
    config.process['user'] = { uid: 1000, gid: 1001, additionalGids: [7] };
    config.process['rlimits'] = [{ type: 'RLIMIT_NICE', soft: 19, hard: 39 }];
    config.linux['maskedPaths'] = ['/proc/version'];
    config.linux['devices'] = [{ path: '/dev/tsd', type: 'c', major: 1, minor: 5, uid: 1000 }];
    config.linux['sysctl'] = { 'kernel.msgmax': '4242' };
  });
  for (const applet of ['head', 'wc']) {
    fs.symlinkSync('busybox', join(world.bundle, 'rootfs', 'bin', applet));
  }
  // A pipe, which can be opened again, as Node's own cannot.
  const child = spawn('sh', ['-c', '"$@" | cat', 'sh', ...world.command, 'run', world.id], {
    cwd: world.bundle, stdio: ['ignore', 'pipe', 'pipe'],
  });
  const mayRaise = readHostFacts().capabilities.has('CAP_SYS_RESOURCE');
  const { stdout, stderr } = await ended(child);
  t.match(stdout, /^3\n1\nagain\n0\n1001 7\n.*\n\/dev\/tsd\n1\n$/);
  t.match(stdout, mayRaise ? /nice.* 19 +39 / : /nice.* 0 +0 /);
  t.equal(stderr, '');
});

/** Starts one that lives until it is killed. */
async function detached(world: OciWorld): Promise<number> {
  world.configure((config) => (config.process['args'] = ['sleep', '60']));
  const out = fs.openSync(join(world.folder, 'out'), 'a');
  const child = world.start(['run', '--detach', world.id], out);
  child.stdin?.end();
  fs.closeSync(out);
  await ended(child);
  return Number((await world.state())['pid']);
}

test('an exec is in all of its namespaces, and as somebody that these know', async (t) => {
  const world = await usernsWorld(t, '');
  const pid = await detached(world);
  t.match(fs.readFileSync(`/proc/${pid}/uid_map`, 'utf8'), /^ +0 +200000 +65536\n$/);
  const names = ['user', 'mnt', 'pid', 'net', 'ipc', 'uts'];
  const links = names.map((name) => fs.readlinkSync(`/proc/${pid}/ns/${name}`));
  const list = names.map((name) => `/proc/self/ns/${name}`).join(' ');
  const told = await world.call(
    'exec', world.id, 'sh', '-c', `for i in ${list}; do readlink $i; done; id -u; echo > /dev/null`,
  );
  t.match(told, { code: 0, stderr: '', stdout: `${links.join('\n')}\n0\n` });
  const other = await world.call('exec', '--user', '12:13', world.id, 'sh', '-c', 'id -u; id -g');
  t.match(other, { code: 0, stdout: '12\n13\n' });
});

test('namespaces by path are joined in the right order', async (t) => {
  const world = await usernsWorld(t, '');
  const pid = await detached(world);
  const second = await usernsWorld(t, 'readlink /proc/self/ns/user; ls -d /proc/1; id -u');
  second.configure(({ linux }) => {
    const at = (type: string, file = type): object => ({ type, path: `/proc/${pid}/ns/${file}` });
    linux['namespaces'] = [
      { type: 'mount' }, at('network', 'net'), at('ipc'), at('user'), at('pid'), { type: 'uts' },
    ];
    linux['uidMappings'] = linux['gidMappings'] = [];
  });
  t.match(await second.call('run', second.id), {
    code: 0, stderr: '', stdout: `${fs.readlinkSync(`/proc/${pid}/ns/user`)}\n/proc/1\n0\n`,
  });
});

test('with the host\'s network the filesystems of that are the host\'s', async (t) => {
  const world = await usernsWorld(t, 'ls /sys/class/net; id -u');
  world.configure(({ linux }) => {
    // As `usernsWorld` has made it.
    const namespaces = linux['namespaces'] as readonly { readonly type: string }[];
    linux['namespaces'] = namespaces.filter(({ type }) => type !== 'network');
  });
  const links = fs.readdirSync('/sys/class/net').join('\n');
  t.match(await world.call('run', world.id), { code: 0, stdout: `${links}\n0\n` });
});

test('what the host has mounted read-only stays so, even for who may mount', async (t) => {
  const world = await usernsWorld(t, `
    mount -o remount,bind,rw /there 2>/dev/null; echo x > /there/file || echo safe
    mount -t tmpfs t /tmp && echo t`);
  const there = join(world.folder, 'there');
  fs.mkdirSync(there, { mode: 0o777 });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro,nosuid,nodev', 'tsdocker-test', there]);
  t.teardown(() => execFileSync('umount', ['-l', there]));
  fs.symlinkSync('busybox', join(world.bundle, 'rootfs', 'bin', 'mount'));
  fs.mkdirSync(join(world.bundle, 'rootfs', 'tmp'));
  const capabilities = ['CAP_SYS_ADMIN'];
  world.configure((config) => {
    config.process['capabilities'] = {
      bounding: capabilities, effective: capabilities, permitted: capabilities,
    };
    config.mounts.push({ destination: '/there', source: there, options: ['rbind'] });
  });
  t.match(await world.call('run', world.id), { code: 0, stdout: 'safe\nt\n' });
});

test('a mapped mount shows whose files are as the map says, both ways', async (t) => {
  const world = await usernsWorld(t, `
    ls -ln /mapped | grep -o ' 0 *0 .*one'
    echo x > /mapped/two; ls -ln /mapped/two | grep -c ' 0 *0 '
    ls -ln /other | grep -o ' 5 *6 .*one'; ls -ln /plain | grep -o ' 65534 .*one'`);
  const folder = join(world.folder, 'data');
  fs.mkdirSync(folder);
  fs.writeFileSync(join(folder, 'one'), '');
  world.configure(({ mounts }) => {
    const mount = (destination: string, ...options: readonly string[]): object => ({
      destination, source: folder, options: ['bind', ...options],
    });
    const map = (id: number): object[] => [{ containerID: 0, hostID: FIRST + id, size: 1 }];
    mounts.push(
      mount('/mapped', 'idmap'), mount('/plain'),
      { ...mount('/other'), uidMappings: map(5), gidMappings: map(6) },
    );
  });
  const told = await world.call('run', world.id);
  if (/id map of .*EINVAL/.test(told.stderr)) {
    t.pass('', { skip: 'this file system cannot be mapped' });
    return;
  }
  t.match(told, { code: 0, stderr: '' });
  t.match(told.stdout, /^ 0 +0 .*one\n1\n 5 +6 .*one\n 65534 .*one\n$/);
  t.equal(fs.statSync(join(folder, 'two')).uid, 0, 'and root\'s are root\'s on the disk');
});

test('a time namespace has its offsets, in execs too', async (t) => {
  const hour = 3600;
  for (const userns of [false, true]) {
    const world = userns ? await usernsWorld(t, '') : await ociWorld(t);
    world.configure(({ linux }) => {
      linux['namespaces'] = [...(linux['namespaces'] as object[]), { type: 'time' }];
      linux['timeOffsets'] = { boottime: { secs: 1000 * hour }, monotonic: { secs: hour } };
    });
    const pid = await detached(world);
    t.match(
      fs.readFileSync(`/proc/${pid}/timens_offsets`, 'utf8'),
      /^monotonic +3600 +0\nboottime +3600000 +0\n$/,
    );
    const before = Number(fs.readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    const { stdout } = await world.call('exec', world.id, 'cat', '/proc/uptime');
    t.ok(Number(stdout.split(' ')[0]) >= before + 1000 * hour, stdout);
  }
});

test('maps and offsets that have no namespace, or lack something, are refused', async (t) => {
  const world = await ociWorld(t);
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ uidMappings: maps }, /\$\.linux\.uidMappings: needs a new user namespace/],
    [{ timeOffsets: { monotonic: { secs: 1 } } }, /\$\.linux\.timeOffsets\.monotonic: needs/],
    [
      { namespaces: [{ type: 'mount' }, { type: 'user' }], gidMappings: maps },
      /\$\.linux\.uidMappings: is missing/,
    ],
    [
      {
        namespaces: [{ type: 'mount' }, { type: 'user' }], gidMappings: maps,
        uidMappings: [{ containerID: 1, hostID: 1, size: 5 }],
      },
      /\$\.linux\.uidMappings: must have the id 0/,
    ],
    [{ uidMappings: [{ containerID: 0, hostID: 1, size: 0 }] }, /uidMappings\[0\]\.size: must be/],
  ];
  for (const [linux, stderr] of wrong) {
    const before = fs.readFileSync(join(world.bundle, 'config.json'));
    world.configure((config) => {
      delete config['hostname'];
      config.linux = { ...config.linux, ...linux };
    });
    t.match(await world.call('create', world.id), { code: 1, stderr });
    fs.writeFileSync(join(world.bundle, 'config.json'), before);
  }
});
