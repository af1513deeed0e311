/** Containers: made, shown, listed. */
import { Type } from 'typebox';
import { ContainerConfig } from './container-config.js';
import { EndpointSettings, NetworkingConfig, NetworkSettings } from './endpoints.js';
import { HostConfig } from './host-config.js';
import { DriverData, OCIDescriptor } from './image.js';
import { MountPoint } from './mounts.js';
import {
  flag,
  list,
  map,
  nullable,
  oneOf,
  optional,
  shown,
  text,
  whole,
  type Shape,
} from './shape.js';

/**
 * Body of ContainerCreate: the config flattened, with the host's and the networks' part beside it.
 */
export const ContainerCreateBody = Type.Object({
  ...ContainerConfig.properties,
  HostConfig: optional(HostConfig),
  NetworkingConfig: optional(NetworkingConfig),
});
/**
 * Body of ContainerCreate: the config flattened, with the host's and the networks' part beside it.
 */
export type ContainerCreateBody = Shape<typeof ContainerCreateBody>;

/** Answer to ContainerCreate; `Warnings` is never null. */
export const ContainerCreateResponse = Type.Object({ Id: text, Warnings: list(text) });
/** Answer to ContainerCreate; `Warnings` is never null. */
export type ContainerCreateResponse = Shape<typeof ContainerCreateResponse>;

/** One run of the probe. */
export const HealthcheckResult = Type.Object({
  Start: text,
  End: text,
  ExitCode: whole,
  Output: text,
});
/** One run of the probe. */
export type HealthcheckResult = Shape<typeof HealthcheckResult>;

/** Health with the last five runs. */
export const Health = Type.Object({
  Status: oneOf('none', 'starting', 'healthy', 'unhealthy'),
  FailingStreak: whole,
  Log: nullable(list(HealthcheckResult)),
});
/** Health with the last five runs. */
export type Health = Shape<typeof Health>;

/** Docker's seven words for where a container is in its life. */
export const ContainerStatus = oneOf(
  'created',
  'running',
  'paused',
  'restarting',
  'removing',
  'exited',
  'dead',
);
/** Docker's seven words for where a container is in its life. */
export type ContainerStatus = Shape<typeof ContainerStatus>;

/** `State` of inspect; a time that never was is `0001-01-01T00:00:00Z`. */
export const ContainerState = Type.Object({
  Status: ContainerStatus,
  Running: flag,
  Paused: flag,
  Restarting: flag,
  OOMKilled: flag,
  Dead: flag,
  Pid: whole,
  ExitCode: whole,
  Error: text,
  StartedAt: text,
  FinishedAt: text,
  Health: optional(Health),
});
/** `State` of inspect; a time that never was is `0001-01-01T00:00:00Z`. */
export type ContainerState = Shape<typeof ContainerState>;

/** Answer to ContainerInspect. */
export const ContainerInspectResponse = Type.Object({
  Id: text,
  Created: text,
  Path: text,
  Args: list(text),
  State: ContainerState,
  Image: text,
  ResolvConfPath: text,
  HostnamePath: text,
  HostsPath: text,
  LogPath: text,
  Name: text,
  RestartCount: whole,
  Driver: text,
  Platform: text,
  ImageManifestDescriptor: optional(OCIDescriptor),
  MountLabel: text,
  ProcessLabel: text,
  AppArmorProfile: text,
  ExecIDs: nullable(list(text)),
  HostConfig: shown<HostConfig>(HostConfig),
  GraphDriver: optional(DriverData),
  SizeRw: optional(whole),
  SizeRootFs: optional(whole),
  Mounts: list(MountPoint),
  Config: shown<ContainerConfig>(ContainerConfig),
  NetworkSettings: NetworkSettings,
});
/** Answer to ContainerInspect. */
export type ContainerInspectResponse = Shape<typeof ContainerInspectResponse>;

/** One published or exposed port in a list. */
export const PortSummary = Type.Object({
  IP: optional(text),
  PrivatePort: whole,
  PublicPort: optional(whole),
  Type: text,
});
/** One published or exposed port in a list. */
export type PortSummary = Shape<typeof PortSummary>;

/** One row of ContainerList; `Created` in seconds since the epoch. */
export const ContainerSummary = Type.Object({
  Id: text,
  Names: list(text),
  Image: text,
  ImageID: text,
  ImageManifestDescriptor: optional(OCIDescriptor),
  Command: text,
  Created: whole,
  Ports: list(PortSummary),
  SizeRw: optional(whole),
  SizeRootFs: optional(whole),
  Labels: map(text),
  State: ContainerStatus,
  Status: text,
  HostConfig: Type.Object({ NetworkMode: text, Annotations: optional(map(text)) }),
  NetworkSettings: Type.Object({ Networks: map(EndpointSettings) }),
  Mounts: list(MountPoint),
});
/** One row of ContainerList; `Created` in seconds since the epoch. */
export type ContainerSummary = Shape<typeof ContainerSummary>;
