/** `$.linux`: which namespaces, and what is set in the new ones. */
import { hostId } from '../../daemon/runtime/compile/id-maps.js';
import type {
  NamespaceType, IdMapping, IdMappings, OciLinux, OciNamespace, OciNetDevice, OciTimeOffset,
} from '../../daemon/runtime/oci.js';
import { hasOwn } from '../../daemon/runtime/spec/namespaces.js';
import { given, type JsonValue } from './json-value.js';
import type { ParseContext } from './parse-config.js';

/** The namespaces that can be made or joined. */
export const namespaceTypes: readonly NamespaceType[] = [
  'pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time',
];

const MAX_ID = 2 ** 32 - 2;
/** As many as the kernel takes (user_namespaces(7)). */
const MAX_RANGES = 340;
const NANOSECONDS = 1_000_000_000;

/** Throws `OciError`. */
export function parseNamespaces(json: JsonValue): readonly OciNamespace[] {
  const seen = new Set<string>();
  const namespaces = json.list((each) => {
    const type = each.at('type').required();
    const word = type.word(namespaceTypes);
    if (seen.has(word)) throw type.wrong(`${word} is there twice`);
    seen.add(word);
    const path = each.at('path');
    const joined = path.optional((value) => value.text()) ?? '';
    if (joined !== '' && !joined.startsWith('/')) throw path.wrong('must be absolute');
    return given({ type: word, path: joined === '' ? undefined : joined });
  });
  if (seen.has('user') && !hasOwn(namespaces, 'mount')) {
    // What the host mounts there would lose its locks: read-only could be undone from inside.
    throw json.wrong('with a user namespace the mount namespace must be a new one');
  }
  return namespaces;
}

/** Throws `OciError` for what takes a mount: without a namespace for it, nobody would undo it. */
export function refuseMounts(json: JsonValue): void {
  const [root, linux] = [json.at('root'), json.at('linux')];
  const inLinux = ['maskedPaths', 'readonlyPaths', 'rootfsPropagation', 'sysctl'];
  const all = [json.at('mounts'), root.at('readonly'), ...inLinux.map((name) => linux.at(name))];
  for (const each of all) {
    if (each.isEmpty || each.value === false) continue;
    throw each.wrong('needs a mount namespace: it would be done to the host\'s');
  }
}

/** Throws `OciError`. One that is joined has its maps already. */
export function parseIdMaps(
  json: JsonValue,
  namespaces: readonly OciNamespace[],
  { mapsOf }: Pick<ParseContext, 'mapsOf'>,
): Partial<IdMappings> {
  const isNew = hasOwn(namespaces, 'user');
  const uidMappings = parseOwnMap(json.at('uidMappings'), isNew);
  const gidMappings = parseOwnMap(json.at('gidMappings'), isNew);
  if (isNew) return { uidMappings, gidMappings };
  const joined = namespaces.find(({ type }) => type === 'user')?.path;
  return (joined === undefined ? undefined : mapsOf(joined)) ?? {};
}

function parseOwnMap(json: JsonValue, isNew: boolean): readonly IdMapping[] {
  const map = parseIdMap(json);
  if (!isNew && map.length > 0) throw json.wrong('needs a new user namespace');
  if (isNew && map.length === 0) throw json.wrong('is missing: the user namespace is new');
  if (isNew && hostId(map, 0) === undefined) throw json.wrong('must have the id 0');
  return map;
}

/** Throws `OciError`. */
export function parseIdMap(json: JsonValue): readonly IdMapping[] {
  const map = json.list((each) => ({
    containerID: each.at('containerID').required().integer(0, MAX_ID),
    hostID: each.at('hostID').required().integer(0, MAX_ID),
    size: each.at('size').required().integer(1, MAX_ID + 1),
  }));
  if (map.length > MAX_RANGES) throw json.wrong(`must not have more than ${MAX_RANGES} ranges`);
  return map;
}

/** Throws `OciError`. */
export function parseTimeOffsets(
  json: JsonValue,
  namespaces: readonly OciNamespace[],
): OciLinux['timeOffsets'] {
  const offset = (each: JsonValue): OciTimeOffset => ({
    secs: each.at('secs').optional((value) =>
      value.integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)) ?? 0,
    nanosecs: each.at('nanosecs').optional((value) => value.integer(0, NANOSECONDS - 1)) ?? 0,
  });
  const offsets = given({
    monotonic: json.at('monotonic').optional(offset),
    boottime: json.at('boottime').optional(offset),
  });
  const [first] = Object.keys(offsets);
  if (first !== undefined && !hasOwn(namespaces, 'time')) {
    throw json.at(first).wrong('needs a new time namespace');
  }
  return first === undefined ? undefined : offsets;
}

/** As the kernel takes names of links. */
const linkName = /^(?!\.{1,2}$)[^\s/:]{1,15}$/;

/** Throws `OciError`. */
export function parseNetDevices(
  json: JsonValue,
  namespaces: readonly OciNamespace[],
): Readonly<Record<string, OciNetDevice>> | undefined {
  const taken = new Set<string>();
  const devices = json.map((each) => {
    const name = each.at('name').optional((value) => value.text()) ?? '';
    if (name !== '' && !linkName.test(name)) throw each.at('name').wrong('is no name of a link');
    return given({ name: name === '' ? undefined : name });
  });
  for (const [outside, { name = outside }] of Object.entries(devices)) {
    if (!linkName.test(outside)) throw json.at(outside).wrong('is no name of a link');
    if (taken.has(name)) throw json.at(outside).wrong(`${name} is there twice`);
    taken.add(name);
  }
  if (taken.size === 0) return undefined;
  if (!namespaces.some(({ type }) => type === 'network')) {
    throw json.wrong('needs a network namespace: it would be the host\'s');
  }
  return devices;
}
