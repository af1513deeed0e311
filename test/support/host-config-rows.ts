/** Fields of HostConfig that the runtime alone sees to, each read back inside a container. */
import type { ContainerConfig, HostConfig } from '../../api-spec/index.js';

/** One field: what is asked, how it is looked at inside, and what must be seen there. */
export interface HostConfigRow {
  readonly field: keyof HostConfig;
  readonly host: HostConfig;
  readonly config?: ContainerConfig;
  /** A script of busybox's shell. */
  readonly script: string;
  /** What it prints; undefined where that version of cgroups knows no such thing. */
  readonly v1: string | RegExp | undefined;
  /** The same as with version 1 unless it is said. */
  readonly v2?: string | RegExp | undefined;
}

/** A group for tests; who uses it removes it. */
export const testParent = '/tsdocker-test-parent';

const mebibyte = 2 ** 20;

/** The file of a limit by the version that there is. */
const file = (v1: string, v2: string): string =>
  `cd /sys/fs/cgroup; if [ -e cgroup.controllers ]; then cat ${v2}; else cat ${v1}; fi`;

const memory = 64 * mebibyte;
const throttle = [{ Path: '/dev/loop0', Rate: 4096 }];
const noV2 = { v2: undefined };

const limits: readonly HostConfigRow[] = [
  {
    field: 'Memory', host: { Memory: memory },
    script: file('memory/memory.limit_in_bytes', 'memory.max'), v1: '67108864',
  },
  {
    field: 'MemorySwap', host: { Memory: memory, MemorySwap: 96 * mebibyte },
    script: file('memory/memory.memsw.limit_in_bytes', 'memory.swap.max'),
    v1: '100663296', v2: '33554432',
  },
  {
    field: 'MemorySwap', host: { Memory: memory, MemorySwap: -1 },
    script: file('memory/memory.memsw.limit_in_bytes', 'memory.swap.max'),
    v1: /^9223372036854771712$/, v2: 'max',
  },
  {
    field: 'MemoryReservation', host: { MemoryReservation: 32 * mebibyte },
    script: file('memory/memory.soft_limit_in_bytes', 'memory.low'), v1: '33554432',
  },
  {
    field: 'MemorySwappiness', host: { MemorySwappiness: 10 },
    script: file('memory/memory.swappiness', '/dev/null'), v1: '10', ...noV2,
  },
  {
    field: 'OomKillDisable', host: { Memory: memory, OomKillDisable: true },
    script: file('memory/memory.oom_control', '/dev/null'), v1: /^oom_kill_disable 1$/m, ...noV2,
  },
  {
    field: 'OomScoreAdj', host: { OomScoreAdj: 500 },
    script: 'cat /proc/self/oom_score_adj', v1: '500',
  },
  {
    field: 'CpuShares', host: { CpuShares: 512 },
    script: file('cpu/cpu.shares', 'cpu.weight'), v1: '512', v2: '59',
  },
  {
    field: 'CpuPeriod', host: { CpuPeriod: 50_000, CpuQuota: 25_000 },
    script: file('cpu/cpu.cfs_period_us', 'cpu.max'), v1: '50000', v2: '25000 50000',
  },
  {
    field: 'CpuQuota', host: { CpuQuota: 20_000 },
    script: file('cpu/cpu.cfs_quota_us', 'cpu.max'), v1: '20000', v2: '20000 100000',
  },
  {
    field: 'NanoCpus', host: { NanoCpus: 5e8 },
    script: file('cpu/cpu.cfs_quota_us', 'cpu.max'), v1: '50000', v2: '50000 100000',
  },
  {
    field: 'NanoCpus', host: { NanoCpus: 1 },
    script: file('cpu/cpu.cfs_quota_us', 'cpu.max'), v1: '-1', v2: 'max 100000',
  },
  {
    field: 'CpusetCpus', host: { CpusetCpus: '0' },
    script: file('cpuset/cpuset.cpus', 'cpuset.cpus'), v1: '0', ...noV2,
  },
  {
    field: 'CpusetMems', host: { CpusetMems: '0' },
    script: file('cpuset/cpuset.mems', 'cpuset.mems'), v1: '0', ...noV2,
  },
  {
    field: 'PidsLimit', host: { PidsLimit: 50 },
    script: file('pids/pids.max', 'pids.max'), v1: '50',
  },
  {
    field: 'BlkioWeight', host: { BlkioWeight: 300 },
    script: file('blkio/blkio*.weight', '/dev/null'), v1: /^300$/m, ...noV2,
  },
  {
    field: 'BlkioDeviceReadBps', host: { BlkioDeviceReadBps: throttle },
    script: file('blkio/blkio.throttle.read_bps_device', '/dev/null'), v1: '7:0 4096', ...noV2,
  },
  {
    field: 'BlkioDeviceWriteBps', host: { BlkioDeviceWriteBps: throttle },
    script: file('blkio/blkio.throttle.write_bps_device', '/dev/null'), v1: '7:0 4096', ...noV2,
  },
  {
    field: 'BlkioDeviceReadIOps', host: { BlkioDeviceReadIOps: throttle },
    script: file('blkio/blkio.throttle.read_iops_device', '/dev/null'), v1: '7:0 4096', ...noV2,
  },
  {
    field: 'BlkioDeviceWriteIOps', host: { BlkioDeviceWriteIOps: throttle },
    script: file('blkio/blkio.throttle.write_iops_device', '/dev/null'), v1: '7:0 4096', ...noV2,
  },
  {
    field: 'Ulimits', host: { Ulimits: [{ Name: 'nofile', Soft: 100, Hard: 200 }] },
    script: 'ulimit -n; ulimit -Hn', v1: '100\n200',
  },
  {
    field: 'CgroupParent', host: { CgroupParent: testParent, CgroupnsMode: 'host' },
    script: 'cat /proc/self/cgroup', v1: /\/tsdocker-test-parent\/[0-9a-f]{64}$/m,
  },
];

