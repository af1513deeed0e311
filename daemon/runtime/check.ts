/** What `create` refuses or warns about, before anything of a container exists. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { HostConfig, Ulimit } from '../../api-spec/index.js';
import type { ContainerRecord } from '../containers/record.js';
import { gpuKind } from './cdi/gpus.js';
import { isCdi, kindsOf, noDriver } from './cdi/inject.js';
import { readCdiDevices } from './cdi/registry.js';
import type { Cgroups } from './cgroup/index.js';
import type { HostFacts } from './host-facts.js';
import { containerCapabilities } from './spec/capabilities.js';
import { deviceAccess, parseDeviceRule } from './spec/devices.js';
import { cpuLimits, memoryLimits, pidsLimit } from './spec/resources.js';
import { rlimits } from './spec/rlimits.js';
import { parseSecurityOptions } from './spec/security-options.js';
import { sysctls } from './spec/sysctls.js';

const MIN_MEMORY_BYTES = 6 * 1024 * 1024;
const MAX_PERIOD_US = 1_000_000;
const MIN_PERIOD_US = 1000;

/** What a check has to know of this machine. */
export interface CheckContext {
  readonly host: HostFacts;
  readonly cgroups: Cgroups;
  readonly defaultUlimits: readonly Ulimit[];
  readonly cdiSpecDirs: readonly string[];
  /** Containers have user namespaces, unless they ask for the host's. */
  readonly remap?: object;
}

/** Warnings, as Docker words them. Throws `ApiError` 400. */
export function checkRecord(record: ContainerRecord, context: CheckContext): readonly string[] {
  const { hostConfig } = record;
  const { host } = context;
  parseSecurityOptions(hostConfig.SecurityOpt ?? [], false);
  containerCapabilities(
    {
      privileged: hostConfig.Privileged ?? false,
      add: hostConfig.CapAdd ?? [],
      drop: hostConfig.CapDrop ?? [],
    },
    host.capabilities,
  );
  rlimits(hostConfig.Ulimits ?? [], context.defaultUlimits);
  for (const rule of hostConfig.DeviceCgroupRules ?? []) parseDeviceRule(rule);
  for (const device of hostConfig.Devices ?? []) deviceAccess(device.CgroupPermissions);
  checkSysctls(hostConfig);
  checkMemory(hostConfig);
  checkCpu(hostConfig, host);
  checkShares(hostConfig, host);
  checkRates(hostConfig);
  checkRest(hostConfig);
  checkDevices(hostConfig, context.cdiSpecDirs);
  if (context.remap !== undefined) checkRemapped(hostConfig);
  return warnings(hostConfig, context);
}

function checkSysctls(hostConfig: HostConfig): void {
  const isOwn = (mode: string | undefined): boolean =>
    mode !== 'host' && !(mode ?? '').startsWith('container:');
  sysctls(hostConfig.Sysctls ?? {}, {
    ipc: isOwn(hostConfig.IpcMode),
    network: isOwn(hostConfig.NetworkMode),
    uts: isOwn(hostConfig.UTSMode),
  });
}

const refuseIf = (wrong: boolean, message: string): void => {
  if (wrong) throw invalidParameter(message);
};

function checkMemory(hostConfig: HostConfig): void {
  const { Memory = 0, MemorySwap = 0, MemoryReservation = 0 } = hostConfig;
  refuseIf(Memory !== 0 && Memory < MIN_MEMORY_BYTES, 'Minimum memory limit allowed is 6MB');
  refuseIf(
    Memory > 0 && MemorySwap > 0 && MemorySwap < Memory,
    'Minimum memoryswap limit should be larger than memory limit, see usage',
  );
  refuseIf(
    Memory === 0 && MemorySwap > 0,
    'You should always set the Memory limit when using Memoryswap limit, see usage',
  );
  refuseIf(
    MemoryReservation > 0 && MemoryReservation < MIN_MEMORY_BYTES,
    'Minimum memory reservation allowed is 6MB',
  );
  refuseIf(
    Memory > 0 && MemoryReservation > 0 && Memory < MemoryReservation,
    'Minimum memory limit can not be less than memory reservation limit, see usage',
  );
  memoryLimits(hostConfig);
}

function checkRealtime(hostConfig: HostConfig, host: HostFacts): void {
  const { CpuRealtimePeriod: period = 0, CpuRealtimeRuntime: runtime = 0 } = hostConfig;
  refuseIf(
    (period !== 0 || runtime !== 0) && !host.hasRealtime,
    'kernel does not support CPU real-time scheduler',
  );
  refuseIf(period < 0 || runtime < 0, 'cpu real-time limits cannot be negative');
  refuseIf(
    period !== 0 && runtime !== 0 && runtime > period,
    'cpu real-time runtime cannot be higher than cpu real-time period',
  );
}

