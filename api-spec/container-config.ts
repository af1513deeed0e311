/**
 * What runs in a container, whatever host it is on: the part of a container that an image can have
 * too.
 */
import { Type } from 'typebox';
import { empty, flag, list, map, optional, text, whole, words, type Shape } from './shape.js';

/** How health is probed; durations in nanoseconds, 0 means inherit. */
export const HealthConfig = Type.Object({
  Test: optional(list(text)),
  Interval: optional(whole),
  Timeout: optional(whole),
  Retries: optional(whole),
  StartPeriod: optional(whole),
  StartInterval: optional(whole),
});
/** How health is probed; durations in nanoseconds, 0 means inherit. */
export type HealthConfig = Shape<typeof HealthConfig>;

/** The portable part of a container; every field may be missing. */
export const ContainerConfig = Type.Object({
  Hostname: optional(text),
  Domainname: optional(text),
  User: optional(text),
  AttachStdin: optional(flag),
  AttachStdout: optional(flag),
  AttachStderr: optional(flag),
  ExposedPorts: optional(map(empty)),
  Tty: optional(flag),
  OpenStdin: optional(flag),
  StdinOnce: optional(flag),
  Env: optional(list(text)),
  Cmd: optional(words),
  Healthcheck: optional(HealthConfig),
  ArgsEscaped: optional(flag),
  Image: optional(text),
  Volumes: optional(map(empty)),
  WorkingDir: optional(text),
  Entrypoint: optional(words),
  NetworkDisabled: optional(flag),
  MacAddress: optional(text),
  OnBuild: optional(list(text)),
  Labels: optional(map(text)),
  StopSignal: optional(text),
  StopTimeout: optional(whole),
  Shell: optional(words),
});
/** The portable part of a container; every field may be missing. */
export type ContainerConfig = Shape<typeof ContainerConfig>;
