import { test } from 'tap';
import { deviceProgram } from '../../../daemon/runtime/cgroup/device-program.js';
import { readCgroupLayout } from '../../../daemon/runtime/cgroup/layout.js';
import { v1DeviceWrites, v1Writes } from '../../../daemon/runtime/cgroup/v1-limits.js';
import { v2Writes, weightOf } from '../../../daemon/runtime/cgroup/v2-limits.js';
import type { OciResources } from '../../../daemon/runtime/oci.js';
import { allDevices, defaultDeviceRules } from '../../../daemon/runtime/spec/devices.js';
import { runDeviceProgram } from './bpf-machine.js';

const lines = (writes: readonly { file: string; value: string }[]): string[] =>
  writes.map(({ file, value }) => `${file}=${value}`);

const resources = (rest: Partial<OciResources>): OciResources => ({ devices: [], ...rest });

test('memory and swap: together in version 1, apart in version 2', (t) => {
  const limited = resources({ memory: { limit: 100, swap: 300, reservation: 50 } });
  t.same(lines(v1Writes(limited)), [
    'memory.limit_in_bytes=100', 'memory.memsw.limit_in_bytes=300',
    'memory.soft_limit_in_bytes=50',
  ]);
  t.same(lines(v2Writes(limited)), ['memory.max=100', 'memory.low=50', 'memory.swap.max=200']);
  const unlimited = resources({ memory: { limit: 100, swap: -1 } });
  t.match(lines(v2Writes(unlimited)), ['memory.max=100', 'memory.swap.max=max']);
  t.end();
});

test('cpu time, cpu sets and pids', (t) => {
  const limited = resources({
    cpu: {
      shares: 1024, quota: 50_000, period: 100_000, cpus: '0-1', mems: '0',
    }, pids: { limit: -1 },
  });
  t.same(lines(v1Writes(limited)), [
    'cpu.shares=1024', 'cpu.cfs_period_us=100000', 'cpu.cfs_quota_us=50000', 'cpuset.cpus=0-1',
    'cpuset.mems=0', 'pids.max=max',
  ]);
  t.same(lines(v2Writes(limited)), [
    'cpu.weight=100', 'cpu.max=50000 100000', 'cpuset.cpus=0-1', 'cpuset.mems=0', 'pids.max=max',
  ]);
  t.end();
});

test('shares become weights along one curve', (t) => {
  t.same([0, 2, 1024, 262_144, 1_000_000].map(weightOf), [1, 1, 100, 10_000, 10_000]);
  t.ok(weightOf(512) < weightOf(1024) && weightOf(1024) < weightOf(2048));
  t.end();
});

test('block devices are throttled by their numbers', (t) => {
  const limited = resources({
    blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1024 }], weight: 500 },
  });
  t.same(lines(v1Writes(limited)), ['blkio.weight=500', 'blkio.throttle.read_bps_device=8:0 1024']);
  t.same(lines(v2Writes(limited)), ['io.bfq.weight=500', 'io.max=8:0 rbps=1024']);
  t.end();
});

test('device rules as version 1 writes them', (t) => {
  const writes = lines(v1DeviceWrites(defaultDeviceRules));
  t.equal(writes[0], 'devices.deny=a');
  t.ok(writes.includes('devices.allow=c 1:3 rwm'));
  t.ok(writes.includes('devices.allow=c 136:* rwm'));
  t.notOk(writes.some((line) => line.startsWith('devices.allow=b')), 'no block device may be made');
  t.same(lines(v1DeviceWrites(allDevices)), ['devices.allow=a']);
  t.end();
});

test('device rules as a program of version 2', (t) => {
  const program = deviceProgram(defaultDeviceRules);
  const may = (type: 'b' | 'c', access: string, major: number, minor: number): boolean =>
    runDeviceProgram(program, { type, access, major, minor });
  t.ok(may('c', 'rw', 1, 3), '/dev/null');
  t.ok(may('c', 'rwm', 136, 7), 'a pty');
  t.ok(may('c', 'm', 10, 229), 'mknod of a node that cannot be opened');
  t.notOk(may('c', 'r', 10, 229), '/dev/fuse');
  t.notOk(may('c', 'rm', 10, 229), 'more than is allowed');
  t.notOk(may('b', 'm', 8, 0), 'mknod of a disk');
  t.notOk(may('b', 'r', 8, 0), 'a disk');
  t.notOk(may('c', 'r', 1, 1), '/dev/mem');
  t.end();
});

