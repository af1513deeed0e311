/** `POST /containers/create`, field by field; what is made is looked at, and started if asked. */
import { filters, once, type Case, type Request } from '../request.js';
import { baseBody } from '../scene.js';

const path = '/containers/create?name=tsdiff-x';

type Body = Readonly<Record<string, unknown>>;

/** Creates, looks, starts, looks again. */
function life(name: string, body: Body, starts: boolean): Case {
  const look: Request = { method: 'GET', path: '/containers/tsdiff-x/json', depth: 'values' };
  const lookAgain: Request = { ...look, settles: true };
  return {
    name,
    requests: [
      { method: 'POST', path, body: { ...baseBody, ...body }, depth: 'values' },
      look,
      ...(starts ? [{ method: 'POST', path: '/containers/tsdiff-x/start' }, lookAgain] : []),
    ],
  };
}

/** What each field of the config is tried with. */
const config: Readonly<Record<string, readonly unknown[]>> = {
  Hostname: ['box', '', null, 5, 'a b', 'x'.repeat(64), '-x', 'a.b'],
  Domainname: ['d.example', 5],
  User: ['', 'user', '1000:2000', 'nope', '5', 'user:nope', 5],
  AttachStdin: [true, 'x'], AttachStdout: [true, null], AttachStderr: [true],
  ExposedPorts: [{}, null, { '80/tcp': {} }, { '80': {} }, { x: {} }, { '80/x': {} },
    { '99999/tcp': {} }, { '80-82/tcp': {} }, 'x', []],
  Tty: [true, false, null, 'x'], OpenStdin: [true], StdinOnce: [true],
  Env: [[], null, ['A=B'], ['A'], [''], ['=x'], ['A=B', 'A=C'], 'A=B', [5], { A: 'B' }],
  Cmd: [[], null, 'sleep 5', ['nope'], [''], [5], 5, ['/etc/passwd'], ['/etc']],
  Entrypoint: [[], null, [''], ['sh', '-c'], 'sh', [], ['nope'], 5],
  Image: ['', null, 'nope', 'tsdiff:nope', 'UPPER', 'a b', 'sha256:{image}', '{image}',
    'docker.io/library/tsdiff:1', ':', 'tsdiff@sha256:x', `tsdiff@sha256:${'0'.repeat(64)}`, 5],
  Volumes: [{}, null, { '/v': {} }, { v: {} }, { '/': {} }, { '': {} }, { '/a:b': {} }, [], 'x'],
  WorkingDir: ['', '/', '/tmp', '/made/new', 'rel', 'C:\\x', '/etc/passwd', 5],
  NetworkDisabled: [true, 'x'],
  MacAddress: ['02:42:ac:11:00:99', 'x', '', 5],
  OnBuild: [['RUN x'], null, 'x'],
  Labels: [{}, null, { a: 'b' }, { a: null }, { a: 5 }, [], 'x', { '': 'x' }],
  StopSignal: ['TERM', 'SIGKILL', '9', 'nope', '', '0', '99', 'rtmin+1', 9],
  StopTimeout: [0, 5, -1, null, 'x', 1.5],
  Shell: [['sh'], null, 'sh'],
  ArgsEscaped: [true],
  Healthcheck: [null, {}, { Test: [] }, { Test: ['NONE'] }, { Test: ['CMD', 'true'] },
    { Test: ['CMD-SHELL', 'true'] },
    { Test: ['nope'] }, { Test: ['CMD', 'true'], Interval: 1 }, { Test: ['CMD', 'true'],
      Interval: -1 },
    { Test: ['CMD', 'true'], Timeout: 1 }, { Test: ['CMD', 'true'], Timeout: -1 }, { Test: ['CMD',
      'true'], Retries: -1 },
    { Test: ['CMD', 'true'], StartPeriod: 1 }, { Test: ['CMD', 'true'], StartPeriod: -1 },
      { Test: ['CMD', 'true'], StartInterval: 1 },
    { Test: ['CMD', 'true'], StartInterval: -1 }, { Test: 'x' }, { Interval: 1000000000 },
      { Interval: 'x' }, { Interval: 1000 }],
  Nothing: [1],
};

