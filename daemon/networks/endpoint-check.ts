/** What an endpoint may ask of its network, refused in Docker's words and order. Pure. */
import { isIPv4, isIPv6 } from 'node:net';
import type { EndpointSettings } from '../../api-spec/index.js';
import { invalidParameter } from '../../api-spec/errors.js';
import { hasNames } from './context.js';
import { contains, parseSubnet } from './ipam.js';
import type { NetworkRecord } from './records.js';

/** Checks one endpoint's wishes against its network; `ApiError` 400 that tells all faults. */
export function checkEndpoint(
  network: NetworkRecord,
  asked: EndpointSettings,
  messagePrefix = '',
): void {
  const faults =
    [...kindFaults(network, asked), ...wordFaults(asked), ...placeFaults(network, asked)];
  if (faults.length > 0) {
    const text = faults.length === 1 ? faults.join() : faults.map((f) => `* ${f}`).join('\n');
    throw invalidParameter(`${messagePrefix}invalid endpoint settings:\n${text}`);
  }
  checkMac(asked.MacAddress ?? '', messagePrefix);
  checkLinkLocal(network, asked);
}

const addressesOf = ({ IPAMConfig }: EndpointSettings) =>
  ({ four: IPAMConfig?.IPv4Address ?? '', six: IPAMConfig?.IPv6Address ?? '' });

/** What networks of this kind have not. */
function kindFaults(network: NetworkRecord, asked: EndpointSettings): string[] {
  const { four, six } = addressesOf(asked);
  const faults: string[] = [];
  if (network.isPredefined && (four !== '' || six !== '')) {
    faults.push('user specified IP address is supported on user defined networks only');
  }
  if ((asked.Aliases?.length ?? 0) > 0 && !hasNames(network)) {
    faults.push(
      'network-scoped alias is supported only for containers in user defined networks');
  }
  return faults;
}

/** What is no address of its family, or none that anybody can have. */
function wordFaults(asked: EndpointSettings): string[] {
  const { four, six } = addressesOf(asked);
  const others = asked.IPAMConfig?.LinkLocalIPs ?? [];
  return [
    ...four === '' || isFour(four) ? [] : [`invalid IPv4 address: ${four}`],
    ...six === '' || isSix(six) ? [] : [`invalid IPv6 address: ${six}`],
    ...others
      .filter((address) => !isFour(address) && !isSix(address))
      .map((address) => `invalid link-local IP address: ${address}`),
  ];
}

const isFour = (text: string): boolean => isIPv4(text) && text !== '0.0.0.0';
const isSix = (text: string): boolean => isIPv6(text) && !/^[0:]+$/.test(text);

/** Addresses may be asked for where the user chose the subnets, and inside of them. */
function placeFaults(network: NetworkRecord, asked: EndpointSettings): string[] {
  const { four, six } = addressesOf(asked);
  const of = (address: string, family: 4 | 6): string[] => {
    if (address === '') return [];
    const subnets = network.hasOwnSubnets
      ? network.pools.flatMap(({ subnet }) => parseSubnet(subnet) ?? [])
        .filter((subnet) => subnet.family === family)
      : [];
    if (subnets.length === 0) {
      return ['user specified IP address is supported only when connecting to networks with user ' +
        'configured subnets'];
    }
    const isInside = (family === 4 ? isFour(address) : isSix(address)) &&
      subnets.some((subnet) => contains(subnet, address));
    return isInside ? [] : [`no configured subnet or ip-range contain the IP address ${address}`];
  };
  return [...of(four, 4), ...of(six, 6)];
}

function checkMac(mac: string, messagePrefix: string): void {
  if (mac !== '' && !/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(mac)) {
    throw invalidParameter(`${messagePrefix}invalid MAC address ${mac}`);
  }
}

const linkLocalSubnets = { 4: '169.254.0.0/16', 6: 'fe80::/64' } as const;

/** Each has to be one of its link alone, and IPv6 ones need a network that speaks it. */
function checkLinkLocal(network: NetworkRecord, { IPAMConfig }: EndpointSettings): void {
  for (const address of IPAMConfig?.LinkLocalIPs ?? []) {
    const family = isIPv4(address) ? 4 : 6;
    const subnet = parseSubnet(linkLocalSubnets[family]);
    if (subnet === undefined || !contains(subnet, address)) {
      throw invalidParameter(`invalid link local IP address: ${address}`);
    }
    if (family === 6 && !network.enableIPv6) {
      throw invalidParameter(
        `invalid link local IP address: ${address}: network ${network.spec.name} has no IPv6`);
    }
  }
}

/** A link-local address with the length of its prefix. */
export const linkLocalCidr = (address: string): string =>
  isIPv4(address) ? `${address}/16` : `${address}/64`;
