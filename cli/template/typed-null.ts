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
    'Aliases Binds CapAdd CapDrop Cmd DNSNames DeviceCgroupRules DeviceRequests Devices Dns ' +
    'DnsOptions DnsSearch Entrypoint Env ExecIDs ExtraHosts GroupAdd Layers Links ' +
    'MaskedPaths Mounts OnBuild ReadonlyPaths RepoDigests RepoTags SecurityOpt Shell ' +
    'Ulimits VolumesFrom'
  ).split(' '),
);
const maps = new Set(
  (
    'Annotations AuxiliaryAddresses Config Containers DriverOpts ExposedPorts Labels Networks ' +
    'Options PortBindings Ports Status StorageOpt Sysctls Tmpfs Volumes'
  ).split(' '),
);

/** Pointers that the API leaves out when they are nil, by the object that may hold them. */
const absentPointers: Readonly<Record<string, readonly string[]>> = {
  Config: ['Healthcheck'],
  State: ['Health'],
};

/** The same value with each null that has a known type marked; the value itself is not changed. */
export function withTypedNulls(value: unknown, name = ''): unknown {
  if (value === null) return nullOf(name);
  if (Array.isArray(value)) return value.map((item) => withTypedNulls(item));
  if (typeof value !== 'object') return value;
  const marked = Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, withTypedNulls(item, key)]),
  );
  for (const pointer of absentPointers[name] ?? []) {
    if (Object.hasOwn(marked, pointer)) continue;
    // Not enumerable: JSON must not show it.
    Object.defineProperty(marked, pointer, { value: new TypedNull('<nil>') });
  }
  return marked;
}

function nullOf(name: string): TypedNull {
  if (lists.has(name) || /^\d+\/(tcp|udp|sctp)$/.test(name)) return new TypedNull('[]');
  return new TypedNull(maps.has(name) ? 'map[]' : '<nil>');
}