const mounts: readonly unknown[] = [
  {}, { Type: 'nope', Target: '/m' }, { Type: 'bind' }, { Type: 'bind', Source: '/tmp' },
    { Type: 'bind', Target: '/m' },
  { Type: 'bind', Source: '/tmp', Target: '/m' }, { Type: 'bind', Source: '/tmp', Target: 'm' },
    { Type: 'bind', Source: 'tmp', Target: '/m' },
  { Type: 'bind', Source: '/nope-tsdiff', Target: '/m' }, { Type: 'bind', Source: '/tmp',
    Target: '/' },
  { Type: 'bind', Source: '/tmp', Target: '/m', ReadOnly: true }, { Type: 'bind', Source: '/tmp',
    Target: '/m', Consistency: 'cached' },
  { Type: 'bind', Source: '/tmp', Target: '/m', BindOptions: { Propagation: 'rslave' } },
  { Type: 'bind', Source: '/tmp', Target: '/m', BindOptions: { Propagation: 'nope' } },
  { Type: 'bind', Source: '/tmp', Target: '/m', BindOptions: { Propagation: 'rprivate',
    NonRecursive: true } },
  { Type: 'bind', Source: '/tmp', Target: '/m', BindOptions: { ReadOnlyNonRecursive: true } },
  { Type: 'bind', Source: '/tmp', Target: '/m', ReadOnly: true,
    BindOptions: { ReadOnlyNonRecursive: true } },
  { Type: 'bind', Source: '/tmp', Target: '/m', ReadOnly: true,
    BindOptions: { ReadOnlyForceRecursive: true } },
  { Type: 'bind', Source: '/tmp', Target: '/m', BindOptions: { ReadOnlyForceRecursive: true } },
  { Type: 'bind', Source: '/tmp', Target: '/m', ReadOnly: true,
    BindOptions: { ReadOnlyForceRecursive: true, Propagation: 'rprivate' } },
  { Type: 'bind', Source: '/tmp', Target: '/m', ReadOnly: true,
    BindOptions: { ReadOnlyForceRecursive: true, ReadOnlyNonRecursive: true } },
  { Type: 'bind', Source: '/tmp', Target: '/m', VolumeOptions: { NoCopy: true } },
  { Type: 'bind', Source: '/tmp', Target: '/m', TmpfsOptions: { SizeBytes: 5 } },
  { Type: 'volume', Target: '/m' }, { Type: 'volume', Source: 'tsdiff-v', Target: '/m' },
    { Type: 'volume', Source: 'tsdiff-v' },
  { Type: 'volume', Source: '/abs', Target: '/m' }, { Type: 'volume', Source: 'a b', Target: '/m' },
    { Type: 'volume', Source: 'x', Target: 'm' },
  { Type: 'volume', Source: 'tsdiff-v', Target: '/m', VolumeOptions: { NoCopy: true,
    Labels: { a: 'b' } } },
  { Type: 'volume', Source: 'tsdiff-v', Target: '/m',
    VolumeOptions: { DriverConfig: { Name: 'nope' } } },
  { Type: 'volume', Source: 'tsdiff-v', Target: '/m',
    VolumeOptions: { DriverConfig: { Name: 'local', Options: { a: 'b' } } } },
  { Type: 'volume', Source: 'tsdiff-v', Target: '/m', VolumeOptions: { Subpath: 'nope' } },
  { Type: 'volume', Source: 'tsdiff-v', Target: '/m', VolumeOptions: { Subpath: '../x' } },
  { Type: 'volume', Source: 'tsdiff-v', Target: '/m', VolumeOptions: { Subpath: '/x' } },
  { Type: 'volume', Target: '/m', VolumeOptions: { Subpath: 'x' } },
  { Type: 'volume', Target: '/m', BindOptions: { Propagation: 'rslave' } },
  { Type: 'tmpfs', Target: '/m' }, { Type: 'tmpfs' }, { Type: 'tmpfs', Source: '/x', Target: '/m' },
    { Type: 'tmpfs', Target: 'm' },
  { Type: 'tmpfs', Target: '/m', TmpfsOptions: { SizeBytes: 1048576, Mode: 448 } }, { Type: 'tmpfs',
    Target: '/m', TmpfsOptions: { SizeBytes: -1 } },
  { Type: 'tmpfs', Target: '/m', ReadOnly: true }, { Type: 'tmpfs', Target: '/m', BindOptions: {} },
  { Type: 'npipe', Source: 'x', Target: '/m' }, { Type: 'cluster', Source: 'x', Target: '/m' },
    { Type: 'cluster', Target: '/m' },
  { Type: 'image', Source: 'tsdiff:1', Target: '/m' },
];

