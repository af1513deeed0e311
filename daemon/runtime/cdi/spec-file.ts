/** One file of the Container Device Interface: devices by name, and what each changes. Pure. */
import { parseYaml } from './yaml.js';

/** A node to make in the container; what is absent is that of the host's node. */
export interface CdiNode {
  readonly path: string;
  readonly hostPath: string;
  readonly fileMode?: number;
  /** Of `rwm`. */
  readonly permissions: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** Something of the host in its place in the container, with options as fstab has them. */
export interface CdiMount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** A program that is run at a point of a container's life, told its state on stdin. */
export interface CdiHook {
  readonly point: HookPoint;
  readonly path: string;
  /** With the program's own name; empty for its path. */
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly timeoutSeconds?: number;
}

/** A point at which hooks are run, by its name in OCI. */
export type HookPoint = (typeof hookPoints)[number];

/** What a device, or any device of its file, changes in a container. */
export interface CdiEdits {
  readonly env: readonly string[];
  readonly nodes: readonly CdiNode[];
  readonly mounts: readonly CdiMount[];
  readonly gids: readonly number[];
  readonly hooks: readonly CdiHook[];
  /** Names of edits that are not carried out here: who asks for the device is told. */
  readonly unsupported: readonly string[];
}

/** What a file says. */
export interface CdiFile {
  /** `vendor.com/class`. */
  readonly kind: string;
  /** For each container that has any of the devices. */
  readonly edits: CdiEdits;
  readonly devices: ReadonlyMap<string, CdiEdits>;
}

const kindPattern = /^[a-zA-Z][\w.-]*\/[a-zA-Z][\w-]*$/;
const namePattern = /^[a-zA-Z0-9](?:[\w.:-]*[a-zA-Z0-9])?$/;

/** Reads a `.json` or `.yaml` file; throws `SyntaxError` or `TypeError` that say what is wrong. */
export function parseCdiFile(text: string, isJson: boolean): CdiFile {
  const file = record(isJson ? JSON.parse(text) : parseYaml(text), 'file');
  const kind = word(file['kind'], 'kind');
  if (!kindPattern.test(kind)) throw new TypeError(`invalid kind ${kind}`);
  const devices = list(file['devices'], 'devices').map((each): [string, CdiEdits] => {
    const device = record(each, 'device');
    const given = device['name'];
    // Digits without quotes are a number to YAML.
    const name = typeof given === 'number' ? String(given) : word(given, 'name');
    if (!namePattern.test(name)) throw new TypeError(`invalid device name ${name}`);
    return [name, editsOf(device['containerEdits'])];
  });
  if (devices.length === 0) throw new TypeError('no devices');
  const byName = new Map(devices);
  if (byName.size < devices.length) throw new TypeError('a device is there twice');
  return { kind, edits: editsOf(file['containerEdits']), devices: byName };
}

/** In their order. */
export const hookPoints = [
  'prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop',
] as const;

const known: ReadonlySet<string> = new Set([
  'env', 'deviceNodes', 'mounts', 'additionalGids', 'hooks',
]);

function editsOf(value: unknown): CdiEdits {
  const edits = record(value ?? {}, 'containerEdits');
  const texts = (field: string): readonly string[] =>
    list(edits[field], field).map((each) => word(each, field));
  return {
    env: texts('env'),
    nodes: list(edits['deviceNodes'], 'deviceNodes').map(nodeOf),
    mounts: list(edits['mounts'], 'mounts').map(mountOf),
    gids: list(edits['additionalGids'], 'additionalGids').map((each) => whole(each, 'gid')),
    hooks: list(edits['hooks'], 'hooks').map(hookOf),
    unsupported: Object.keys(edits).filter((name) => !known.has(name) && edits[name] !== null),
  };
}

function hookOf(value: unknown): CdiHook {
  const hook = record(value, 'hook');
  const point = hookPoints.find((each) => each === hook['hookName']);
  if (point === undefined) throw new TypeError(`invalid hookName ${String(hook['hookName'])}`);
  const path = word(hook['path'], 'path');
  if (!path.startsWith('/')) throw new TypeError(`hook ${path} is not absolute`);
  const texts = (field: string): readonly string[] =>
    list(hook[field], field).map((each) => word(each, field));
  const timeout = hook['timeout'] ?? undefined;
  return {
    point, path, args: texts('args'), env: texts('env'),
    ...(timeout === undefined ? {} : { timeoutSeconds: whole(timeout, 'timeout') }),
  };
}

function nodeOf(value: unknown): CdiNode {
  const node = record(value, 'deviceNode');
  const path = word(node['path'], 'path');
  const number = (field: string): number | undefined =>
    node[field] === undefined ? undefined : whole(node[field], field);
  const [fileMode, uid, gid] = [number('fileMode'), number('uid'), number('gid')];
  const permissions = word(node['permissions'] ?? 'rwm', 'permissions');
  if (!/^[rwm]{1,3}$/.test(permissions)) throw new TypeError(`invalid permissions ${permissions}`);
  return {
    path,
    hostPath: word(node['hostPath'] ?? path, 'hostPath'),
    permissions,
    ...(fileMode === undefined ? {} : { fileMode }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  };
}

function mountOf(value: unknown): CdiMount {
  const mount = record(value, 'mount');
  const options = list(mount['options'], 'options').map((each) => word(each, 'option'));
  const isBind = options.includes('bind') || options.includes('rbind');
  const type = word(mount['type'] ?? 'bind', 'type');
  return {
    hostPath: word(mount['hostPath'], 'hostPath'),
    containerPath: word(mount['containerPath'], 'containerPath'),
    type: isBind || type === 'none' ? 'bind' : type,
    options,
  };
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`${what} is no map`);
  }
  // An object with string keys, which is all that this type says.
  return value as Readonly<Record<string, unknown>>;
}

/** Empty when absent. */
function list(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new TypeError(`${what} is no list`);
  return value;
}

function word(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) {
    throw new TypeError(`${what} is no text`);
  }
  return value;
}

function whole(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError(`${what} is no number`);
}
