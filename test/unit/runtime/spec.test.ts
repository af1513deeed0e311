import { test } from 'tap';
import { LaunchError } from '../../../native/launch/encode.js';
import { parseMountOptions } from '../../../daemon/runtime/compile/mount-options.js';
import { launchFailure } from '../../../daemon/runtime/launch-error.js';
import {
  capabilitiesOf, capabilityMask, containerCapabilities, defaultCapabilities,
} from '../../../daemon/runtime/spec/capabilities.js';
import { deviceAccess, parseDeviceRule } from '../../../daemon/runtime/spec/devices.js';
import { environment } from '../../../daemon/runtime/spec/environment.js';
import { cpuLimits, memoryLimits, pidsLimit } from '../../../daemon/runtime/spec/resources.js';
import { rlimits } from '../../../daemon/runtime/spec/rlimits.js';
import type { SecurityDefaults } from '../../../daemon/runtime/spec.js';
import { parseSecurityOptions } from '../../../daemon/runtime/spec/security-options.js';
import { sysctlPath, sysctls } from '../../../daemon/runtime/spec/sysctls.js';
import { resolveUser } from '../../../daemon/runtime/spec/user.js';
import { configOf, hostFacts } from './builders.js';

const held = hostFacts.capabilities;

test('the default capabilities are a80425fb', (t) => {
  t.equal(capabilityMask(defaultCapabilities), 0xa80425fbn);
  t.same([...capabilitiesOf(0x21n)], ['CAP_CHOWN', 'CAP_KILL']);
  t.end();
});

test('capabilities: ALL, names in any form, and what the daemon lacks', (t) => {
  const mask = (add: string[], drop: string[], privileged = false, have = held): bigint =>
    capabilityMask(containerCapabilities({ privileged, add, drop }, have));
  t.equal(mask([], []), 0xa80425fbn);
  t.equal(mask(['ALL'], ['sys_admin']), (1n << 41n) - 1n - (1n << 21n));
  t.equal(mask([], [], true), (1n << 41n) - 1n);
  t.equal(mask(['NET_ADMIN', 'cap_net_admin'], ['all']), 1n << 12n);
  const poor = new Set([...held].filter((name) => name !== 'CAP_MKNOD'));
  t.equal(mask([], [], false, poor), 0xa00425fbn);
  t.throws(() => mask(['MKNOD'], [], false, poor), {
    message: /not available in the current environment/,
  });
  t.throws(() => mask(['NONSENSE'], []), {
    message: 'invalid CapAdd: unknown capability: "CAP_NONSENSE"',
  });
  t.end();
});

test('security options, new and old', (t) => {
  const parsed = (...options: string[]) => parseSecurityOptions(options, false);
  t.match(parsed(), { noNewPrivileges: false, seccomp: 'default' });
  t.equal(parsed('no-new-privileges').noNewPrivileges, true);
  t.equal(parseSecurityOptions([], true).noNewPrivileges, true);
  t.equal(parseSecurityOptions(['no-new-privileges:false'], true).noNewPrivileges, false);
  t.equal(parsed('seccomp:unconfined').seccomp, 'unconfined');
  t.equal(parsed('seccomp=builtin').seccomp, 'builtin');
  t.equal(parsed('apparmor=mine', 'label=disable').apparmor, 'mine');
  t.equal(parsed('systempaths=unconfined').systemPathsUnconfined, true);
  t.throws(() => parsed('nonsense'), { message: 'invalid --security-opt 1: "nonsense"' });
  t.throws(() => parsed('a=b'), { message: 'invalid --security-opt 2: "a=b"' });
  t.throws(() => parsed('no-new-privileges=maybe'), { message: /invalid --security-opt 2/ });
  t.end();
});

test('whose seccomp filter holds: the container\'s word, else the daemon\'s', (t) => {
  const profile = { defaultAction: 'SCMP_ACT_ERRNO' as const, syscalls: [] };
  const of = (seccomp: SecurityDefaults['seccomp'], SecurityOpt: string[], Privileged = false) =>
    configOf({ security: { seccomp }, host: { SecurityOpt, Privileged } }).linux.seccomp;
  t.same(of(profile, [])?.syscalls, []);
  t.not(of(profile, ['seccomp=builtin'])?.syscalls?.length ?? 0, 0);
  t.equal(of(profile, ['seccomp=unconfined']), undefined);
  t.equal(of(profile, [], true), undefined);
  t.same(of('builtin', [`seccomp=${JSON.stringify(profile)}`], true)?.syscalls, []);
  t.equal(of('unconfined', []), undefined);
  t.end();
});

const files = {
  passwd: 'root:x:0:0::/root:\n1000:x:0:0::/evil:\nbob:x:1000:100::/home/bob:\n' +
    'bad:x:99999999999:0::/:\n',
  group: 'root:x:0:\nwheel:x:10:bob,root\n4:x:0:bob\nusers:x:100:\n',
};
const user = (name: string, groupAdd: readonly string[] = []): unknown =>
  resolveUser({ user: name, groupAdd }, files);