/** What each field of the HostConfig is tried with. */
const host: Readonly<Record<string, readonly unknown[]>> = {
  CpuShares: [512, 1, -1, 0, 'x', null, 999999999], Memory: [67108864, 6291456, 6291455, 1, -1, 0,
    'x', null],
  CgroupParent: ['tsdiff', '/tsdiff', 'a/../b', '', 5], BlkioWeight: [0, 9, 10, 1000, 1001, -1,
    65536, 'x'],
  BlkioWeightDevice: [[], null, [{ Path: '/dev/null', Weight: 200 }], [{ Path: '/nope',
    Weight: 200 }], [{ Path: '/dev/null', Weight: 5 }], 'x'],
  BlkioDeviceReadBps: [[], null, [{ Path: '/dev/vda', Rate: 1048576 }], [{ Path: '/nope',
    Rate: 5 }], [{ Path: '/dev/null', Rate: -5 }]],
  BlkioDeviceWriteBps: [[{ Path: '/nope', Rate: 5 }]], BlkioDeviceReadIOps: [[{ Path: '/nope',
    Rate: 5 }]], BlkioDeviceWriteIOps: [[{ Path: '/nope', Rate: 5 }]],
  CpuPeriod: [100000, 999, 1000001, -1, 0, 'x'], CpuQuota: [50000, 999, -1, 0, 'x'],
  CpuRealtimePeriod: [1000000, -1], CpuRealtimeRuntime: [1000, 950000, -1],
  CpusetCpus: ['0', '0-1', '99', 'x', '1-0', '0,1', ''], CpusetMems: ['0', '9', 'x'],
  Devices: [[], null, [{}], [{ PathOnHost: '/dev/null', PathInContainer: '/dev/n',
    CgroupPermissions: 'rwm' }], [{ PathOnHost: '/nope', PathInContainer: '/dev/n',
    CgroupPermissions: 'rwm' }],
    [{ PathOnHost: '/dev/null', PathInContainer: '/dev/n', CgroupPermissions: 'xyz' }],
      [{ PathOnHost: '/dev/null', PathInContainer: '/dev/n' }],
    [{ PathOnHost: '/etc/passwd', PathInContainer: '/dev/n', CgroupPermissions: 'rwm' }], 'x'],
  DeviceCgroupRules: [[], ['c 1:3 rwm'], ['x'], ['c 1:* r'], ['a *:* rwm'], ['c 1:3 x'], ['']],
  DeviceRequests: [[], null, [{}], [{ Driver: 'nope' }], [{ Count: -1, Capabilities: [['gpu']] }],
    [{ Driver: 'nvidia', Count: 1, Capabilities: [['gpu']] }],
    [{ Driver: 'cdi', DeviceIDs: ['vendor.com/class=x'] }], [{ Driver: 'cdi', DeviceIDs: ['bad'] }],
      [{ Driver: 'cdi', Count: 1 }], [{ Capabilities: [] }],
    [{ Count: 1, DeviceIDs: ['0'], Capabilities: [['gpu']] }], [{ Driver: '',
      Capabilities: [['nope', 'two'], ['three']] }]],
  KernelMemory: [0, 67108864, 1, -1], KernelMemoryTCP: [0, 67108864, -1], MemoryReservation: [0,
    33554432, 1, -1],
  MemorySwap: [0, -1, 5, 67108864], MemorySwappiness: [null, 0, 50, 100, 101, -1, -2],
    NanoCpus: [500000000, 1, -1, 1e15, 0],
  OomKillDisable: [null, true, false], PidsLimit: [null, 0, -1, 10, -5],
  Ulimits: [[], null, [{ Name: 'nofile', Soft: 100, Hard: 200 }], [{ Name: 'nofile', Soft: 200,
    Hard: 100 }], [{ Name: 'nope', Soft: 1, Hard: 1 }], [{ Name: 'nofile', Soft: -1, Hard: -1 }],
    [{ Name: 'NOFILE', Soft: 1, Hard: 1 }], [{}]],
  CpuCount: [1], CpuPercent: [10], IOMaximumIOps: [1], IOMaximumBandwidth: [1],
  Binds: [[], null, ['/tmp:/m'], ['/tmp:/m:ro'], ['/tmp:/m:nope'], ['/tmp'], ['tsdiff-b:/m'],
    ['/m'], ['m'], [''], [':'], ['/tmp:m'], ['rel/x:/m'], ['/tmp:/'], ['/tmp:/m:ro,rw'],
    ['/tmp:/m:z'], ['/tmp:/m:Z,ro'],
    ['/tmp:/m:rshared'], ['/tmp:/m:slave,rprivate'], ['/tmp:/m:nocopy'], ['tsdiff-b:/m:nocopy'],
      ['tsdiff-b:/m:rslave'], ['/tmp:/m', '/tmp:/m'], ['/tmp:/m', '/etc:/m/'], ['a b:/m'],
      ['/tmp:/m:ro:x'], ['x:/m'], ['.:/m'], ['/nope-tsdiff-bind:/m'], 'x'],
  ContainerIDFile: ['x'],
  LogConfig: [null, {}, { Type: '' }, { Type: 'none' }, { Type: 'json-file' }, { Type: 'local' },
    { Type: 'asdf' }, { Type: 'json-file', Config: { nope: 'x' } }, { Type: 'json-file',
    Config: { 'max-size': 'x' } },
    { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } }, { Type: 'json-file',
      Config: { 'max-file': '3' } }, { Type: 'json-file', Config: { 'max-file': '0' } },
      { Type: 'json-file', Config: { compress: 'true' } },
    { Type: 'json-file', Config: { mode: 'nope' } }, { Type: 'json-file',
      Config: { mode: 'non-blocking', 'max-buffer-size': '1m' } }, { Type: 'json-file',
      Config: { 'max-buffer-size': '1m' } }, { Type: 'none', Config: { a: 'b' } },
      { Config: { tag: '{{.ID}}', labels: 'x', env: 'y' } }, { Type: 5 }],
  NetworkMode: ['', 'default', 'bridge', 'host', 'none', 'nope', 'container:nope', 'container:',
    'container:tsdiff-running', 'container:tsdiff-created', 'tsdiff-net', 5, 'bridge2:x'],
  PortBindings: [{}, null, { '80/tcp': null }, { '80/tcp': [] }, { '80/tcp': [{}] },
    { '80/tcp': [{ HostPort: '' }] }, { '80/tcp': [{ HostPort: '18080' }] },
    { '80/tcp': [{ HostPort: 'x' }] }, { '80/tcp': [{ HostPort: '99999' }] },
    { '80/tcp': [{ HostPort: '18000-18010' }] },
    { '80/tcp': [{ HostPort: '18010-18000' }] }, { '80-81/tcp': [{ HostPort: '18000-18001' }] },
      { x: [] }, { '80': [{ HostPort: '18081' }] }, { '80/x': [{ HostPort: '18081' }] },
      { '80/udp': [{ HostPort: '18081' }] }, { '80/tcp': [{ HostIp: '127.0.0.1',
      HostPort: '18082' }] }, { '80/tcp': [{ HostIp: 'x', HostPort: '1' }] },
      { '80/tcp': [{ HostPort: 5 }] }, { '80/tcp': 'x' }, { '/tcp': [{}] },
      { '0/tcp': [{ HostPort: '18083' }] }],
  RestartPolicy: [null, {}, { Name: 'no' }, { Name: 'always' }, { Name: 'unless-stopped' },
    { Name: 'on-failure' }, { Name: 'on-failure', MaximumRetryCount: 3 }, { Name: 'always',
    MaximumRetryCount: 3 }, { Name: 'on-failure', MaximumRetryCount: -1 }, { Name: 'always',
    MaximumRetryCount: -1 }, { Name: '', MaximumRetryCount: 1 }, { Name: 'nope' }, { Name: 5 }],
  AutoRemove: [true, 'x'], VolumeDriver: ['local', 'nope', ''],
  VolumesFrom: [[], null, ['nope'], ['nope:foo'], ['nope:nocopy'], ['nope:rshared'],
    ['tsdiff-running'], ['tsdiff-running:ro'], ['tsdiff-running:x'], [''], ['a:b:c']],
  Mounts: [[], null, 'x', ...mounts.map((mount) => [mount]), [{ Type: 'tmpfs', Target: '/m' },
    { Type: 'tmpfs', Target: '/m' }]],
  ConsoleSize: [[10, 20], [0, 0], [1], 'x'], Annotations: [null, {}, { a: 'b' }, { a: 5 },
    { '': 'b' }],
  CapAdd: [[], null, ['NET_ADMIN'], ['CAP_NET_ADMIN'], ['net_admin'], ['ALL'], ['nope'], [''],
    'NET_ADMIN'], CapDrop: [[], ['ALL'], ['CHOWN', 'CAP_MKNOD'], ['nope']],
  CgroupnsMode: ['', 'host', 'private', 'nope'], Dns: [[], null, ['8.8.8.8'], ['x'], [''], ['::1']],
    DnsOptions: [[], ['ndots:2'], ['']], DnsSearch: [[], ['example.com'], ['.'], ['']],
  ExtraHosts: [[], null, ['a:1.2.3.4'], ['a'], ['a:'], [':1.2.3.4'], ['a:x'], ['a:host-gateway'],
    ['a:::1'], ['a=1.2.3.4']], GroupAdd: [[], null, ['extra'], ['2000'], ['nope']],
  IpcMode: ['', 'none', 'private', 'shareable', 'host', 'container:nope',
    'container:tsdiff-running', 'container:', 'nope', 'container'],
  Cgroup: ['', 'x', 'container:x'], Links: [[], null, ['tsdiff-running:a'], ['nope:a'],
    ['tsdiff-running'], [':a'], ['tsdiff-running:'], ['tsdiff-exited:a'], ['a:b:c']],
  OomScoreAdj: [0, 500, -500, 1001, -1001], PidMode: ['', 'host', 'container:nope',
    'container:tsdiff-running', 'container:', 'nope', 'private'],
  Privileged: [true, 'x'], PublishAllPorts: [true], ReadonlyRootfs: [true],
  SecurityOpt: [[], null, ['no-new-privileges'], ['no-new-privileges=true'],
    ['no-new-privileges:true'], ['no-new-privileges=x'], ['no-new-privileges=false'],
    ['seccomp=unconfined'], ['seccomp:unconfined'], ['seccomp=builtin'], ['seccomp={}'],
    ['seccomp=x'], ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'], ['apparmor=unconfined'],
    ['apparmor=nope'], ['label=disable'], ['label=type:x'], ['systempaths=unconfined'], ['nope'],
    ['nope=x'], [''], ['writable-cgroups=true']],
  StorageOpt: [{}, null, { size: '10G' }, { nope: 'x' }, { size: 'x' }], Tmpfs: [{}, null,
    { '/t': '' }, { '/t': 'size=1m,mode=1777' }, { '/t': 'nope' }, { t: '' }, { '/t': 'size=x' },
    { '/': '' }, { '/t': 'rw,noexec,nosuid' }],
  UTSMode: ['', 'host', 'nope', 'container:x'], UsernsMode: ['', 'host', 'nope', 'private'],
    ShmSize: [0, 1048576, -1, 'x'],
  Sysctls: [{}, null, { 'net.ipv4.ip_forward': '1' }, { 'kernel.shmmax': '1000000' },
    { 'nope.x': '1' }, { 'kernel.hostname': 'x' }, { 'net.nope': '1' },
    { 'fs.mqueue.msg_max': '20' }, { '': '1' }, { 'kernel.shmmax': 5 }],
  Runtime: ['', 'runc', 'nope', 'io.containerd.runc.v2'], Isolation: ['', 'default', 'process',
    'hyperv', 'nope'], MaskedPaths: [null, [], ['/proc/kcore'], 'x'], ReadonlyPaths: [null, [],
    ['/proc/sys']], Init: [true, false, null, 'x'],
};