test('a later rule beats an earlier one, and everything is everything', (t) => {
  const denied = deviceProgram([
    ...allDevices, { allow: false, type: 'c', major: 10, minor: 229, access: 'w' },
  ]);
  t.notOk(runDeviceProgram(denied, { type: 'c', access: 'rw', major: 10, minor: 229 }));
  t.ok(runDeviceProgram(denied, { type: 'c', access: 'r', major: 10, minor: 229 }));
  t.ok(
    runDeviceProgram(deviceProgram(allDevices), { type: 'b', access: 'rwm', major: 8, minor: 1 }),
  );
  t.end();
});

test('how cgroups are mounted is read from mountinfo', (t) => {
  const line = (mount: string, type: string, options: string): string =>
    `30 20 0:26 / ${mount} rw,relatime - ${type} ${type} ${options}`;
  t.same(readCgroupLayout(line('/sys/fs/cgroup', 'cgroup2', 'rw,nsdelegate')), {
    version: 2, mount: '/sys/fs/cgroup',
  });
  const hybrid = [
    line('/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct'),
    line('/sys/fs/cgroup/systemd', 'cgroup', 'rw,xattr,name=systemd'),
    line('/sys/fs/cgroup/unified', 'cgroup2', 'rw'),
    line('/mnt/my\\040own', 'cgroup', 'rw,cpu,cpuacct'),
  ].join('\n');
  t.same(readCgroupLayout(hybrid), {
    version: 1,
    hierarchies: [
      { controllers: ['cpu', 'cpuacct'], mount: '/sys/fs/cgroup/cpu,cpuacct' },
      { controllers: ['name=systemd'], mount: '/sys/fs/cgroup/systemd' },
    ],
    unified: '/sys/fs/cgroup/unified',
  });
  t.throws(() => readCgroupLayout(''), { message: 'no cgroup file system is mounted' });
  t.end();
});

test('limits that few ask for, and of which version they are', (t) => {
  const both = resources({
    cpu: { burst: 5, idle: 1 },
    hugepageLimits: [{ pageSize: '2MB', limit: 9 }, { pageSize: '1GB', limit: -1 }],
    rdma: { mlx5_1: { hcaHandles: 3 } },
  });
  t.same(lines(v1Writes(both)), [
    'cpu.cfs_burst_us=5', 'cpu.idle=1', 'hugetlb.2MB.limit_in_bytes=9',
    'hugetlb.1GB.limit_in_bytes=-1', 'rdma.max=mlx5_1 hca_handle=3 hca_object=max',
  ]);
  t.same(lines(v2Writes(both)), [
    'cpu.max.burst=5', 'cpu.idle=1', 'hugetlb.2MB.max=9', 'hugetlb.1GB.max=max',
    'rdma.max=mlx5_1 hca_handle=3 hca_object=max',
  ]);
  const network = { classID: 7, priorities: [{ name: 'eth0', priority: 2 }] };
  t.same(lines(v1Writes(resources({ network }))), [
    'net_cls.classid=7', 'net_prio.ifpriomap=eth0 2',
  ]);
  t.throws(() => v2Writes(resources({ network })), /version 1 only/);
  const unified = { 'memory.high': '100', 'io.max': '8:0 rbps=5' };
  t.same(lines(v2Writes(resources({ unified }))), ['memory.high=100', 'io.max=8:0 rbps=5']);
  t.throws(() => v1Writes(resources({ unified })), /memory\.high is of cgroup version 2/);
  for (const name of ['../x.y', 'a/b.c', 'cgroup', '.x']) {
    t.throws(() => v2Writes(resources({ unified: { [name]: '1' } })), /is no file/);
  }
  t.end();
});
