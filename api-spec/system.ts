/** The engine about itself. */
import { Type } from 'typebox';
import { ContainerSummary } from './container.js';
import { ImageSummary } from './image.js';
import {
  anything,
  flag,
  list,
  map,
  nullable,
  oneOf,
  optional,
  text,
  whole,
  type Shape,
} from './shape.js';
import { Volume } from './volume.js';

/** Answer to SystemVersion. */
export const SystemVersion = Type.Object({
  Platform: Type.Object({ Name: text }),
  Components: list(
    Type.Object({ Name: text, Version: text, Details: optional(nullable(map(text))) }),
  ),
  Version: text,
  ApiVersion: text,
  MinAPIVersion: text,
  GitCommit: text,
  GoVersion: text,
  Os: text,
  Arch: text,
  KernelVersion: text,
  Experimental: optional(flag),
  BuildTime: text,
});
/** Answer to SystemVersion. */
export type SystemVersion = Shape<typeof SystemVersion>;

/** Which plugins answer to which name. */
export const PluginsInfo = Type.Object({
  Volume: list(text),
  Network: list(text),
  Authorization: nullable(list(text)),
  Log: list(text),
});
/** Which plugins answer to which name. */
export type PluginsInfo = Shape<typeof PluginsInfo>;

/** One registry as `info` shows it. */
export const IndexInfo = Type.Object({
  Name: text,
  Mirrors: list(text),
  Secure: flag,
  Official: flag,
});
/** One registry as `info` shows it. */
export type IndexInfo = Shape<typeof IndexInfo>;

/** The registries as `info` shows them. */
export const RegistryServiceConfig = Type.Object({
  InsecureRegistryCIDRs: list(text),
  IndexConfigs: map(IndexInfo),
  Mirrors: nullable(list(text)),
});
/** The registries as `info` shows them. */
export type RegistryServiceConfig = Shape<typeof RegistryServiceConfig>;

/** One runtime that `HostConfig.Runtime` may name. */
export const Runtime = Type.Object({
  path: optional(text),
  runtimeArgs: optional(list(text)),
  status: optional(map(text)),
});
/** One runtime that `HostConfig.Runtime` may name. */
export type Runtime = Shape<typeof Runtime>;

const Commit = Type.Object({ ID: text });

/** Swarm as `info` shows it; this engine is never part of one. */
export const SwarmInfo = Type.Object({
  NodeID: text,
  NodeAddr: text,
  LocalNodeState: oneOf('inactive', 'pending', 'active', 'error', 'locked'),
  ControlAvailable: flag,
  Error: text,
  RemoteManagers: nullable(list(anything)),
});
/** Swarm as `info` shows it; this engine is never part of one. */
export type SwarmInfo = Shape<typeof SwarmInfo>;

/** Answer to SystemInfo. */
export const SystemInfo = Type.Object({
  ID: text,
  Containers: whole,
  ContainersRunning: whole,
  ContainersPaused: whole,
  ContainersStopped: whole,
  Images: whole,
  Driver: text,
  DriverStatus: list(list(text)),
  DockerRootDir: text,
  Plugins: PluginsInfo,
  MemoryLimit: flag,
  SwapLimit: flag,
  KernelMemoryTCP: optional(flag),
  CpuCfsPeriod: flag,
  CpuCfsQuota: flag,
  CPUShares: flag,
  CPUSet: flag,
  PidsLimit: flag,
  OomKillDisable: flag,
  IPv4Forwarding: flag,
  BridgeNfIptables: optional(flag),
  BridgeNfIp6tables: optional(flag),
  Debug: flag,
  NFd: whole,
  NGoroutines: whole,
  SystemTime: text,
  LoggingDriver: text,
  CgroupDriver: oneOf('cgroupfs', 'systemd', 'none'),
  CgroupVersion: oneOf('1', '2'),
  NEventsListener: whole,
  KernelVersion: text,
  OperatingSystem: text,
  OSVersion: text,
  OSType: text,
  Architecture: text,
  NCPU: whole,
  MemTotal: whole,
  IndexServerAddress: text,
  RegistryConfig: RegistryServiceConfig,
  GenericResources: nullable(list(anything)),
  HttpProxy: text,
  HttpsProxy: text,
  NoProxy: text,
  Name: text,
  Labels: list(text),
  ExperimentalBuild: flag,
  ServerVersion: text,
  Runtimes: map(Runtime),
  DefaultRuntime: text,
  Swarm: SwarmInfo,
  LiveRestoreEnabled: flag,
  Isolation: text,
  InitBinary: text,
  ContainerdCommit: Commit,
  RuncCommit: Commit,
  InitCommit: Commit,
  SecurityOptions: list(text),
  ProductLicense: optional(text),
  DefaultAddressPools: optional(list(Type.Object({ Base: text, Size: whole }))),
  FirewallBackend: optional(Type.Object({ Driver: text, Info: optional(list(list(text))) })),
  CDISpecDirs: nullable(list(text)),
  DiscoveredDevices: optional(list(Type.Object({ Source: text, ID: text }))),
  Warnings: nullable(list(text)),
});
/** Answer to SystemInfo. */
export type SystemInfo = Shape<typeof SystemInfo>;

/** One layer of build cache. */
export const BuildCache = Type.Object({
  ID: text,
  Parents: optional(nullable(list(text))),
  Type: text,
  Description: text,
  InUse: flag,
  Shared: flag,
  Size: whole,
  CreatedAt: text,
  LastUsedAt: optional(nullable(text)),
  UsageCount: whole,
});
/** One layer of build cache. */
export type BuildCache = Shape<typeof BuildCache>;

/** Answer to SystemDataUsage; only the kinds that were asked for. */
export const SystemDataUsageResponse = Type.Object({
  LayersSize: optional(whole),
  Images: optional(nullable(list(ImageSummary))),
  Containers: optional(nullable(list(ContainerSummary))),
  Volumes: optional(nullable(list(Volume))),
  BuildCache: optional(nullable(list(BuildCache))),
});
/** Answer to SystemDataUsage; only the kinds that were asked for. */
export type SystemDataUsageResponse = Shape<typeof SystemDataUsageResponse>;

/** The body of every error. */
export const ErrorResponse = Type.Object({ message: text });
/** The body of every error. */
export type ErrorResponse = Shape<typeof ErrorResponse>;