const together: Readonly<Record<string, Body>> = {
  'memory and swap': { Memory: 67108864, MemorySwap: 134217728 },
    'swap below memory': { Memory: 67108864, MemorySwap: 33554432 },
    'swap equal to memory': { Memory: 67108864, MemorySwap: 67108864 },
  'unlimited swap': { Memory: 67108864, MemorySwap: -1 },
    'reservation over memory': { Memory: 33554432, MemoryReservation: 67108864 },
  'CPUs and a quota': { NanoCpus: 500000000, CpuQuota: 50000 },
    'CPUs and a period': { NanoCpus: 500000000, CpuPeriod: 100000 },
    'a quota over its period': { CpuPeriod: 100000, CpuQuota: 200000 },
  'realtime over its period': { CpuRealtimePeriod: 1000, CpuRealtimeRuntime: 2000 },
    'no OOM killer, and a limit': { OomKillDisable: true, Memory: 67108864 },
  'a host network and ports': { NetworkMode: 'host',
    PortBindings: { '80/tcp': [{ HostPort: '18090' }] } },
    'no network and ports': { NetworkMode: 'none',
    PortBindings: { '80/tcp': [{ HostPort: '18090' }] } },
  'a container network and ports': { NetworkMode: 'container:tsdiff-running',
    PortBindings: { '80/tcp': [{ HostPort: '18090' }] } },
    'a container network and links': { NetworkMode: 'container:tsdiff-running',
    Links: ['tsdiff-running:a'] },
  'a host network and links': { NetworkMode: 'host', Links: ['tsdiff-running:a'] },
    'a container network and DNS': { NetworkMode: 'container:tsdiff-running', Dns: ['8.8.8.8'] },
  'a container network and hosts': { NetworkMode: 'container:tsdiff-running',
    ExtraHosts: ['a:1.2.3.4'] }, 'a host network and its sysctl': { NetworkMode: 'host',
    Sysctls: { 'net.ipv4.ip_forward': '1' } },
  'a host network, privileged, and its sysctl': { NetworkMode: 'host', Privileged: true,
    Sysctls: { 'net.ipv4.ip_forward': '1' } },
  'host IPC and its sysctl': { IpcMode: 'host', Sysctls: { 'kernel.shmmax': '1' } },
    'removal and restart': { AutoRemove: true, RestartPolicy: { Name: 'always' } },
    'removal and no restart': { AutoRemove: true, RestartPolicy: { Name: 'no' } },
  'privileged and a user namespace': { Privileged: true, UsernsMode: 'host' },
    'privileged and a private cgroup namespace': { Privileged: true, CgroupnsMode: 'private' },
  'a bind and a mount at one place': { Binds: ['/tmp:/m'], Mounts: [{ Type: 'tmpfs',
    Target: '/m' }] }, 'a tmpfs and a bind at one place': { Tmpfs: { '/m': '' },
    Binds: ['/tmp:/m'] },
  'read-only and a tmpfs': { ReadonlyRootfs: true, Tmpfs: { '/tmp': '' } },
    'host PID and IPC': { PidMode: 'host', IpcMode: 'host', UTSMode: 'host' },
    'all ports': { PublishAllPorts: true, PortBindings: { '81/tcp': [{ HostPort: '18091' }] } },
  'no IPC and a size of shm': { IpcMode: 'none', ShmSize: 1048576 },
    'host IPC and a size of shm': { IpcMode: 'host', ShmSize: 1048576 },
};

