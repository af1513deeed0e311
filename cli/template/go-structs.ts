/**
 * The structs of Docker's Go client, by their fields in order: Go prints a struct without its
 * fields' names, and with the zero value of each field that the API leaves out. A field's last
 * character says what its zero is (none: an empty text); parentheses stand for embedded structs.
 * Pointers inside of structs, of which Go shows the address, are shown by what they point to.
 */
const sources = {
  ContainerConfig:
    'Hostname Domainname User AttachStdin? AttachStdout? AttachStderr? ExposedPorts% Tty? ' +
    'OpenStdin? StdinOnce? Env+ Cmd+ Healthcheck* ArgsEscaped? Image Volumes% WorkingDir ' +
    'Entrypoint+ NetworkDisabled? MacAddress OnBuild+ Labels% StopSignal StopTimeout* Shell+',
  ImageConfig:
    '( User ExposedPorts% Env+ Entrypoint+ Cmd+ Volumes% WorkingDir Labels% StopSignal ' +
    'ArgsEscaped? ) ( Healthcheck* OnBuild+ Shell+ )',
  ConfigFrom: 'Network',
  Device: 'PathOnHost PathInContainer CgroupPermissions',
  Empty: '',
  Endpoint:
    'IPAMConfig* Links+ Aliases+ MacAddress DriverOpts% GwPriority# NetworkID EndpointID ' +
    'Gateway IPAddress IPPrefixLen# IPv6Gateway GlobalIPv6Address GlobalIPv6PrefixLen# DNSNames+',
  GraphDriver: 'Data% Name',
  Health: 'Status FailingStreak# Log+',
  Healthcheck: 'Test+ Interval@ Timeout@ StartPeriod@ StartInterval@ Retries#',
  HostConfig:
    'Binds+ ContainerIDFile LogConfig NetworkMode PortBindings% RestartPolicy AutoRemove? ' +
    'VolumeDriver VolumesFrom+ ConsoleSize Annotations% CapAdd+ CapDrop+ CgroupnsMode Dns+ ' +
    'DnsOptions+ DnsSearch+ ExtraHosts+ GroupAdd+ IpcMode Cgroup Links+ OomScoreAdj# PidMode ' +
    'Privileged? PublishAllPorts? ReadonlyRootfs? SecurityOpt+ StorageOpt% Tmpfs% UTSMode ' +
    'UsernsMode ShmSize# Sysctls% Runtime Isolation ( CpuShares# Memory# NanoCpus# ' +
    'CgroupParent BlkioWeight# BlkioWeightDevice+ BlkioDeviceReadBps+ BlkioDeviceWriteBps+ ' +
    'BlkioDeviceReadIOps+ BlkioDeviceWriteIOps+ CpuPeriod# CpuQuota# CpuRealtimePeriod# ' +
    'CpuRealtimeRuntime# CpusetCpus CpusetMems Devices+ DeviceCgroupRules+ DeviceRequests+ ' +
    'KernelMemory# KernelMemoryTCP# MemoryReservation# MemorySwap# MemorySwappiness* ' +
    'OomKillDisable* PidsLimit* Ulimits+ CpuCount# CpuPercent# IOMaximumIOps# ' +
    'IOMaximumBandwidth# ) Mounts+ MaskedPaths+ ReadonlyPaths+ Init*',
  IPAM: 'Driver Options% Config+',
  IPAMConfig: 'Subnet IPRange Gateway AuxiliaryAddresses%',
  LogConfig: 'Type Config%',
  Mount:
    'Type Source Target ReadOnly? Consistency BindOptions* VolumeOptions* ImageOptions* ' +
    'TmpfsOptions* ClusterOptions*',
  MountPoint: 'Type Name Source Destination Driver Mode RW? Propagation',
  Network:
    'Name Id Created! Scope Driver EnableIPv4? EnableIPv6? IPAM Internal? Attachable? Ingress? ' +
    'ConfigFrom ConfigOnly? Containers% Options% Labels% Peers+ Services%',
  NetworkContainer: 'Name EndpointID MacAddress IPv4Address IPv6Address',
  NetworkSettings:
    '( Bridge SandboxID SandboxKey Ports% HairpinMode? LinkLocalIPv6Address ' +
    'LinkLocalIPv6PrefixLen# SecondaryIPAddresses+ SecondaryIPv6Addresses+ ) ( EndpointID ' +
    'Gateway GlobalIPv6Address GlobalIPv6PrefixLen# IPAddress IPPrefixLen# IPv6Gateway ' +
    'MacAddress ) Networks%',
  Plugins: 'Volume+ Network+ Authorization+ Log+',
  RestartPolicy: 'Name MaximumRetryCount#',
  RootFS: 'Type Layers+',
  State:
    'Status Running? Paused? Restarting? OOMKilled? Dead? Pid# ExitCode# Error StartedAt ' +
    'FinishedAt Health*',
  Swarm:
    'NodeID NodeAddr LocalNodeState ControlAvailable? Error RemoteManagers+ Nodes# Managers# ' +
    'Cluster* Warnings+',
  Volume:
    'ClusterVolume* CreatedAt Driver Labels% Mountpoint Name Options% Scope Status% UsageData*',
};

