/** One endpoint made from what the user asked: checked, with addresses, MAC and names. */
import { randomBytes } from 'node:crypto';
import { isIPv4 } from 'node:net';
import type { EndpointSettings } from '../../api-spec/index.js';
import { invalidParameter } from '../../api-spec/errors.js';
import { randomId } from '../random-id.js';
import type { NetworkBook } from './book.js';
import { hasNames } from './context.js';
import { linkLocalCidr } from './endpoint-check.js';
import { gatewayOf } from './ipam.js';
import type { EndpointRecord, NetworkRecord } from './records.js';

const sysctlsOption = 'com.docker.network.endpoint.sysctls';
const nameOption = 'com.docker.network.endpoint.ifname';

/** What an endpoint is made for. */
export interface EndpointPlan {
  readonly network: NetworkRecord;
  readonly asked: EndpointSettings;
  readonly container: { readonly id: string; readonly name: string };
  readonly ifname: string;
  /** It has the default route. */
  readonly isGateway: boolean;
  readonly links: readonly string[];
}

/** Takes addresses and makes the endpoint; they are the caller's to free if it goes no further. */
export function makeEndpoint(book: NetworkBook, plan: EndpointPlan): EndpointRecord {
  const { network, asked, container, links } = plan;
  const id = randomId();
  const isAddressed = network.pools.length > 0;
  const addresses = book.takeAddresses(network, id, {
    four: asked.IPAMConfig?.IPv4Address ?? '',
    six: asked.IPAMConfig?.IPv6Address ?? '',
  });
  const mac = isAddressed ? macFor(asked.MacAddress ?? '', addresses) : '';
  const gateways = network.spec.internal ? [] : network.pools.map(gatewayOf);
  const spec = {
    id,
    containerId: container.id,
    ifname: asked.DriverOpts?.[nameOption] ?? plan.ifname,
    mac,
    addresses,
    ...linkLocalOf(asked),
    gateways: plan.isGateway ? gateways : [],
    sysctls: parseSysctls(asked.DriverOpts?.[sysctlsOption] ?? ''),
  };
  return {
    networkId: network.spec.id,
    networkName: network.spec.name,
    spec,
    settings: settingsOf(plan, spec),
    links,
  };
}

function linkLocalOf({ IPAMConfig }: EndpointSettings): Pick<EndpointRecord['spec'], 'linkLocal'> {
  const asked = IPAMConfig?.LinkLocalIPs ?? [];
  return asked.length === 0 ? {} : { linkLocal: asked.map(linkLocalCidr) };
}

function macFor(asked: string, addresses: readonly string[]): string {
  if (asked !== '') return asked.toLowerCase().replaceAll('-', ':');
  const four = addresses.find((address) => isIPv4(address.split('/')[0] ?? ''));
  const bytes =
    four === undefined ? [...randomBytes(4)] : (four.split('/')[0] ?? '').split('.').map(Number);
  return ['02', '42', ...bytes.map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

function settingsOf(plan: EndpointPlan, spec: EndpointRecord['spec']): EndpointSettings {
  const { network, asked, container } = plan;
  const part = (family: 4 | 6): readonly [address: string, prefix: number, gateway: string] => {
    const found = spec.addresses.find((a) => (a.includes(':') ? 6 : 4) === family);
    const [address = '', prefix = '0'] = found?.split('/') ?? [];
    const pool = network.pools.find((p) => (p.gateway.includes(':') ? 6 : 4) === family);
    const isOut = !network.spec.internal && pool !== undefined;
    return [address, Number(prefix), isOut ? gatewayOf(pool) : ''];
  };
  const [address4, prefix4, gateway4] = part(4);
  const [address6, prefix6, gateway6] = part(6);
  return {
    ...asked,
    NetworkID: network.spec.id,
    EndpointID: spec.id,
    MacAddress: spec.mac,
    Gateway: gateway4,
    IPAddress: address4,
    IPPrefixLen: prefix4,
    IPv6Gateway: gateway6,
    GlobalIPv6Address: address6,
    GlobalIPv6PrefixLen: prefix6,
    DNSNames: hasNames(network) ? dnsNames(container, asked.Aliases ?? []) : null,
  };
}

/** The names by which others on a user-defined network find a container. */
export function dnsNames(
  container: { readonly id: string; readonly name: string },
  aliases: readonly string[],
): string[] {
  return [...new Set([container.name, ...aliases, container.id.slice(0, 12)])];
}

/** `net.ipv4.conf.IFNAME.x=1,…`; only of this interface, as Docker refuses others. */
function parseSysctls(text: string): Readonly<Record<string, string>> {
  if (text === '') return {};
  return Object.fromEntries(text.split(',').map((entry) => {
    const [name = '', value = ''] = entry.split('=');
    if (!/^net\.(ipv4|ipv6|mpls)\.(conf|neigh)\.IFNAME\.[a-z0-9_]+$/.test(name)) {
      throw invalidParameter(`unrecognised network interface sysctl '${entry}'`);
    }
    return [name, value];
  }));
}