const endpoints: readonly Body[] = [
  {}, { EndpointsConfig: null }, { EndpointsConfig: {} }, { EndpointsConfig: { 'tsdiff-net': {} } },
    { EndpointsConfig: { 'tsdiff-net': null } }, { EndpointsConfig: { nope: {} } },
    { EndpointsConfig: { bridge: {} } },
  { EndpointsConfig: { bridge: {}, 'tsdiff-net': {} } },
    { EndpointsConfig: { 'tsdiff-net': { Aliases: ['a', 'b'] } } },
    { EndpointsConfig: { 'tsdiff-net': { MacAddress: 'x' } } },
    { EndpointsConfig: { 'tsdiff-net': { IPAMConfig: { IPv4Address: 'x' } } } },
  { EndpointsConfig: { 'tsdiff-net': { IPAMConfig: { IPv4Address: '10.1.2.3' } } } },
    { EndpointsConfig: { bridge: { IPAMConfig: { IPv4Address: '172.17.0.99' } } } },
    { EndpointsConfig: { bridge: { IPAMConfig: { IPv4Address: 'x' }, Aliases: ['a'] } } },
    { EndpointsConfig: { 'tsdiff-net': { IPAMConfig: { IPv6Address: 'fd00::5' } } } },
    { EndpointsConfig: { 'tsdiff-net': { IPAMConfig: { LinkLocalIPs: ['y', '::'] } } } },
    { EndpointsConfig: { 'tsdiff-net': { IPAMConfig: { LinkLocalIPs: ['169.254.3.3'] } } } },
    { EndpointsConfig: { 'tsdiff-net': { IPAMConfig: { LinkLocalIPs: ['10.4.4.4'] } } } },
    { EndpointsConfig: { 'tsdiff-net': { DriverOpts: { a: 'b' }, Links: ['tsdiff-running:x'] } } },
    { EndpointsConfig: 'x' }, { EndpointsConfig: { 'tsdiff-net': 'x' } },
];