test('an AppArmor profile is passed over where the kernel confines nothing', (t) => {
  const host = { SecurityOpt: ['apparmor=mine'] };
  t.equal(configOf({ host, facts: { apparmor: false } }).process.apparmorProfile, undefined);
  t.equal(configOf({ host, facts: { apparmor: true } }).process.apparmorProfile, 'mine');
  t.end();
});

test('a number is an id, never the name of an account', (t) => {
  t.match(user('1000'), { uid: 1000, gid: 100, home: '/home/bob' });
  t.match(user('1000:4'), { uid: 1000, gid: 4 });
  t.match(user('5:6'), { uid: 5, gid: 6, groups: [6], home: '/' });
  t.end();
});

test('the primary group is always among the groups', (t) => {
  t.same(user('bob'), { uid: 1000, gid: 100, groups: [100, 10, 0], home: '/home/bob' });
  t.match(user(''), { uid: 0, gid: 0, groups: [0, 10] });
  t.match(user('bob:wheel', ['users', '10']), { gid: 10, groups: [10, 100] });
  t.end();
});

test('ids out of range and unknown names are refused', (t) => {
  const range = { message: 'uids and gids must be in range 0-2147483647' };
  for (const name of ['-1', '2147483648', '4294967296', '0:-1', 'bad']) t.throws(
    () => user(name), range, name,
  );
  t.throws(
    () => user('alice'),
    { message: 'unable to find user alice: no matching entries in passwd file' },
  );
  t.throws(() => user('99999999999999999999'), { message: /unable to find user/ });
  t.throws(() => user('bob', ['nogroup']), { message: /Unable to find group nogroup/ });
  const many = { passwd: '\n'.repeat(70_000), group: '' };
  t.throws(
    () => resolveUser({ user: '', groupAdd: [] }, many), { message: /more than 65536 lines/ },
  );
  t.end();
});

test('the environment: defaults, overlaid, and taken away', (t) => {
  const env = (list: string[], tty = false): string[] =>
    environment({ env: list, hostname: 'h', tty, home: '/root' });
  t.same(env([]), [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOSTNAME=h', 'HOME=/root',
  ]);
  t.same(
    env(['PATH=/x', 'A=b=c', 'HOSTNAME'], true), ['PATH=/x', 'TERM=xterm', 'A=b=c', 'HOME=/root'],
  );
  t.same(env(['HOME=/elsewhere']).at(-1), 'HOME=/elsewhere');
  t.end();
});

test('memory and cpu from the units of the API', (t) => {
  t.same(memoryLimits({ Memory: 100 }), { limit: 100, swap: 200 });
  t.same(memoryLimits({ Memory: 100, MemorySwap: -1 }), { limit: 100, swap: -1 });
  t.equal(memoryLimits({ Memory: 0, MemorySwappiness: -1 }), undefined);
  t.same(cpuLimits({ NanoCpus: 1_500_000_000 }), { period: 100_000, quota: 150_000 });
  t.same(cpuLimits({ CpuPeriod: 5000, CpuQuota: -1 }), { period: 5000, quota: -1 });
  t.same(pidsLimit({ PidsLimit: 0 }), { limit: -1 });
  t.equal(pidsLimit({}), undefined);
  for (const CpusetCpus of ['0-4294967295', '3-1', 'a', '1,,2', '0-99999999999']) {
    t.throws(() => cpuLimits({ CpusetCpus }), { message: /for cpuset cpus/ }, CpusetCpus);
  }
  t.end();
});

test('ulimits: the container\'s own beat the daemon\'s', (t) => {
  const own = [{ Name: 'nofile', Soft: 1, Hard: 2 }];
  const defaults = [{ Name: 'nofile', Soft: 5, Hard: 5 }, { Name: 'core', Soft: 0, Hard: -1 }];
  t.same(rlimits(own, defaults), [
    { type: 'RLIMIT_NOFILE', soft: 1, hard: 2 }, { type: 'RLIMIT_CORE', soft: 0, hard: -1 },
  ]);
  t.throws(() => rlimits([{ Name: 'nonsense' }], []), { message: 'invalid ulimit type: nonsense' });
  t.throws(
    () => rlimits([{ Name: 'core', Soft: -1, Hard: 5 }], []),
    { message: /soft limit must be less/ },
  );
  t.end();
});

test('kernel parameters: only of namespaces that are the container\'s own', (t) => {
  const own = { ipc: true, network: true, uts: true };
  t.same(sysctls({ 'net.core.somaxconn': '9' }, own), {
    'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647',
    'net.core.somaxconn': '9',
  });
  const refused = (name: string, value = '1', spaces = own): void => {
    t.throws(() => sysctls({ [name]: value }, spaces), { message: /sysctl/ }, name);
  };
  refused('kernel.core_pattern');
  refused('vm.overcommit_memory');
  refused('kernel.shm_rmid_forced=1+kernel.core_pattern');
  refused('net.core.somaxconn', '1\nx');
  refused('net.../kernel/core_pattern');
  refused('net/ipv4/../../kernel/core_pattern');
  refused('net.core.somaxconn', '1', { ...own, network: false });
  refused('kernel.msgmax', '1', { ...own, ipc: false });
  t.equal(sysctlPath('net.ipv4.conf.eth0/1.forwarding'), 'net/ipv4/conf/eth0.1/forwarding');
  t.equal(sysctlPath('net/ipv4/conf/eth0.1/forwarding'), 'net/ipv4/conf/eth0.1/forwarding');
  t.end();
});