function checkCpu(hostConfig: HostConfig, host: HostFacts): void {
  const { NanoCpus = 0, CpuPeriod = 0, CpuQuota = 0, CpuShares = 0 } = hostConfig;
  const conflict = (name: string): string =>
    `Conflicting options: Nano CPUs and CPU ${name} cannot both be set`;
  refuseIf(NanoCpus > 0 && CpuPeriod > 0, conflict('Period'));
  refuseIf(NanoCpus > 0 && CpuQuota > 0, conflict('Quota'));
  refuseIf(
    NanoCpus < 0 || NanoCpus > host.cpus * 1e9,
    `Range of CPUs is from 0.01 to ${host.cpus}.00, as there are only ${host.cpus} CPUs available`,
  );
  refuseIf(CpuShares < 0, `invalid CPU shares (${CpuShares}): value must be a positive integer`);
  refuseIf(
    CpuPeriod !== 0 && (CpuPeriod < MIN_PERIOD_US || CpuPeriod > MAX_PERIOD_US),
    'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
  );
  refuseIf(
    CpuQuota > 0 && CpuQuota < MIN_PERIOD_US,
    'CPU cfs quota can not be less than 1ms (i.e. 1000)',
  );
  checkRealtime(hostConfig, host);
  cpuLimits(hostConfig);
  const asked = cpusOf(hostConfig.CpusetCpus ?? '');
  refuseIf(
    asked.some((cpu) => cpu >= host.cpus),
    `Requested CPUs are not available - requested ${hostConfig.CpusetCpus ?? ''}, available: ` +
      `0-${host.cpus - 1}`,
  );
  const nodes = hostConfig.CpusetMems ?? '';
  refuseIf(
    !isWithin(nodes, host.memoryNodes),
    `Requested memory nodes are not available - requested ${nodes}, ` +
      `available: ${host.memoryNodes}`,
  );
}

/** Whether the ends of all ranges lie in ranges of the other list. */
function isWithin(list: string, all: string): boolean {
  const ranges = all.split(',').map((part) => part.split('-').map(Number));
  return cpusOf(list).every((node) =>
    ranges.some(([first = NaN, last = first]) => first <= node && node <= last),
  );
}

/** Only the ends of each range: a list may name thousands. */
function cpusOf(list: string): number[] {
  return list === '' ? [] : list.split(/[,-]/).map(Number);
}

const rateFields = [
  'BlkioDeviceReadBps', 'BlkioDeviceWriteBps', 'BlkioDeviceReadIOps', 'BlkioDeviceWriteIOps',
] as const;

/** Docker's rates are unsigned, and so no JSON with another is one to it. */
function checkRates(hostConfig: HostConfig): void {
  for (const field of rateFields) {
    const wrong = (hostConfig[field] ?? []).find(({ Rate = 0 }) => Rate < 0)?.Rate;
    refuseIf(
      wrong !== undefined,
      `invalid JSON: cannot unmarshal number ${wrong} into field ${field}.Rate of type uint64`,
    );
  }
}

function checkRest(hostConfig: HostConfig): void {
  const { OomScoreAdj = 0, BlkioWeight = 0, ShmSize = 0 } = hostConfig;
  refuseIf(
    OomScoreAdj < -1000 || OomScoreAdj > 1000,
    `Invalid value ${OomScoreAdj}, range for oom score adj is [-1000, 1000]`,
  );
  refuseIf(
    BlkioWeight !== 0 && (BlkioWeight < 10 || BlkioWeight > 1000),
    'Range of blkio weight is from 10 to 1000',
  );
  refuseIf(ShmSize < 0, 'SHM size can not be less than 0');
}

/** Which devices there are counts when it starts; here, whether there is anybody to be asked. */
function checkDevices(hostConfig: HostConfig, cdiDirs: readonly string[]): void {
  const requests = hostConfig.DeviceRequests ?? [];
  const cdi = requests.find((each) => isCdi(each));
  if (cdi !== undefined && cdiDirs.length === 0) throw noDriver(cdi);
  const others = requests.filter((each) => !isCdi(each));
  if (others.length === 0) return;
  const kinds = kindsOf(readCdiDevices(cdiDirs).devices);
  const refused = others.find((each) => gpuKind(each, kinds) === undefined);
  if (refused !== undefined) throw noDriver(refused);
}

/** What only the host's own root may do. */
function checkRemapped({ UsernsMode, Privileged, NetworkMode, PidMode }: HostConfig): void {
  if (UsernsMode === 'host') return;
  refuseIf(
    Privileged === true,
    'privileged mode is incompatible with user namespaces.  You must run the container in the ' +
      'host namespace when running privileged mode',
  );
  refuseIf(
    NetworkMode === 'host',
    'cannot share the host\'s network namespace when user namespaces are enabled',
  );
  refuseIf(
    PidMode === 'host',
    'cannot share the host PID namespace when user namespaces are enabled',
  );
}

const MAX_SHARES = 262_144;

/** Docker's bounds, which the files of version 1 keep silently. */
function checkShares({ CpuShares = 0 }: HostConfig, { cgroups }: HostFacts): void {
  if (cgroups.version === 2) return;
  refuseIf(CpuShares === 1, 'the minimum allowed cpu-shares is 2');
  refuseIf(CpuShares > MAX_SHARES, `the maximum allowed cpu-shares is ${MAX_SHARES}`);
}

function warnings(hostConfig: HostConfig, { cgroups, host }: CheckContext): readonly string[] {
  const memory = memoryLimits(hostConfig);
  const cpu = cpuLimits(hostConfig);
  const pids = pidsLimit(hostConfig);
  const weight = hostConfig.BlkioWeight ?? 0;
  // Which device it is counts when it is written.
  const weightDevice = (hostConfig.BlkioWeightDevice ?? []).map(({ Weight = 0 }) => ({
    major: 0, minor: 0, weight: Weight,
  }));
  const list = [
    ...cgroups.warnings({
      devices: [],
      ...(memory === undefined ? {} : { memory }),
      ...(cpu === undefined ? {} : { cpu }),
      ...(pids === undefined ? {} : { pids }),
      blockIO: { ...(weight > 0 ? { weight } : {}), weightDevice },
    }),
  ];
  if (hostConfig.OomKillDisable === true && (hostConfig.Memory ?? 0) === 0) {
    list.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in ' +
        'the system running out of resources.',
    );
  }
  const lowers = (hostConfig.OomScoreAdj ?? 0) < 0 && !host.capabilities.has('CAP_SYS_RESOURCE');
  if (lowers) list.push('This daemon may not lower oom_score_adj: the value is passed over.');
  return list;
}