const rights: readonly HostConfigRow[] = [
  {
    field: 'CapAdd', host: { CapAdd: ['SYS_TIME'] },
    script: 'grep CapBnd /proc/self/status', v1: 'CapBnd:\t00000000aa0425fb',
  },
  {
    field: 'CapDrop', host: { CapDrop: ['ALL'] },
    script: 'grep CapBnd /proc/self/status', v1: 'CapBnd:\t0000000000000000',
  },
  {
    field: 'Privileged', host: { Privileged: true },
    script: '[ -w /proc/sys/kernel/domainname ] && grep -c "Seccomp:.0" /proc/self/status', v1: '1',
  },
  {
    field: 'SecurityOpt', host: { SecurityOpt: ['no-new-privileges'] },
    script: 'grep NoNewPrivs /proc/self/status', v1: 'NoNewPrivs:\t1',
  },
  {
    field: 'MaskedPaths', host: { MaskedPaths: ['/proc/version'] },
    script: 'wc -c < /proc/version', v1: '0',
  },
  {
    field: 'ReadonlyPaths', host: { ReadonlyPaths: ['/bin'] },
    script: 'touch /bin/x 2>&1', v1: 'touch: /bin/x: Read-only file system',
  },
  {
    field: 'ReadonlyRootfs', host: { ReadonlyRootfs: true },
    script: 'touch /x 2>&1', v1: 'touch: /x: Read-only file system',
  },
  { field: 'GroupAdd', host: { GroupAdd: ['wheel', '777'] }, script: 'id -G', v1: '0 10 777' },
  {
    field: 'Sysctls', host: { Sysctls: { 'kernel.msgmax': '4096' } },
    script: 'cat /proc/sys/kernel/msgmax', v1: '4096',
  },
  {
    field: 'Devices',
    host: {
      Devices: [
        { PathOnHost: '/dev/null', PathInContainer: '/dev/nil', CgroupPermissions: 'r' },
      ],
    },
    script: 'stat -c "%F %t:%T" /dev/nil', v1: 'character special file 1:3',
  },
  {
    // 42 is for examples, and no driver's: ENXIO where a rule lets it be opened.
    field: 'DeviceCgroupRules', host: { DeviceCgroupRules: ['c 42:7 rwm'] },
    script: 'for n in 7 8; do mknod /n$n c 42 $n; (: < /n$n) 2>&1; done',
    v1: /n7: No such device or address[^]*n8: Operation not permitted$/,
  },
];

const namespaces: readonly HostConfigRow[] = [
  {
    field: 'ShmSize', host: { ShmSize: mebibyte },
    script: 'df -k /dev/shm | tail -n1 | awk "{print \\$2}"', v1: '1024',
  },
  {
    field: 'IpcMode', host: { IpcMode: 'none' },
    script: 'grep -c " /dev/shm " /proc/self/mountinfo', v1: '0',
  },
  { field: 'PidMode', host: { PidMode: 'host' }, script: '[ $$ -gt 1 ] && echo host', v1: 'host' },
  {
    field: 'CgroupnsMode', host: { CgroupnsMode: 'private' },
    script: 'grep -cv ":/$" /proc/self/cgroup', v1: '0',
  },
  { field: 'Init', host: { Init: true }, script: 'cat /proc/1/comm', v1: 'docker-init' },
  {
    field: 'ConsoleSize', host: { ConsoleSize: [31, 97] }, config: { Tty: true },
    script: 'stty size', v1: /^31 97\r?$/,
  },
];

/** All of them. */
export const runtimeRows: readonly HostConfigRow[] = [...limits, ...rights, ...namespaces];
