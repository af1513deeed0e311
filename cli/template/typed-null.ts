import { absentFields, markStruct } from './go-structs.js';

/**
 * A null whose Go type is known: it prints as the empty list, map or pointer of that type, counts
 * as empty, and is null in JSON. Docker's templates run on typed structs, so `{{.Config.Env}}` of
 * no variables prints `[]` there, and not `<no value>`.
 */
export class TypedNull {
  constructor(readonly text: '[]' | 'map[]' | '<nil>') {}

  toJSON(): null {
    return null;
  }
}

const lists = new Set(
  (
    'Aliases Authorization Binds BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps ' +
    'BlkioDeviceReadIOps BlkioDeviceWriteIOps CapAdd CapDrop Cmd DNSNames ' +
    'DeviceCgroupRules DeviceRequests Devices Dns ' +
    'DnsOptions DnsSearch Entrypoint Env ExecIDs ExtraHosts GroupAdd Layers Links ' +
    'MaskedPaths Mounts OnBuild ReadonlyPaths RepoDigests RepoTags SecondaryIPAddresses ' +
    'SecondaryIPv6Addresses SecurityOpt Shell ' +
    'RemoteManagers Ulimits VolumesFrom Warnings'
  ).split(' '),
);
const maps = new Set(
  (
    'Annotations AuxiliaryAddresses Config Containers DriverOpts ExposedPorts Labels Networks ' +
    'Options PortBindings Ports Status StorageOpt Sysctls Tmpfs Volumes'
  ).split(' '),
);

const ofTexts: ReadonlySet<string> = new Set(
  'Annotations AuxiliaryAddresses DriverOpts Labels Options StorageOpt Sysctls Tmpfs'.split(' '),
);
const ofLists: ReadonlySet<string> = new Set(['PortBindings', 'Ports']);

/** Objects that are maps in Go, with what these give for a key that they have not. */
const zeros = new WeakMap<object, unknown>();

/** Whether this is a map and no struct, as far as is known. */
export function isMap(value: object): boolean {
  return zeros.has(value);
}

/** What a map has for a key that is not in it. */
export function zeroOf(map: object): unknown {
  return zeros.get(map);
}

function markMap(value: object, name: string, within: string): void {
  if (ofTexts.has(name) || (name === 'Config' && within === 'LogConfig')) zeros.set(value, '');
  else if (ofLists.has(name)) zeros.set(value, new TypedNull('[]'));
  else if (name === 'Networks') zeros.set(value, new TypedNull('<nil>'));
}

/** Those of a container itself that the API leaves out when they are nil. */
function ownPointers(object: object, name: string): readonly (readonly [string, '<nil>'])[] {
  if (name !== '' || !Object.hasOwn(object, 'HostConfig')) return [];
  return ['SizeRw', 'SizeRootFs']
    .filter((field) => !Object.hasOwn(object, field))
    .map((field) => [field, '<nil>']);
}

/** The same value with nulls and structs of known types marked; the value itself is not changed. */
export function withTypedNulls(value: unknown, name = '', within = ''): unknown {
  if (value === null) return nullOf(name);
  if (Array.isArray(value)) return value.map((item) => withTypedNulls(item, '', name));
  if (typeof value !== 'object') return value;
  const marked = Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, withTypedNulls(item, key, name)]),
  );
  markStruct(marked, name, within);
  markMap(marked, name, within);
  for (const [field, zero] of [...absentFields(marked), ...ownPointers(marked, name)]) {
    const isNull = zero === '[]' || zero === 'map[]' || zero === '<nil>';
    // Not enumerable: JSON must not show it.
    Object.defineProperty(marked, field, { value: isNull ? new TypedNull(zero) : zero });
  }
  return marked;
}

function nullOf(name: string): TypedNull {
  if (lists.has(name) || /^\d+\/(tcp|udp|sctp)$/.test(name)) return new TypedNull('[]');
  return new TypedNull(maps.has(name) ? 'map[]' : '<nil>');
}
