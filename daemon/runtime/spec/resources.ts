/** Limits of a container, from the API's units to the OCI configuration's. */
import { invalidParameter } from '../../../api-spec/errors.js';
import type { HostConfig, ThrottleDevice } from '../../../api-spec/index.js';
import type { OciBlockIo, OciCpu, OciMemory, OciThrottleDevice } from '../oci.js';

const DEFAULT_PERIOD_US = 100_000;
const NANO = 1_000_000_000;

/** A device as the kernel knows it. */
export interface DeviceNumbers {
  readonly major: number;
  readonly minor: number;
}

/** Undefined when nothing is limited. A swap of 0 means as much again as the memory. */
export function memoryLimits(host: HostConfig): OciMemory | undefined {
  const limit = host.Memory ?? 0;
  const swap = host.MemorySwap ?? 0;
  const memory: OciMemory = {
    ...(limit > 0 ? { limit } : {}),
    ...(positive(host.MemoryReservation, 'reservation') ?? {}),
    ...(swap !== 0 ? { swap } : limit > 0 ? { swap: 2 * limit } : {}),
    ...(inPercent(host.MemorySwappiness) ?? {}),
    ...(host.OomKillDisable === true ? { disableOOMKiller: true } : {}),
  };
  return Object.keys(memory).length === 0 ? undefined : memory;
}

function positive<K extends string>(
  value: number | undefined,
  key: K,
): Record<K, number> | undefined {
  if (value === undefined || value <= 0) return undefined;
  return { [key]: value } as Record<K, number>; // one key, just written
}

function inPercent(value: number | undefined): { swappiness: number } | undefined {
  if (value === undefined || value === -1) return undefined;
  if (value < 0 || value > 100) {
    throw invalidParameter(
      `Invalid value: ${value}, valid memory swappiness range is 0-100`,
    );
  }
  return { swappiness: value };
}

/** Undefined when nothing is limited. */
export function cpuLimits(host: HostConfig): OciCpu | undefined {
  const nano = host.NanoCpus ?? 0;
  const quota = host.CpuQuota ?? 0;
  // Less than 0.00001 CPUs is none to the kernel, and so no limit, as Docker has it.
  const nanoQuota = Math.trunc((nano * DEFAULT_PERIOD_US) / NANO);
  const cpu: OciCpu = {
    ...(positive(host.CpuShares, 'shares') ?? {}),
    ...(nano > 0
      ? { period: DEFAULT_PERIOD_US, ...(nanoQuota > 0 ? { quota: nanoQuota } : {}) }
      : { ...(positive(host.CpuPeriod, 'period') ?? {}), ...(quota === 0 ? {} : { quota }) }),
    ...(positive(host.CpuRealtimePeriod, 'realtimePeriod') ?? {}),
    ...(positive(host.CpuRealtimeRuntime, 'realtimeRuntime') ?? {}),
    ...(cpuList(host.CpusetCpus, 'cpus') ?? {}),
    ...(cpuList(host.CpusetMems, 'mems') ?? {}),
  };
  return Object.keys(cpu).length === 0 ? undefined : cpu;
}

/** The kernel's own bound: a longer list is an attack on whoever expands it. */
const MAX_CPU = 8192;

function cpuList<K extends string>(
  text: string | undefined,
  key: K,
): Record<K, string> | undefined {
  if (text === undefined || text === '') return undefined;
  const parts = text.split(',');
  const isValid = parts.every((part) => {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim());
    if (match === null) return false;
    const [, first = '', last = first] = match;
    return Number(first) <= Number(last) && Number(last) < MAX_CPU;
  });
  if (!isValid) {
    throw invalidParameter(`Invalid value ${text} for cpuset ${key}: invalid format: ${text}`);
  }
  return { [key]: text } as Record<K, string>; // one key, just written
}

/** `limit` -1 for none; undefined leaves the parent's alone. */
export function pidsLimit(host: HostConfig): { limit: number } | undefined {
  if (host.PidsLimit === undefined) return undefined;
  return { limit: host.PidsLimit > 0 ? host.PidsLimit : -1 };
}

/** `devices` has the numbers of every path that the configuration names. */
export function blockIoLimits(
  host: HostConfig,
  devices: ReadonlyMap<string, DeviceNumbers>,
): OciBlockIo | undefined {
  const throttle = (list: readonly ThrottleDevice[] | undefined): OciThrottleDevice[] =>
    (list ?? []).map(({ Path = '', Rate = 0 }) => ({ ...numbers(devices, Path), rate: Rate }));
  const weightDevice = (host.BlkioWeightDevice ?? []).map(({ Path = '', Weight = 0 }) => ({
    ...numbers(devices, Path),
    weight: Weight,
  }));
  const lists = {
    weightDevice,
    throttleReadBpsDevice: throttle(host.BlkioDeviceReadBps),
    throttleWriteBpsDevice: throttle(host.BlkioDeviceWriteBps),
    throttleReadIOPSDevice: throttle(host.BlkioDeviceReadIOps),
    throttleWriteIOPSDevice: throttle(host.BlkioDeviceWriteIOps),
  };
  const blockIo: OciBlockIo = {
    ...(positive(host.BlkioWeight, 'weight') ?? {}),
    ...Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)),
  };
  return Object.keys(blockIo).length === 0 ? undefined : blockIo;
}

function numbers(devices: ReadonlyMap<string, DeviceNumbers>, path: string): DeviceNumbers {
  const found = devices.get(path);
  if (found === undefined) throw invalidParameter(`no such block device: ${path}`);
  return found;
}

/** The block devices that the limits name. */
export function blockDevicePaths(host: HostConfig): readonly string[] {
  const lists = [
    host.BlkioWeightDevice, host.BlkioDeviceReadBps, host.BlkioDeviceWriteBps,
    host.BlkioDeviceReadIOps, host.BlkioDeviceWriteIOps,
  ];
  return lists.flatMap((list) => (list ?? []).map((entry) => entry.Path ?? ''));
}
