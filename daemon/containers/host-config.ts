/** The host config with everything said that Docker says for those who say nothing: pure. */
import type { HostConfig, LogConfig, RestartPolicy } from '../../api-spec/index.js';
import type { ContainerDefaults } from './context.js';

/** What was given, completed; an empty word is as good as none. */
export function completeHostConfig(defaults: ContainerDefaults, given: HostConfig): HostConfig {
  const privileged = given.Privileged === true;
  return {
    ...said(given),
    ...entries(given),
    ...consoleSize(given),
    ...securityOpt(given),
    NetworkMode: networkMode(given.NetworkMode),
    IpcMode: word(given.IpcMode, defaults.ipcMode),
    CgroupnsMode: word(given.CgroupnsMode, privileged ? 'host' : defaults.cgroupnsMode),
    Runtime: word(given.Runtime, defaults.runtime),
    ShmSize: number(given.ShmSize, defaults.shmSizeBytes),
    // Docker gives as much swap as memory to those who limit memory alone.
    MemorySwap: number(given.MemorySwap, (given.Memory ?? 0) * 2),
    LogConfig: logConfig(given.LogConfig, defaults),
    RestartPolicy: restartPolicy(given.RestartPolicy),
    ...(privileged ? {} : protectedPaths(given, defaults)),
    ...(given.Init === undefined && defaults.init ? { Init: true } : {}),
    ...cgroupParent(given, defaults),
  };
}

/** Fields that Docker leaves out when nothing is in them. */
const leftOutWhenEmpty: ReadonlySet<string> = new Set([
  'Annotations', 'Links', 'Mounts', 'StorageOpt', 'Sysctls', 'Tmpfs',
]);

/** Fields of other systems, or of kernels that are gone: taken, and not kept. */
const notKept: ReadonlySet<string> = new Set(['CpuPercent', 'KernelMemory']);

/** What was given and means something. */
function said(given: HostConfig): HostConfig {
  const means = ([field, value]: readonly [string, unknown]): boolean => {
    if (notKept.has(field)) return false;
    if (leftOutWhenEmpty.has(field)) return Object.keys(value ?? {}).length > 0;
    if (field === 'PidsLimit') return Number(value) > 0;
    if (field === 'KernelMemoryTCP') return value !== 0;
    return field !== 'MemorySwappiness' || value !== -1;
  };
  return Object.fromEntries(Object.entries(given).filter(means));
}

/** Ports and devices with every field that is not null when nobody sets it. */
function entries({ PortBindings, Devices, DeviceRequests }: HostConfig): HostConfig {
  return {
    ...(DeviceRequests && {
      DeviceRequests: DeviceRequests.map((request) => ({ Driver: '', Count: 0, ...request })),
    }),
    ...(PortBindings && {
      PortBindings: Object.fromEntries(
        Object.entries(PortBindings).map(([port, bindings]) => [
          port,
          bindings && bindings.map((binding) => ({ HostIp: '', HostPort: '', ...binding })),
        ]),
      ),
    }),
    ...(Devices && {
      Devices: Devices.map((device) => ({
        PathOnHost: '',
        PathInContainer: '',
        CgroupPermissions: '',
        ...device,
      })),
    }),
  };
}

/** Kept with the container, whose group stays where it is when the daemon's parent is another. */
function cgroupParent({ CgroupParent }: HostConfig, defaults: ContainerDefaults): HostConfig {
  const isSaid = CgroupParent !== undefined && CgroupParent !== '';
  return isSaid || defaults.cgroupParent === undefined
    ? {}
    : { CgroupParent: defaults.cgroupParent };
}

/** Two numbers, whatever was given: so Go reads an array of two. */
function consoleSize({ ConsoleSize: size }: HostConfig): HostConfig {
  return size === undefined ? {} : { ConsoleSize: [size[0] ?? 0, size[1] ?? 0] };
}

/** Who shares the host's processes or memory gets no label of its own. */
function securityOpt({ SecurityOpt: options, IpcMode, PidMode, Privileged }: HostConfig) {
  const shares = IpcMode === 'host' || PidMode === 'host' || Privileged === true;
  return shares && (options ?? []).length === 0 ? { SecurityOpt: ['label=disable'] } : {};
}

function word(given: string | undefined, otherwise: string): string {
  return given === undefined || given === '' ? otherwise : given;
}

function number(given: number | undefined, otherwise: number): number {
  return given === undefined || given === 0 ? otherwise : given;
}

function networkMode(given: string | undefined): string {
  return given === undefined || given === '' || given === 'default' ? 'bridge' : given;
}

/** The daemon's options hold for its own driver only. */
function logConfig(given: LogConfig | undefined, defaults: ContainerDefaults): LogConfig {
  const type = word(given?.Type, defaults.logDriver);
  const inherited = type === defaults.logDriver ? defaults.logOptions : {};
  return { Type: type, Config: { ...inherited, ...given?.Config } };
}

function restartPolicy(given: RestartPolicy | undefined): RestartPolicy {
  return { Name: word(given?.Name, 'no'), MaximumRetryCount: given?.MaximumRetryCount ?? 0 };
}

/** A list that is given, even an empty one, replaces the default. */
function protectedPaths(
  { MaskedPaths, ReadonlyPaths }: HostConfig,
  { maskedPaths, readonlyPaths }: ContainerDefaults,
): Pick<HostConfig, 'MaskedPaths' | 'ReadonlyPaths'> {
  return {
    MaskedPaths: MaskedPaths ?? maskedPaths,
    ReadonlyPaths: ReadonlyPaths ?? readonlyPaths,
  };
}
