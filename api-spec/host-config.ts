/** What a container gets from, and may do to, its host. */
import { Type } from 'typebox';
import { Mount } from './mounts.js';
import { flag, list, map, nullable, optional, text, whole, type Shape, words } from './shape.js';

/** One address and port of the host; both strings, port may be empty or a range. */
export const PortBinding = Type.Object({ HostIp: optional(text), HostPort: optional(text) });
/** One address and port of the host; both strings, port may be empty or a range. */
export type PortBinding = Shape<typeof PortBinding>;

/** From `80/tcp` to where it is published; null: exposed and not published. */
export const PortMap = map(nullable(list(PortBinding)));
/** From `80/tcp` to where it is published; null: exposed and not published. */
export type PortMap = Shape<typeof PortMap>;

/** When a container that ended is started again: `no`, `always`, `unless-stopped`, `on-failure`. */
export const RestartPolicy = Type.Object({
  Name: optional(text),
  MaximumRetryCount: optional(whole),
});
/** When a container that ended is started again: `no`, `always`, `unless-stopped`, `on-failure`. */
export type RestartPolicy = Shape<typeof RestartPolicy>;

/** A device node of the host, and where it is seen inside. */
export const DeviceMapping = Type.Object({
  PathOnHost: optional(text),
  PathInContainer: optional(text),
  CgroupPermissions: optional(text),
});
/** A device node of the host, and where it is seen inside. */
export type DeviceMapping = Shape<typeof DeviceMapping>;

/** Devices that a driver chooses (`--gpus`, CDI). */
export const DeviceRequest = Type.Object({
  Driver: optional(text),
  Count: optional(whole),
  DeviceIDs: optional(list(text)),
  Capabilities: optional(list(list(text))),
  Options: optional(map(text)),
});
/** Devices that a driver chooses (`--gpus`, CDI). */
export type DeviceRequest = Shape<typeof DeviceRequest>;

/** A block device and its rate, in bytes or operations a second. */
export const ThrottleDevice = Type.Object({ Path: optional(text), Rate: optional(whole) });
/** A block device and its rate, in bytes or operations a second. */
export type ThrottleDevice = Shape<typeof ThrottleDevice>;

/** A block device and its weight among others. */
export const WeightDevice = Type.Object({ Path: optional(text), Weight: optional(whole) });
/** A block device and its weight among others. */
export type WeightDevice = Shape<typeof WeightDevice>;

/** One resource limit of the process; -1 is unlimited. */
export const Ulimit = Type.Object({
  Name: optional(text),
  Soft: optional(whole),
  Hard: optional(whole),
});
/** One resource limit of the process; -1 is unlimited. */
export type Ulimit = Shape<typeof Ulimit>;

/** Where the output goes. */
export const LogConfig = Type.Object({ Type: optional(text), Config: optional(map(text)) });
/** Where the output goes. */
export type LogConfig = Shape<typeof LogConfig>;

const resources = {
  CpuShares: optional(whole),
  Memory: optional(whole),
  CgroupParent: optional(text),
  BlkioWeight: optional(whole),
  BlkioWeightDevice: optional(list(WeightDevice)),
  BlkioDeviceReadBps: optional(list(ThrottleDevice)),
  BlkioDeviceWriteBps: optional(list(ThrottleDevice)),
  BlkioDeviceReadIOps: optional(list(ThrottleDevice)),
  BlkioDeviceWriteIOps: optional(list(ThrottleDevice)),
  CpuPeriod: optional(whole),
  CpuQuota: optional(whole),
  CpuRealtimePeriod: optional(whole),
  CpuRealtimeRuntime: optional(whole),
  CpusetCpus: optional(text),
  CpusetMems: optional(text),
  Devices: optional(list(DeviceMapping)),
  DeviceCgroupRules: optional(list(text)),
  DeviceRequests: optional(list(DeviceRequest)),
  KernelMemory: optional(whole),
  KernelMemoryTCP: optional(whole),
  MemoryReservation: optional(whole),
  MemorySwap: optional(whole),
  MemorySwappiness: optional(whole),
  NanoCpus: optional(whole),
  OomKillDisable: optional(flag),
  PidsLimit: optional(whole),
  Ulimits: optional(list(Ulimit)),
  CpuCount: optional(whole),
  CpuPercent: optional(whole),
  IOMaximumIOps: optional(whole),
  IOMaximumBandwidth: optional(whole),
};

/** The limits of a container: bytes, nanoseconds of CPU, counts; 0 or missing is none. */
export const Resources = Type.Object(resources);
/** The limits of a container: bytes, nanoseconds of CPU, counts; 0 or missing is none. */
export type Resources = Shape<typeof Resources>;

/** The part of a container that belongs to its host; every field may be missing. */
export const HostConfig = Type.Object({
  ...resources,
  Binds: optional(list(text)),
  ContainerIDFile: optional(text),
  LogConfig: optional(LogConfig),
  NetworkMode: optional(text),
  PortBindings: optional(PortMap),
  RestartPolicy: optional(RestartPolicy),
  /** Ours: a container that becomes unhealthy is restarted. */
  RestartOnUnhealthy: optional(flag),
  AutoRemove: optional(flag),
  VolumeDriver: optional(text),
  VolumesFrom: optional(list(text)),
  Mounts: optional(list(Mount)),
  ConsoleSize: optional(list(whole)),
  Annotations: optional(map(text)),
  CapAdd: optional(words),
  CapDrop: optional(words),
  CgroupnsMode: optional(text),
  Dns: optional(list(text)),
  DnsOptions: optional(list(text)),
  DnsSearch: optional(list(text)),
  ExtraHosts: optional(list(text)),
  GroupAdd: optional(list(text)),
  IpcMode: optional(text),
  Cgroup: optional(text),
  Links: optional(list(text)),
  OomScoreAdj: optional(whole),
  PidMode: optional(text),
  Privileged: optional(flag),
  PublishAllPorts: optional(flag),
  ReadonlyRootfs: optional(flag),
  SecurityOpt: optional(list(text)),
  StorageOpt: optional(map(text)),
  Tmpfs: optional(map(text)),
  UTSMode: optional(text),
  UsernsMode: optional(text),
  ShmSize: optional(whole),
  Sysctls: optional(map(text)),
  Runtime: optional(text),
  Isolation: optional(text),
  MaskedPaths: optional(list(text)),
  ReadonlyPaths: optional(list(text)),
  Init: optional(flag),
});
/** The part of a container that belongs to its host; every field may be missing. */
export type HostConfig = Shape<typeof HostConfig>;
