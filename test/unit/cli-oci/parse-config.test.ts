import { test } from 'tap';
import { defaultConfig } from '../../../cli/oci-runtime/default-bundle.js';
import { parseConfig, type ParsedConfig } from '../../../cli/oci-runtime/parse-config.js';
import { configText } from '../../../daemon/runtime/bundle.js';
import { capabilityNames } from '../../../daemon/runtime/spec/capabilities.js';

const read = (text: string): ParsedConfig =>
  parseConfig(text, {
    bundle: '/bundle', cgroupsPath: '/own', architecture: 'amd64',
    capabilities: new Set(capabilityNames), mapsOf: () => undefined,
  });

/** The default configuration, nameless, with members of its top level replaced. */
const withMembers = (members: object): ParsedConfig =>
  read(JSON.stringify({ ...defaultConfig(), hostname: '', ...members }));

const process = { args: ['x'], cwd: '/' };
const linux = { namespaces: [{ type: 'mount' }] };

test('the default bundle is one that we take ourselves', async (t) => {
  const { config, rootfs } = read(JSON.stringify(defaultConfig()));
  t.equal(rootfs, '/bundle/rootfs');
  t.same(
    config.linux.namespaces.map(({ type }) => type),
    ['pid', 'network', 'mount', 'ipc', 'uts'],
  );
  t.match(config.process, {
    noNewPrivileges: true, terminal: true,
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 1024 }],
  });
  t.ok(config.linux.maskedPaths.includes('/proc/kcore'));
  t.ok(config.linux.readonlyPaths.includes('/proc/sys'));
  t.equal(config.linux.cgroupsPath, '/own');
});

test('what is not known is ignored, and null is as good as absent', async (t) => {
  const { config } = withMembers({
    process,
    linux: { ...linux, colour: 'red' },
    x: 1,
    mounts: null,
  });
  t.same(config.mounts, []);
  t.same(config.process.capabilities.bounding, []);
});

test('the devices of every container are there and allowed, whatever is forbidden', async (t) => {
  const resources = { devices: [{ allow: false, access: 'rwm' }] };
  const devices = [{ path: '/dev/null', type: 'c', major: 7, minor: 7 }];
  const { config } = withMembers({ linux: { ...linux, resources, devices } });
  t.match(config.linux.resources.devices[0], { allow: false, type: 'a', access: 'rwm' });
  t.ok(config.linux.resources.devices.some((rule) => rule.allow && rule.minor === 3));
  const nulls = config.linux.devices.filter(({ path }) => path === '/dev/null');
  t.match(nulls, [{ major: 7 }], 'save that the configuration\'s own win');
});

test('no limit is 2^64 - 1, which JSON rounds', async (t) => {
  const text = JSON.stringify({ ...defaultConfig(), process }).replace(
    '"cwd"',
    '"rlimits":[{"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615}],"cwd"',
  );
  t.match(read(text).config.process.rlimits, [{ soft: 0, hard: -1 }]);
});

test('a limit of nothing is none, as dockerd writes it', async (t) => {
  const resources = {
    memory: { limit: 5, reservation: 0, swap: 0 }, blockIO: { weight: 0 },
    cpu: { shares: 0, quota: 0, period: 0, realtimeRuntime: 0, realtimePeriod: 0, cpus: '' },
  };
  const { memory, cpu } = withMembers({ linux: { ...linux, resources } }).config.linux.resources;
  t.strictSame({ memory, cpu }, { memory: { limit: 5 }, cpu: {} });
});

test('a bind may be told by its options, from a path within the bundle', async (t) => {
  const mounts = [
    { destination: '/data/', source: 'data', type: 'none', options: ['rbind', 'ro'] },
  ];
  t.match(withMembers({ mounts }).config.mounts, [
    { destination: '/data', type: 'bind', source: '/bundle/data', options: ['rbind', 'ro'] },
  ]);
});

