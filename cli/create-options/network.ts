import type { EndpointIPAMConfig, EndpointSettings } from '../../api-spec/endpoints.js';
import { CommandError, UsageError } from '../errors.js';
import type { GivenFlags } from '../flags.js';
import { csvFields, pairsOf } from './pairs.js';

/** The mode, and an endpoint for each network to join; modes that are no network have none. */
export interface NetworkPlan {
  readonly mode: string;
  readonly endpoints: Record<string, EndpointSettings>;
}

type Draft = { -readonly [Key in keyof EndpointSettings]: EndpointSettings[Key] };

/** Reads `--network` and the flags that belong to the first of several. Throws CommandError. */
export function planNetworks(flags: GivenFlags): NetworkPlan {
  const given = [...flags.list('network'), ...flags.list('net')];
  const networks = given.map(readNetwork);
  const names = networks.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) {
    throw new CommandError(`network "${twice}" is specified multiple times`, 125);
  }
  const mode = names[0] ?? 'default';
  const first = firstEndpoint(flags, mode);
  const endpoints: Record<string, EndpointSettings> = {};
  for (const [at, { name, endpoint }] of networks.entries()) {
    if (!isNetwork(name)) continue;
    endpoints[name] = at === 0 ? { ...endpoint, ...first } : endpoint;
  }
  if (networks.length === 0 && Object.keys(first).length > 0) endpoints['default'] = first;
  return { mode, endpoints };
}

/** True for what is joined; `host`, `none` and `container:…` are modes. */
function isNetwork(name: string): boolean {
  return name !== 'host' && name !== 'none' && !name.startsWith('container:');
}

function firstEndpoint(flags: GivenFlags, mode: string): Draft {
  const isUserDefined = isNetwork(mode) && mode !== 'default' && mode !== 'bridge';
  const addresses = filled({
    IPv4Address: flags.text('ip'),
    IPv6Address: flags.text('ip6'),
    LinkLocalIPs: flags.list('link-local-ip'),
  });
  return {
    ...filled({
      Aliases: [...flags.list('network-alias'), ...flags.list('net-alias')],
      Links: isUserDefined ? flags.list('link') : [],
      MacAddress: flags.text('mac-address'),
    }),
    ...(Object.keys(addresses).length === 0 ? {} : { IPAMConfig: addresses }),
  };
}

/** The fields that were given: neither empty texts nor empty lists. */
function filled<T extends Readonly<Record<string, string | readonly string[]>>>(
  fields: T,
): Partial<T> {
  const given = Object.entries(fields).filter(([, value]) => value.length > 0);
  // Only fields of T are left, some of them.
  return Object.fromEntries(given) as Partial<T>;
}

type SetField = (endpoint: Draft, value: string) => void;

const fieldSetters: Readonly<Record<string, SetField>> = {
  alias: (endpoint, value) => void (endpoint.Aliases = [...(endpoint.Aliases ?? []), value]),
  ip: (endpoint, value) => setAddress(endpoint, { IPv4Address: value }),
  ip6: (endpoint, value) => setAddress(endpoint, { IPv6Address: value }),
  'mac-address': (endpoint, value) => void (endpoint.MacAddress = value),
  'driver-opt': (endpoint, value) =>
    void (endpoint.DriverOpts = { ...endpoint.DriverOpts, ...pairsOf([value]) }),
  'gw-priority': (endpoint, value) => void (endpoint.GwPriority = Number(value)),
};

function setAddress(endpoint: Draft, address: EndpointIPAMConfig): void {
  endpoint.IPAMConfig = { ...endpoint.IPAMConfig, ...address };
}

/** Reads `name`, or `name=net,alias=…,ip=…`. */
function readNetwork(spec: string): { readonly name: string; readonly endpoint: Draft } {
  const fields = csvFields(spec);
  if (fields[0]?.includes('=') !== true) return { name: spec, endpoint: {} };
  let name = '';
  const endpoint: Draft = {};
  for (const field of fields) {
    const [key = '', ...rest] = field.split('=');
    const value = rest.join('=');
    const setter = fieldSetters[key.toLowerCase()];
    if (key.toLowerCase() === 'name') name = value;
    else if (setter !== undefined) setter(endpoint, value);
    else {
      throw new UsageError(
        `invalid argument "${spec}" for "--network" flag: invalid field ${field}`,
      );
    }
  }
  return { name, endpoint };
}
