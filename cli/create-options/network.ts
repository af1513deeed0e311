import type { EndpointSettings } from '../../api-spec/endpoints.js';
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
  const endpoint: Draft = {};
  const aliases = [...flags.list('network-alias'), ...flags.list('net-alias')];
  const isUserDefined = isNetwork(mode) && mode !== 'default' && mode !== 'bridge';
  const ipv4 = flags.text('ip');
  const ipv6 = flags.text('ip6');
  const local = flags.list('link-local-ip');
  if (aliases.length > 0) endpoint.Aliases = aliases;
  if (isUserDefined && flags.list('link').length > 0) endpoint.Links = flags.list('link');
  if (flags.text('mac-address') !== '') endpoint.MacAddress = flags.text('mac-address');
  if (ipv4 !== '' || ipv6 !== '' || local.length > 0) {
    endpoint.IPAMConfig = {
      ...(ipv4 === '' ? {} : { IPv4Address: ipv4 }),
      ...(ipv6 === '' ? {} : { IPv6Address: ipv6 }),
      ...(local.length === 0 ? {} : { LinkLocalIPs: local }),
    };
  }
  return endpoint;
}

function readNetwork(spec: string): { readonly name: string; readonly endpoint: Draft } {
  const [first = ''] = csvFields(spec);
  if (!first.includes('=')) return { name: spec, endpoint: {} };
  let name = '';
  const endpoint: Draft = {};
  const options: string[] = [];
  for (const field of csvFields(spec)) {
    const [key = '', ...rest] = field.split('=');
    const value = rest.join('=');
    switch (key.toLowerCase()) {
      case 'name':
        name = value;
        break;
      case 'alias':
        endpoint.Aliases = [...(endpoint.Aliases ?? []), value];
        break;
      case 'ip':
        endpoint.IPAMConfig = { ...endpoint.IPAMConfig, IPv4Address: value };
        break;
      case 'ip6':
        endpoint.IPAMConfig = { ...endpoint.IPAMConfig, IPv6Address: value };
        break;
      case 'mac-address':
        endpoint.MacAddress = value;
        break;
      case 'driver-opt':
        options.push(value);
        break;
      case 'gw-priority':
        endpoint.GwPriority = Number(value);
        break;
      default:
        throw new UsageError(
          `invalid argument "${spec}" for "--network" flag: invalid field ${field}`,
        );
    }
  }
  if (options.length > 0) endpoint.DriverOpts = pairsOf(options);
  return { name, endpoint };
}
