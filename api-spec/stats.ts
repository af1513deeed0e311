/** What a container uses, as one sample; times in nanoseconds, sizes in bytes. */
import { Type } from 'typebox';
import { list, map, nullable, optional, text, whole, type Shape } from './shape.js';

const entries = optional(
  nullable(list(Type.Object({ major: whole, minor: whole, op: text, value: whole }))),
);

/** CPU time so far. */
export const ContainerCPUStats = Type.Object({
  cpu_usage: Type.Object({
    total_usage: whole,
    percpu_usage: optional(nullable(list(whole))),
    usage_in_kernelmode: whole,
    usage_in_usermode: whole,
  }),
  system_cpu_usage: optional(whole),
  online_cpus: optional(whole),
  throttling_data: Type.Object({
    periods: whole,
    throttled_periods: whole,
    throttled_time: whole,
  }),
});
/** CPU time so far. */
export type ContainerCPUStats = Shape<typeof ContainerCPUStats>;

/** Memory now; `limit` is the host's when the container has none. */
export const ContainerMemoryStats = Type.Object({
  usage: optional(whole),
  max_usage: optional(whole),
  stats: optional(map(whole)),
  failcnt: optional(whole),
  limit: optional(whole),
});
/** Memory now; `limit` is the host's when the container has none. */
export type ContainerMemoryStats = Shape<typeof ContainerMemoryStats>;

/** Block I/O so far. */
export const ContainerBlkioStats = Type.Object({
  io_service_bytes_recursive: entries,
  io_serviced_recursive: entries,
  io_queue_recursive: entries,
  io_service_time_recursive: entries,
  io_wait_time_recursive: entries,
  io_merged_recursive: entries,
  io_time_recursive: entries,
  sectors_recursive: entries,
});
/** Block I/O so far. */
export type ContainerBlkioStats = Shape<typeof ContainerBlkioStats>;

/** One link's counters so far. */
export const ContainerNetworkStats = Type.Object({
  rx_bytes: whole,
  rx_packets: whole,
  rx_errors: whole,
  rx_dropped: whole,
  tx_bytes: whole,
  tx_packets: whole,
  tx_errors: whole,
  tx_dropped: whole,
});
/** One link's counters so far. */
export type ContainerNetworkStats = Shape<typeof ContainerNetworkStats>;

/** One sample; of a container that does not run there are only the names. */
export const ContainerStatsResponse = Type.Object({
  id: text,
  name: text,
  os_type: optional(text),
  read: optional(text),
  preread: optional(text),
  pids_stats: optional(Type.Object({ current: optional(whole), limit: optional(whole) })),
  blkio_stats: optional(ContainerBlkioStats),
  num_procs: optional(whole),
  storage_stats: optional(Type.Object({})),
  cpu_stats: optional(ContainerCPUStats),
  precpu_stats: optional(ContainerCPUStats),
  memory_stats: optional(ContainerMemoryStats),
  networks: optional(map(ContainerNetworkStats)),
});
/** One sample; of a container that does not run there are only the names. */
export type ContainerStatsResponse = Shape<typeof ContainerStatsResponse>;