test('device rules and permissions', (t) => {
  t.same(parseDeviceRule('c 13:* rwm'), { allow: true, type: 'c', major: 13, access: 'rwm' });
  t.throws(() => parseDeviceRule('x 1:1 r'), { message: /invalid device cgroup rule format/ });
  t.equal(deviceAccess(''), 'rwm');
  t.throws(() => deviceAccess('rx'), { message: /invalid device access/ });
  t.end();
});

test('masked paths: the golden list, replaced or dropped', (t) => {
  t.same(configOf().linux.maskedPaths, [
    '/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys',
    '/proc/latency_stats', '/proc/sched_debug', '/proc/scsi', '/proc/timer_list',
    '/proc/timer_stats', '/sys/devices/virtual/powercap', '/sys/firmware',
  ]);
  t.same(configOf().linux.readonlyPaths, [
    '/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger',
  ]);
  t.same(configOf({ host: { MaskedPaths: [] } }).linux.maskedPaths, []);
  t.same(configOf({ host: { Privileged: true } }).linux.maskedPaths, []);
  t.same(configOf({ host: { SecurityOpt: ['systempaths=unconfined'] } }).linux.readonlyPaths, []);
  t.same(configOf({ facts: { thermalThrottle: ['/sys/x'] } }).linux.maskedPaths.at(-1), '/sys/x');
  t.end();
});

test('mounts: the user\'s take the place of ours, the deeper come later', (t) => {
  const at = (destination: string) => ({ type: 'tmpfs', destination, options: [] }) as const;
  const destinations = (...paths: string[]): string[] =>
    configOf({ mounts: paths.map(at) }).mounts.map((mount) => mount.destination);
  t.same(destinations(), [
    '/proc', '/dev', '/dev/pts', '/sys', '/sys/fs/cgroup', '/dev/mqueue', '/dev/shm',
    '/etc/resolv.conf', '/etc/hostname', '/etc/hosts',
  ]);
  t.notOk(destinations('/dev').includes('/dev/pts'));
  t.equal(destinations('/etc/hosts').filter((path) => path === '/etc/hosts').length, 1);
  const list = destinations('/a/b/c', '/a', '/a/b');
  t.ok(list.indexOf('/a') < list.indexOf('/a/b') && list.indexOf('/a/b') < list.indexOf('/a/b/c'));
  t.notOk(configOf({ host: { IpcMode: 'none' } }).mounts.some((m) => m.destination === '/dev/shm'));
  t.end();
});

test('tmpfs options: safe unless told otherwise, the last word holds', (t) => {
  const options = (...given: string[]): readonly string[] | undefined =>
    configOf({ mounts: [{ type: 'tmpfs', destination: '/t', options: given }] })
      .mounts.find((mount) => mount.destination === '/t')?.options;
  t.same(options(), ['nosuid', 'noexec', 'nodev']);
  t.same(options('exec', 'size=1m'), ['nosuid', 'nodev', 'exec', 'size=1m']);
  t.same(options('exec', 'noexec'), ['nosuid', 'nodev', 'noexec']);
  t.end();
});

test('mount options are sorted by who takes them', (t) => {
  t.match(parseMountOptions(['ro', 'nosuid', 'rbind', 'rslave', 'size=1', 'rro']), {
    own: { set: 3 }, below: { set: 1 }, recursive: true, propagation: {
      type: 1 << 19, recursive: true,
    }, data: ['size=1'],
  });
  t.match(parseMountOptions(['ro', 'rw']).own, { set: 0, clear: 1 });
  t.match(parseMountOptions(['noatime', 'ratime']), {
    own: { set: 0x10, clear: 0x70 }, below: { set: 0, clear: 0x70 },
  });
  t.end();
});

test('a failed execve is told in the words that clients match', (t) => {
  const told = (about: string, code: string, op: 'execve' | 'chdir' = 'execve'): string => {
    const step = op === 'execve'
      ? ({
        op, paths: [], argv: [], env: [], about,
      } as const) : ({ op, path: '/', about } as const);
    return (launchFailure(new LaunchError('init', code, about, step)) as Error).message;
  };
  t.match(told('x', 'ENOENT'), /exec: "x": executable file not found in \$PATH: unknown$/);
  t.match(told('/x', 'ENOENT'), /exec: "\/x": stat \/x: no such file or directory: unknown$/);
  t.match(told('x', 'EACCES'), /exec: "x": permission denied: unknown$/);
  t.match(
    told('mount /d', 'ENOTDIR', 'chdir'), /mount \/d: not a directory: unknown: Are you trying/,
  );
  const other = new Error('other');
  t.equal(launchFailure(other), other);
  t.end();
});