const query: readonly Case[] = ['', '?name=', '?name=a', '?name=-x', '?name=a%20b',
  '?name=/tsdiff-x', '?name=//x', '?name=tsdiff-running', '?name=tsdiff-x&platform=linux',
  '?name=tsdiff-x&platform=linux/amd64', '?name=tsdiff-x&platform=windows',
  '?name=tsdiff-x&platform=linux/nope', '?name=tsdiff-x&platform=x/y/z/w',
  '?name=tsdiff-x&platform=linux/arm64'].map((text) =>
  ({ name: `create${text}`, requests: [
    { method: 'POST', path: `/containers/create${text}`, body: { ...baseBody,
      Labels: { tsdiff: 'x' } } },
    { method: 'DELETE', path: '/containers/{last}?force=1' },
  ] }),
);

const isShell = (field: string): boolean => field === 'Cmd' || field === 'Entrypoint';

/** Values that only a start tells apart. */
const fieldCases = (fields: typeof config, inHost: boolean): readonly Case[] =>
  Object.entries(fields).flatMap(([field, values]) =>
    values.map((value) => {
      // A shell waits for its input, so that what is looked at is a container that runs.
      const body = { ...(isShell(field) && { OpenStdin: true }), [field]: value };
      return life(`create ${field} ${JSON.stringify(value)}`, inHost ? { HostConfig: body } : body,
        true);
    }),
  );

