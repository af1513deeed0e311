/** Figures of a container in the shape of Docker's API. Pure. */
import type {
  ContainerCPUStats,
  ContainerNetworkStats,
  ContainerStatsResponse,
} from '../../api-spec/index.js';
import type { CgroupStats } from '../runtime/cgroup/index.js';
import type { ContainerRecord } from './record.js';

/** What the whole machine has, and has used. */
export interface Machine {
  /** Of all processors together since the start, idle time included. */
  readonly systemNs: number;
  readonly cpus: number;
  readonly memoryBytes: number;
}

const NEVER = '0001-01-01T00:00:00Z';
/** /proc/stat counts in hundredths of a second. */
const NS_PER_TICK = 10_000_000;
/** user, nice, system, idle, iowait, irq, softirq, steal; guest time is within user's. */
const SUMMED_FIELDS = 8;

/** The CPU part of a sample that has none before it. */
export const emptyCpu: ContainerCPUStats = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

/** Of a container that does not run. */
export function noSample({ id, name }: ContainerRecord): ContainerStatsResponse {
  return {
    read: NEVER,
    preread: NEVER,
    pids_stats: {},
    blkio_stats: {
      io_service_bytes_recursive: null, io_serviced_recursive: null, ...otherBlockIo(null),
    },
    num_procs: 0,
    storage_stats: {},
    cpu_stats: emptyCpu,
    precpu_stats: emptyCpu,
    memory_stats: {},
    name: `/${name}`,
    id,
  };
}

/** All of a sample but names, times and what was before. */
export function sampleShape(used: CgroupStats, machine: Machine) {
  const { pids, blockIo } = used;
  return {
    os_type: 'linux',
    pids_stats: pids,
    blkio_stats: {
      io_service_bytes_recursive: [...blockIo.serviceBytes],
      io_serviced_recursive: [...blockIo.serviced],
      // Version 2 has no more; version 1 says nothing of the rest with today's schedulers.
      ...otherBlockIo(used.cpu.perCpuNs === undefined ? null : []),
    },
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuShape(used, machine),
    memory_stats: memoryShape(used, machine),
  };
}

function otherBlockIo(none: [] | null) {
  return {
    io_queue_recursive: none,
    io_service_time_recursive: none,
    io_wait_time_recursive: none,
    io_merged_recursive: none,
    io_time_recursive: none,
    sectors_recursive: none,
  };
}

/** CPU time so far, of the container and of the machine. */
export function cpuShape({ cpu }: CgroupStats, { systemNs, cpus }: Machine): ContainerCPUStats {
  return {
    cpu_usage: {
      total_usage: cpu.totalNs,
      ...(cpu.perCpuNs === undefined ? {} : { percpu_usage: [...cpu.perCpuNs] }),
      usage_in_kernelmode: cpu.kernelNs,
      usage_in_usermode: cpu.userNs,
    },
    system_cpu_usage: systemNs,
    online_cpus: cpus,
    throttling_data: {
      periods: cpu.periods,
      throttled_periods: cpu.throttledPeriods,
      throttled_time: cpu.throttledNs,
    },
  };
}

/** No limit is the machine's memory; a larger one is none. */
function memoryShape({ memory }: CgroupStats, { memoryBytes }: Machine) {
  const { usageBytes, maxUsageBytes, limitBytes = memoryBytes, oomCount, details } = memory;
  // Of version 2 Docker tells how often memory ran out, and not what was the most.
  const failCount = oomCount ?? memory.failCount ?? 0;
  const isTold = oomCount === undefined && maxUsageBytes !== undefined;
  return {
    usage: usageBytes,
    ...(isTold ? { max_usage: maxUsageBytes } : {}),
    stats: details,
    ...(failCount === 0 ? {} : { failcnt: failCount }),
    limit: Math.min(limitBytes, memoryBytes),
  };
}

/** From the first line of /proc/stat. */
export function systemCpuNs(procStat: string): number {
  const [line = ''] = procStat.split('\n', 1);
  const ticks = line.split(/\s+/).slice(1, 1 + SUMMED_FIELDS).map(Number);
  return ticks.reduce((sum, each) => sum + each, 0) * NS_PER_TICK;
}

/** From /proc/<pid>/net/dev, of the links that networks gave it; undefined when there is none. */
export function linkCounters(
  netDev: string,
): Readonly<Record<string, ContainerNetworkStats>> | undefined {
  const links = netDev.split('\n').flatMap((line) => {
    const match = /^\s*(\S+):\s*(.*)$/.exec(line);
    if (match === null || !/^eth\d+$/.test(match[1] ?? '')) return [];
    return [[match[1] ?? '', countersOf((match[2] ?? '').split(/\s+/).map(Number))] as const];
  });
  return links.length === 0 ? undefined : Object.fromEntries(links);
}

/** Eight columns received, then eight sent; of each the first four are told. */
function countersOf(columns: readonly number[]): ContainerNetworkStats {
  const [rxBytes = 0, rxPackets = 0, rxErrors = 0, rxDropped = 0] = columns;
  const [txBytes = 0, txPackets = 0, txErrors = 0, txDropped = 0] = columns.slice(8);
  return {
    rx_bytes: rxBytes, rx_packets: rxPackets, rx_errors: rxErrors, rx_dropped: rxDropped,
    tx_bytes: txBytes, tx_packets: txPackets, tx_errors: txErrors, tx_dropped: txDropped,
  };
}