test('errors name the path of what is wrong', async (t) => {
  const cases: readonly (readonly [object, string])[] = [
    [{ ociVersion: '2.0.0' }, '$.ociVersion: must be a version 1.x.y'],
    [{ root: null }, '$.root: is missing'],
    [{ process: { ...process, env: ['A=1', 2] } }, '$.process.env[1]: must be a string'],
    [{ process: { ...process, user: { uid: -1 } } }, '$.process.user.uid: must be from 0 to'],
    [
      { process: { ...process, rlimits: [{ type: 'NOFILE' }] } },
      '$.process.rlimits[0].type: is no',
    ],
    [{ linux: {}, mounts: [{ destination: '/x' }] }, '$.mounts: needs a mount namespace'],
    [
      { linux: { maskedPaths: ['/x'] }, mounts: [], root: { path: 'x' } },
      '$.linux.maskedPaths: needs a mount',
    ],
    [{ linux: {}, mounts: [], root: { path: 'x', readonly: true } }, '$.root.readonly: needs a'],
    [
      { linux: { namespaces: [{ type: 'user' }, { type: 'mount', path: '/x' }] } },
      '$.linux.namespaces: with a user namespace',
    ],
    [
      { linux: { ...linux, seccomp: { defaultAction: 'ALLOW' } } },
      '$.linux.seccomp.defaultAction:',
    ],
    [
      { linux: { ...linux, seccomp: { syscalls: {} } } },
      '$.linux.seccomp.defaultAction: is missing',
    ],
    [{ linux: { ...linux, cgroupsPath: 'a.slice:b:c' } }, '$.linux.cgroupsPath: names a scope'],
    [{ linux: { ...linux, intelRdt: { closID: 'x' } } }, '$.linux.intelRdt: needs a processor'],
    [{ linux: { ...linux, mountLabel: 'x' } }, '$.linux.mountLabel: needs SELinux: not supported'],
    [{ process: { ...process, selinuxLabel: 'x' } }, '$.process.selinuxLabel: needs SELinux'],
    [{ linux: { ...linux, netDevices: { eth0: {} } } }, '$.linux.netDevices: needs a network'],
    [
      { linux: { ...linux, netDevices: { eth0: { name: 'a b' } } } },
      '$.linux.netDevices.eth0.name: is no name',
    ],
    [
      { linux: { ...linux, netDevices: { eth0: {}, eth1: { name: 'eth0' } } } },
      '$.linux.netDevices.eth1: eth0 is there twice',
    ],
    [{ linux: { ...linux, memoryPolicy: {} } }, '$.linux.memoryPolicy.mode: is missing'],
    [
      { linux: { ...linux, memoryPolicy: { mode: 'MPOL_BIND', nodes: 'x' } } },
      '$.linux.memoryPolicy.nodes: must be like 0-3,7',
    ],
    [{ hostname: 'h', linux }, '$.hostname: needs a uts namespace'],
    [{ mounts: [{ destination: '/x' }] }, '$.mounts[0].type: is missing'],
    [{ hooks: { startContainer: [{}] } }, '$.hooks.startContainer[0].path: is missing'],
    [{ hooks: { poststop: [{ path: 'x' }] } }, '$.hooks.poststop[0].path: must be absolute'],
  ];
  for (const [members, words] of cases) {
    const escaped = new RegExp(words.replace(/[$[\].]/g, '\\$&'));
    t.throws(() => withMembers(members), { message: escaped }, words);
  }
  t.throws(() => read('{'), { message: /^config\.json: / });
});

