/** Bodies and answers of the verbs on containers and execs. */
import { Type } from 'typebox';
import { LogConfig, PortMap, Resources, RestartPolicy } from './host-config.js';
import { flag, list, map, nullable, optional, text, whole, type Shape } from './shape.js';

/** Answer to ContainerWait; `Error` is null unless waiting itself failed. */
export const ContainerWaitResponse = Type.Object({
  StatusCode: whole,
  Error: optional(nullable(Type.Object({ Message: text }))),
});
/** Answer to ContainerWait; `Error` is null unless waiting itself failed. */
export type ContainerWaitResponse = Shape<typeof ContainerWaitResponse>;

/** Answer to ContainerTop: one cell a column. */
export const ContainerTopResponse = Type.Object({
  Titles: list(text),
  Processes: list(list(text)),
});
/** Answer to ContainerTop: one cell a column. */
export type ContainerTopResponse = Shape<typeof ContainerTopResponse>;

/**
 * Body of ContainerUpdate: limits and the restart policy; what is missing stays. The last four are
 * ours, for running containers too: each is the whole of what is to be.
 */
export const ContainerUpdateBody = Type.Object({
  ...Resources.properties,
  RestartPolicy: optional(RestartPolicy),
  PortBindings: optional(PortMap),
  Labels: optional(map(text)),
  RestartOnUnhealthy: optional(flag),
  LogConfig: optional(LogConfig),
});
/** Body of ContainerUpdate: what is missing stays. */
export type ContainerUpdateBody = Shape<typeof ContainerUpdateBody>;

/** Answer to ContainerUpdate. */
export const ContainerUpdateResponse = Type.Object({ Warnings: nullable(list(text)) });
/** Answer to ContainerUpdate. */
export type ContainerUpdateResponse = Shape<typeof ContainerUpdateResponse>;

/** One path that differs from the image: 0 changed, 1 added, 2 removed. */
export const FilesystemChange = Type.Object({ Path: text, Kind: whole });
/** One path that differs from the image: 0 changed, 1 added, 2 removed. */
export type FilesystemChange = Shape<typeof FilesystemChange>;

/** What HEAD and GET archive tell in a header; `mode` is Go's FileMode, not the kernel's. */
export const ContainerPathStat = Type.Object({
  name: text,
  size: whole,
  mode: whole,
  mtime: text,
  linkTarget: text,
});
/** What HEAD and GET archive tell in a header; `mode` is Go's FileMode, not the kernel's. */
export type ContainerPathStat = Shape<typeof ContainerPathStat>;

/** Body of ContainerExec. */
export const ExecCreateBody = Type.Object({
  User: optional(text),
  Privileged: optional(flag),
  Tty: optional(flag),
  ConsoleSize: optional(list(whole)),
  AttachStdin: optional(flag),
  AttachStdout: optional(flag),
  AttachStderr: optional(flag),
  Detach: optional(flag),
  DetachKeys: optional(text),
  Env: optional(list(text)),
  WorkingDir: optional(text),
  Cmd: optional(list(text)),
});
/** Body of ContainerExec. */
export type ExecCreateBody = Shape<typeof ExecCreateBody>;

/** Body of ExecStart. */
export const ExecStartBody = Type.Object({
  Detach: optional(flag),
  Tty: optional(flag),
  ConsoleSize: optional(list(whole)),
});
/** Body of ExecStart. */
export type ExecStartBody = Shape<typeof ExecStartBody>;

/** Answer to ExecInspect; `ExitCode` is null while it runs. */
export const ExecInspectResponse = Type.Object({
  ID: text,
  Running: flag,
  ExitCode: nullable(whole),
  ProcessConfig: Type.Object({
    tty: flag,
    entrypoint: text,
    arguments: list(text),
    privileged: flag,
    user: optional(text),
  }),
  OpenStdin: flag,
  OpenStderr: flag,
  OpenStdout: flag,
  CanRemove: flag,
  ContainerID: text,
  DetachKeys: text,
  Pid: whole,
});
/** Answer to ExecInspect; `ExitCode` is null while it runs. */
export type ExecInspectResponse = Shape<typeof ExecInspectResponse>;

/** Answer of whatever makes a thing that has an id. */
export const IDResponse = Type.Object({ Id: text });
/** Answer of whatever makes a thing that has an id. */
export type IDResponse = Shape<typeof IDResponse>;
