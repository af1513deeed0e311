/** `--device vendor.com/class=name`: what CDI devices change in a container's configuration. */
import { statSync } from 'node:fs';
import { ApiError, invalidParameter, systemError } from '../../../api-spec/errors.js';
import type { HostConfig } from '../../../api-spec/index.js';
import { deviceOf } from '../lookup.js';
import type { OciConfig, OciDevice, OciHooks, OciMount } from '../oci.js';
import { ruleFor } from '../spec/devices.js';
import { gpuKind, gpuNames } from './gpus.js';
import { readCdiDevices } from './registry.js';
import {
  hookPoints, type CdiEdits, type CdiHook, type CdiMount, type CdiNode,
} from './spec-file.js';

type DeviceRequest = NonNullable<HostConfig['DeviceRequests']>[number];

/** Whether a request is for this driver. */
export const isCdi = ({ Driver: driver }: DeviceRequest): boolean => driver === 'cdi';

/** Where devices are described, and who is told of files that are wrong. */
export interface CdiSources {
  readonly dirs: readonly string[];
  readonly warn: (message: string) => void;
}

/** The kinds of device that are described, `vendor.com/class` each. */
export const kindsOf = (devices: ReadonlyMap<string, unknown>): ReadonlySet<string> =>
  new Set([...devices.keys()].map((name) => name.split('=', 1)[0] ?? ''));

/** The edits of all CDI devices that are asked for, in order; throws `ApiError`, as Docker does. */
export function cdiEdits(
  { dirs, warn }: CdiSources,
  { DeviceRequests: requests = [] }: HostConfig,
): readonly CdiEdits[] {
  if (requests.length === 0) return [];
  for (const request of requests.filter(isCdi)) refuseSettings(request);
  const { devices, problems } = readCdiDevices(dirs);
  for (const problem of problems) warn(problem);
  const kinds = kindsOf(devices);
  const names = [...new Set(requests.flatMap((request) => namesOf(request, kinds)))];
  const found = names.flatMap((name) => devices.get(name) ?? []);
  const missing = names.filter((name) => !devices.has(name));
  if (missing.length > 0) throw failed(`unresolvable CDI devices ${missing.join(', ')}`);
  const shared = new Map(found.map((device) => [device.file, device.shared]));
  const edits = [...shared.values(), ...found.map(({ own }) => own)];
  const [unsupported] = edits.flatMap((each) => each.unsupported);
  if (unsupported === undefined) return edits;
  const message = `${unsupported} of ${names.join(', ')} are not supported`;
  throw new ApiError('NotImplemented', `CDI device injection failed: ${message}`);
}

function namesOf(request: DeviceRequest, kinds: ReadonlySet<string>): readonly string[] {
  if (isCdi(request)) return request.DeviceIDs ?? [];
  const kind = gpuKind(request, kinds);
  if (kind === undefined) throw noDriver(request);
  return gpuNames(kind, request);
}

/** Nobody here serves a request: in Docker's words. */
export function noDriver({ Driver: driver = '', Capabilities: wishes = [] }: DeviceRequest): Error {
  const wanted = wishes.map((all) => `[${all.join(' ')}]`).join(' ');
  return invalidParameter(
    `could not select device driver "${driver}" with capabilities: [${wanted}]`);
}

function refuseSettings({ Count: count = 0, Options: options = {} }: DeviceRequest): void {
  if (count !== 0) throw invalidParameter('unexpected count in CDI device request');
  if (Object.keys(options).length > 0) {
    throw invalidParameter('unexpected options in CDI device request');
  }
}

function failed(why: string, cause?: unknown): Error {
  return systemError(`CDI device injection failed: ${why}`, cause);
}

/** The configuration with edits carried out; reads nodes of the host. Throws `ApiError` 500. */
export function withCdiEdits(config: OciConfig, edits: readonly CdiEdits[]): OciConfig {
  if (edits.length === 0) return config;
  const { process, linux } = config;
  const nodes = edits.flatMap((each) => each.nodes).map((node) => ({
    device: hostDevice(node, process.user), permissions: node.permissions,
  }));
  const mounts = edits.flatMap((each) => each.mounts).map(mountOf);
  const gids = [...process.user.additionalGids, ...edits.flatMap((each) => each.gids)];
  const rules = nodes.map(({ device, permissions }) => ruleFor(device, permissions));
  const hooks = hooksOf(edits.flatMap((each) => each.hooks));
  return {
    ...config,
    ...(hooks === undefined ? {} : { hooks }),
    process: {
      ...process,
      user: { ...process.user, additionalGids: [...new Set(gids)] },
      env: withVariables(process.env, edits.flatMap((each) => each.env)),
    },
    mounts: byKey([...config.mounts, ...mounts], ({ destination }) => destination)
      .sort((one, other) => depth(one) - depth(other)),
    linux: {
      ...linux,
      devices: byKey([...linux.devices, ...nodes.map(({ device }) => device)], ({ path }) => path),
      resources: { ...linux.resources, devices: [...linux.resources.devices, ...rules] },
    },
  };
}

/** By their points; undefined when there are none. */
function hooksOf(all: readonly CdiHook[]): OciHooks | undefined {
  if (all.length === 0) return undefined;
  return Object.fromEntries(hookPoints.map((point) => [
    point,
    all.filter((hook) => hook.point === point).map(({ path, args, env, timeoutSeconds }) => ({
      path,
      args: args.length > 0 ? args : [path],
      env,
      ...(timeoutSeconds === undefined ? {} : { timeout: timeoutSeconds }),
    })),
  ]));
}

/** The last of each key, where it comes last. */
function byKey<Item>(items: readonly Item[], key: (item: Item) => string): Item[] {
  const last = new Map<string, Item>();
  for (const item of items) {
    last.delete(key(item));
    last.set(key(item), item);
  }
  return [...last.values()];
}

function depth({ destination }: OciMount): number {
  return destination.split('/').length;
}

function mountOf({ hostPath, containerPath, type, options }: CdiMount): OciMount {
  return { destination: containerPath, type, source: hostPath, options };
}

/** A variable that is there keeps its place. */
function withVariables(env: readonly string[], more: readonly string[]): readonly string[] {
  const name = (entry: string): string => entry.split('=', 1)[0] ?? entry;
  const variables = new Map([...env, ...more].map((entry) => [name(entry), entry]));
  return [...variables.values()];
}

/** Docker's runtime gives nodes that say nothing else to everybody, and to the process's user. */
function hostDevice(node: CdiNode, user: OciConfig['process']['user']): OciDevice {
  const { path, hostPath, fileMode = 0o666, uid = user.uid, gid = user.gid } = node;
  let device: OciDevice | undefined;
  try {
    device = deviceOf(statSync(hostPath), path, hostPath);
  } catch (error) {
    throw failed(`failed to stat CDI host device "${hostPath}": no such file or directory`, error);
  }
  if (device === undefined) throw failed(`"${hostPath}" is not a device node`);
  return { ...device, fileMode, uid, gid };
}