/** Ports that are published and, as the docker client sends them, exposed. */
const published: readonly Case[] = Object.entries(host['PortBindings'] ?? [])
  .map(([, bindings]) => bindings as Body | null)
  .filter((bindings) => /"\d+\/(?:tcp|udp)":\[/.test(JSON.stringify(bindings)))
  .map((bindings) => life(`create exposed ${JSON.stringify(bindings)}`, {
    ExposedPorts: Object.fromEntries(Object.keys(bindings ?? {}).map((port) => [port, {}])),
    HostConfig: { PortBindings: bindings },
  }, true));

/** How networks may be named by id, and what does not go together. */
const byId: readonly Case[] = [
  [{ NetworkMode: 'tsdiff-net' }, { '{network}': { Aliases: ['x'] } }],
  [{ NetworkMode: '{network}' }, { 'tsdiff-net': { Aliases: ['x'] } }],
  [{ NetworkMode: '{network}' }, {}],
  [{ NetworkMode: 'none' }, { 'tsdiff-net': {} }],
  [{ NetworkMode: 'default' }, { default: {} }],
].map(([HostConfig, EndpointsConfig]) => life(
  `create on ${JSON.stringify(HostConfig)} with ${JSON.stringify(EndpointsConfig)}`,
  { HostConfig, NetworkingConfig: { EndpointsConfig } }, true));

const macs: readonly Case[] = [
  [{ NetworkMode: 'bridge' }, { 'tsdiff-net': {} }],
  [{ NetworkMode: 'tsdiff-net' }, { 'tsdiff-net': { MacAddress: '02:42:ac:11:00:98' } }],
  [{ NetworkMode: 'tsdiff-net' }, { 'tsdiff-net': { MacAddress: '02:42:ac:11:00:99' } }],
].map(([HostConfig, EndpointsConfig]) => life(
  `create with an address on ${JSON.stringify(HostConfig)} with ${JSON.stringify(EndpointsConfig)}`,
  { MacAddress: '02:42:ac:11:00:99', HostConfig, NetworkingConfig: { EndpointsConfig } }, false));

const old = once('POST', path, { says: 'create on two networks by an old client', version: '1.43',
  body: { ...baseBody, NetworkingConfig: { EndpointsConfig: { 'tsdiff-net': {}, bridge: {} } } } });

/** A working directory that the image lacks is there before the first start. */
const workingDirs: readonly Case[] = ['/made/new', '/etc/passwd', '/etc/passwd/x', '/bin/new',
  '/etc'].map((dir): Case => ({ name: `create in ${dir}, and look before a start`, requests: [
  { method: 'POST', path, body: { ...baseBody, WorkingDir: dir } },
  { method: 'HEAD', path: `/containers/tsdiff-x/archive?path=${dir}` },
  { method: 'GET', path: '/containers/tsdiff-x/changes', depth: 'values' },
] }));

const checked: Case = { name: 'create with a health check, and list', requests: [
  { method: 'POST', path, body: { ...baseBody, Labels: { tsdiff: 'health' },
    Healthcheck: { Test: ['CMD', 'true'], Interval: 1000000000 } } },
  { method: 'POST', path: '/containers/tsdiff-x/start' },
  { method: 'GET', path: `/containers/json?${filters({ label: ['tsdiff=health'] })}` },
  { method: 'GET', path: '/containers/tsdiff-x/json' },
] };

/** The cases of this file. */
export const createCases: readonly Case[] = [
  ...query, ...fieldCases(config, false), ...fieldCases(host, true),
  ...Object.entries(together).map(([name, body]) => life(`create: ${name}`, { HostConfig: body },
    true)),
  ...endpoints.flatMap((body) => ['default', 'tsdiff-net'].map((mode) =>
    life(`create in ${mode} with ${JSON.stringify(body)}`, { HostConfig: { NetworkMode: mode },
      NetworkingConfig: body }, true))),
  ...published, ...byId, ...macs, old, ...workingDirs, checked,
  once('POST', path, { says: 'create with a HostConfig of null', body: { ...baseBody,
    HostConfig: null } }),
  once('POST', path, { says: 'create with a HostConfig that is none', body: { ...baseBody,
    HostConfig: 'x' } }),
  once('POST', path, { says: 'create with a NetworkingConfig of null', body: { ...baseBody,
    NetworkingConfig: null } }),
];
