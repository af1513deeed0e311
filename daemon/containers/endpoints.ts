/** The networks that a container is to be on, from what a create says of them: pure. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { ContainerConfig, EndpointSettings, HostConfig } from '../../api-spec/index.js';

type Endpoints = Readonly<Record<string, EndpointSettings>>;

/** Several networks at once came with API 1.44. */
const manyEndpointsMinor = 44;

/** Refuses (`ApiError` 400) what old clients could not have meant. */
export function checkEndpointCount(asked: Endpoints, apiMinor: number): void {
  const names = Object.keys(asked);
  if (apiMinor >= manyEndpointsMinor || names.length < 2) return;
  throw invalidParameter(
    `Container cannot be created with multiple network endpoints: ${names.join(', ')}`);
}

/** What was asked, and how networks are called. */
export interface Asked {
  /** By name, id or prefix of one. */
  readonly asked: Endpoints;
  /** See `NetworksNeed`. */
  readonly nameOf: (ref: string) => string;
}

/**
 * By name of the network. Who names any is on these alone, whatever the mode says; who names none
 * is on that of the mode. `ApiError` 400 for a MAC address that belongs to none of them.
 */
export function endpointsOf(
  { NetworkMode: mode = 'bridge' }: HostConfig,
  { MacAddress: mac = '' }: ContainerConfig,
  { asked, nameOf }: Asked,
): Endpoints {
  if (mode.startsWith('container:')) return {};
  const main = nameOf(mode);
  const named = Object.entries(asked).map(([ref, settings]) =>
    [ref === 'default' ? main : nameOf(ref), settings] as const);
  const endpoints: Endpoints = named.length === 0 ? { [main]: {} } : Object.fromEntries(named);
  return mac === '' ? endpoints : { ...endpoints, [main]: withMac(endpoints[main], mac) };
}

/** The container-wide address is that of the mode's network. */
function withMac(endpoint: EndpointSettings | undefined, mac: string): EndpointSettings {
  if (endpoint === undefined) {
    throw invalidParameter(
      'if a container-wide MAC address is supplied, HostConfig.NetworkMode must match the ' +
        'identity of a network in NetworkSettings.Networks');
  }
  const { MacAddress: own = '' } = endpoint;
  if (own !== '' && own !== mac) {
    throw invalidParameter(
      'the container-wide MAC address must match the endpoint-specific MAC address for the main ' +
        'network, or be left empty');
  }
  return { ...endpoint, MacAddress: mac };
}