/** One of everything that is taken. */
const everything = {
  ociVersion: '1.3.0',
  root: { path: 'rootfs', readonly: true },
  hostname: 'host', domainname: 'domain', annotations: { 'com.example': '' },
  process: {
    terminal: true, consoleSize: { height: 3, width: 4 },
    user: { uid: 1, gid: 2, umask: 0o77, additionalGids: [3] },
    args: ['a'], env: ['B=c'], cwd: '/d', noNewPrivileges: true, apparmorProfile: 'e',
    oomScoreAdj: -5,
    capabilities: Object.fromEntries(
      ['bounding', 'effective', 'permitted', 'inheritable', 'ambient']
        .map((set) => [set, ['CAP_CHOWN']]),
    ),
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 5, hard: 6 }],
    scheduler: {
      policy: 'SCHED_DEADLINE', nice: 1, priority: 0, flags: ['SCHED_FLAG_RECLAIM'],
      runtime: 7, deadline: 8, period: 9,
    },
    ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 1 },
    execCPUAffinity: { initial: '0', final: '0-1' },
  },
  mounts: [{
    destination: '/m', type: 'bind', source: '/s', options: ['rbind', 'rro', 'ridmap'],
    uidMappings: [{ containerID: 0, hostID: 5, size: 6 }],
    gidMappings: [{ containerID: 0, hostID: 7, size: 8 }],
  }],
  linux: {
    namespaces: [
      { type: 'mount' }, { type: 'uts' }, { type: 'user' }, { type: 'time' },
      { type: 'network', path: '/proc/1/ns/net' },
    ],
    uidMappings: [{ containerID: 0, hostID: 1, size: 2 }],
    gidMappings: [{ containerID: 0, hostID: 3, size: 4 }],
    timeOffsets: { monotonic: { secs: -1, nanosecs: 2 } },
    rootfsPropagation: 'rslave', netDevices: { eth0: { name: 'eth1' } },
    memoryPolicy: { mode: 'MPOL_BIND', nodes: '0-1', flags: ['MPOL_F_STATIC_NODES'] },
    devices: [{
      path: '/dev/x', type: 'b', major: 77, minor: 2, fileMode: 0o600, uid: 3, gid: 4,
    }],
    cgroupsPath: '/a/b',
    resources: {
      devices: [{ allow: true, type: 'c', major: 77, minor: 2, access: 'rw' }],
      memory: { limit: 1, reservation: 2, swap: 3, swappiness: 4, disableOOMKiller: true },
      cpu: {
        shares: 5, quota: 6, period: 7, burst: 8, idle: 1, realtimeRuntime: 9, realtimePeriod: 10,
        cpus: '0', mems: '0',
      },
      pids: { limit: 11 },
      blockIO: {
        weight: 12, weightDevice: [{ major: 1, minor: 2, weight: 13 }],
        throttleReadBpsDevice: [{ major: 1, minor: 2, rate: 14 }],
      },
      hugepageLimits: [{ pageSize: '2MB', limit: 15 }],
      network: { classID: 16, priorities: [{ name: 'eth0', priority: 17 }] },
      rdma: { mlx5_1: { hcaHandles: 18, hcaObjects: 19 } },
      unified: { 'memory.high': '20' },
    },
    sysctl: { 'net.ipv4.ip_forward': '1' }, maskedPaths: ['/a'], readonlyPaths: ['/b'],
    personality: { domain: 'LINUX32' },
    seccomp: {
      defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 1, architectures: ['SCMP_ARCH_X86_64'],
      flags: ['SECCOMP_FILTER_FLAG_LOG'], listenerPath: '/l', listenerMetadata: 'm',
      syscalls: [{
        names: ['mkdir'], action: 'SCMP_ACT_NOTIFY',
        args: [{ index: 1, value: 2, valueTwo: 3, op: 'SCMP_CMP_MASKED_EQ' }],
      }],
    },
  },
};

/** Without the devices that every container has, and the rules for them. */
function own(config: ParsedConfig['config']): unknown {
  const { devices, resources, ...linux } = config.linux;
  const isOwn = ({ major }: { readonly major?: number }): boolean => major === 77;
  const limits = { ...resources, devices: resources.devices.filter(isOwn) };
  return { ...config, linux: { ...linux, devices: devices.filter(isOwn), resources: limits } };
}

test('a configuration is read, written and read again without loss', async (t) => {
  const { config } = read(JSON.stringify(everything));
  t.match(own(config), everything, 'nothing of it is lost');
  t.same(own(read(configText(config)).config), own(config));
});