type StructName = keyof typeof sources;

const zeros: Readonly<Record<string, string>> = {
  '?': 'false',
  '#': '0',
  '+': '[]',
  '%': 'map[]',
  '*': '<nil>',
  '@': '0s',
};

/** What the members of a list or map are, by the name of the field that holds it. */
const members: Readonly<Record<string, StructName | undefined>> = {
  Containers: 'NetworkContainer',
  Devices: 'Device',
  ExposedPorts: 'Empty',
  Networks: 'Endpoint',
  Volumes: 'Empty',
};

/** Fields that are one struct wherever they stand. */
const named: ReadonlySet<string> = new Set<StructName>([
  'ConfigFrom', 'GraphDriver', 'Health', 'Healthcheck', 'HostConfig', 'IPAM', 'LogConfig',
  'NetworkSettings', 'Plugins', 'RestartPolicy', 'RootFS', 'State', 'Swarm',
]);

const marked = new WeakMap<object, string>();

/** Remembers which struct this object is, going by its field's `name` and what it is `within`. */
export function markStruct(value: object, name: string, within: string): void {
  const struct = structName(value, name, within);
  if (struct !== undefined) marked.set(value, sources[struct]);
  if (name !== '' || within !== '') return;
  const { Config, RootFS, IPAM, Mountpoint } = Object.fromEntries<unknown>(Object.entries(value));
  if (IPAM !== undefined) marked.set(value, sources.Network);
  if (Mountpoint !== undefined) marked.set(value, sources.Volume);
  // An image, which names its configuration as a container does.
  if (RootFS === undefined || typeof Config !== 'object' || Config === null) return;
  marked.set(Config, sources.ImageConfig);
}

function structName(value: object, name: string, within: string): StructName | undefined {
  if (within === 'Mounts') return Object.hasOwn(value, 'Destination') ? 'MountPoint' : 'Mount';
  if (name === '' && within === 'Config') return 'IPAMConfig';
  const member = members[within];
  if (member !== undefined) return member;
  if (name === 'Config' && within === '') return 'ContainerConfig';
  return isNamed(name) ? name : undefined;
}

function isNamed(name: string): name is StructName {
  return named.has(name);
}

/** The fields that a marked object has not, with what Go has in their place; times are left out. */
export function absentFields(value: object): ReadonlyMap<string, string | number | boolean> {
  const absent = new Map<string, string | number | boolean>();
  for (const word of (marked.get(value) ?? '').split(' ')) {
    const [, field = '', kind = ''] = /^(\w*)(\W?)$/.exec(word) ?? [];
    if (field === '' || kind === '!' || Object.hasOwn(value, field)) continue;
    absent.set(field, kind === '?' ? false : kind === '#' ? 0 : (zeros[kind] ?? ''));
  }
  return absent;
}

/** A marked object as Go prints it, or undefined; `print` prints a field's value. */
export function structText(
  value: object,
  print: (field: unknown) => string,
): string | undefined {
  const source = marked.get(value);
  if (source === undefined) return undefined;
  const fields = new Map<string, unknown>(Object.entries(value));
  const words = source.split(' ').map((word) => {
    if (word === '(' || word === ')') return word;
    const [, field = '', kind = ''] = /^(\w*)(\W?)$/.exec(word) ?? [];
    const found = fields.get(field);
    if (found === undefined || found === null) return zeros[kind] ?? '';
    if (kind === '!') return moment(print(found));
    return kind === '@' ? duration(Number(found)) : print(found);
  });
  return `{${joined(words)}}`;
}

function joined(words: readonly string[]): string {
  let text = '';
  let isFirst = true;
  for (const word of words) {
    if (word === ')') text += '}';
    else text += (isFirst ? '' : ' ') + (word === '(' ? '{' : word);
    isFirst = word === '(';
  }
  return text;
}

/** A time of the API as Go prints it: without the zeros at its end. */
function moment(text: string): string {
  const [, day, time = '', digits = ''] = /^(.+)T([\d:]+)(\.\d+)?Z$/.exec(text) ?? [];
  return day === undefined ? text : `${day} ${time}${digits.replace(/\.?0+$/, '')} +0000 UTC`;
}

const second = 1e9;

/** Nanoseconds as Go's time.Duration prints them. */
function duration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s';
  if (nanoseconds < 1e3) return `${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${nanoseconds / 1e3}µs`;
  if (nanoseconds < second) return `${nanoseconds / 1e6}ms`;
  const minutes = Math.floor(nanoseconds / (60 * second));
  const seconds = `${(nanoseconds - minutes * 60 * second) / second}s`;
  if (minutes === 0) return seconds;
  if (minutes < 60) return `${minutes}m${seconds}`;
  return `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}
