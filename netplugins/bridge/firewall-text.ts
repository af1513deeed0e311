/**
 * The one nft table of an engine as text. The rules are fixed; networks and ports are elements of
 * its sets and maps, so that publishing adds an element and changes no rule. Pure: everything that
 * enters the text is checked here, for it is a language.
 *
 *   martians     127/8 from anything but lo is dropped: publishing on 127.0.0.1 needs
 *                route_localnet (CVE-2020-8558), and prerouting's NAT would serve the neighbours
 *   publish      from prerouting and output: the host's own addresses to a container's
 *   postrouting  masquerade: to the world, of 127/8, and for answers that would take a short cut
 *   inward       into a bridge come its own containers (icc), answers, and what was published
 */
import { isIPv4, isIPv6 } from 'node:net';
import type { EndpointSpec, NetworkSpec, PortMapping } from '../plugin.js';
import { parseBridgeOptions } from './options.js';

/** One element of a set or map. */
export interface FirewallElement {
  readonly set: string;
  readonly key: string;
  /** What a map gives for the key. */
  readonly value?: string;
  /** Whose it is: `tsdocker:<root>:<id>`. */
  readonly owner: string;
}

/** Name of the engine's table, in family inet. */
export function tableName(rootId: string): string {
  if (!/^[0-9a-f]{8}$/.test(rootId)) throw new RangeError(`not a root id: ${rootId}`);
  return `tsdocker-${rootId}`;
}

const transports = 'meta l4proto { tcp, udp, sctp }';

const sets = [
  'set bridges { type ifname; }',
  'set internal { type ifname; }',
  'set icc { type ifname . ifname; }',
  'set subnets4 { type ifname . ipv4_addr; flags interval; }',
  'set subnets6 { type ifname . ipv6_addr; flags interval; }',
  'set masquerade4 { type ipv4_addr; flags interval; }',
  'set masquerade6 { type ipv6_addr; flags interval; }',
  'map any4 { type inet_proto . inet_service : ipv4_addr . inet_service; }',
  'map any6 { type inet_proto . inet_service : ipv6_addr . inet_service; }',
  'map at4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }',
  'map at6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }',
];

/** `-100` stands where nft 1.0.6 takes no name: dstnat exists for prerouting only. */
const chains = `
chain martians { type filter hook prerouting priority -300; policy accept;
  iifname != "lo" ip daddr 127.0.0.0/8 drop
  iifname @bridges ip saddr 127.0.0.0/8 drop
}
chain publish {
  ${transports} dnat ip to ip daddr . meta l4proto . th dport map @at4
  ${transports} dnat ip to meta l4proto . th dport map @any4
  ${transports} dnat ip6 to ip6 daddr . meta l4proto . th dport map @at6
  ${transports} dnat ip6 to meta l4proto . th dport map @any6
}
chain prerouting { type nat hook prerouting priority -100; policy accept;
  fib daddr type local jump publish
}
chain output { type nat hook output priority -100; policy accept;
  ip6 daddr ::1 return
  fib daddr type local jump publish
}
chain postrouting { type nat hook postrouting priority 100; policy accept;
  oifname @bridges ip saddr 127.0.0.0/8 masquerade
  oifname . ip saddr @subnets4 ct status dnat masquerade
  ip saddr @masquerade4 oifname . ip saddr != @subnets4 masquerade
  oifname . ip6 saddr @subnets6 ct status dnat masquerade
  ip6 saddr @masquerade6 oifname . ip6 saddr != @subnets6 masquerade
}
chain forward { type filter hook forward priority 0; policy accept;
  oifname @bridges jump inward
  iifname @internal drop
}
chain inward {
  iifname . oifname @icc accept
  oifname @internal drop
  iifname @internal drop
  ct state established,related accept
  ct status dnat accept
  drop
}
`;

/** Replaces the table, whatever it holds, by one with `elements`: a single transaction. */
export function replaceTable(rootId: string, elements: readonly FirewallElement[]): string {
  const table = tableName(rootId);
  return [
    `add table inet ${table}`,
    `delete table inet ${table}`,
    `table inet ${table} {`,
    `comment "tsdocker:${rootId}"`,
    ...sets,
    chains.trim(),
    '}',
    addElements(rootId, elements),
  ].join('\n');
}

/** Adds elements; those of the same set in one command. */
export function addElements(rootId: string, elements: readonly FirewallElement[]): string {
  return perSet(elements, (set, members) => {
    const texts = members.map(({ key, value, owner }) =>
      `${key} comment "${owner}"${value === undefined ? '' : ` : ${value}`}`);
    return `add element inet ${tableName(rootId)} ${set} { ${texts.join(', ')} }`;
  }).join('\n');
}

/** Deletes elements; one that is not there fails the whole transaction (ENOENT). */
export function deleteElements(rootId: string, elements: readonly FirewallElement[]): string {
  return perSet(elements, (set, members) =>
    `delete element inet ${tableName(rootId)} ${set} { ${members.map((m) => m.key).join(', ')} }`)
    .join('\n');
}

/** What `write` makes of each set's elements. */
export function perSet<Written>(
  elements: readonly FirewallElement[],
  write: (set: string, members: readonly FirewallElement[]) => Written,
): readonly Written[] {
  const bySet = new Map<string, FirewallElement[]>();
  for (const element of elements) {
    const members = bySet.get(element.set);
    if (members === undefined) bySet.set(element.set, [element]);
    else members.push(element);
  }
  return [...bySet].map(([set, members]) => write(set, members));
}

/** What a network has in the table. */
export function networkElements(
  rootId: string,
  network: NetworkSpec,
): readonly FirewallElement[] {
  const link = quoted(network.linkName);
  const owner = ownerOf(rootId, network.id);
  const options = parseBridgeOptions(network.options);
  const elements: FirewallElement[] = [{ set: 'bridges', key: link, owner }];
  if (options.icc) elements.push({ set: 'icc', key: `${link} . ${link}`, owner });
  if (network.internal) elements.push({ set: 'internal', key: link, owner });
  for (const { family, cidr } of network.subnets) {
    const subnet = checkedCidr(cidr);
    elements.push({ set: `subnets${family}`, key: `${link} . ${subnet}`, owner });
    if (options.masquerade && !network.internal) {
      elements.push({ set: `masquerade${family}`, key: subnet, owner });
    }
  }
  return elements;
}

/**
 * What published ports are in the table. A mapping from an IPv6 address of the host to an IPv4
 * container is none, nor is one from `::1`: see `needsProxy`.
 */
export function portElements(
  rootId: string,
  endpoint: Pick<EndpointSpec, 'id'>,
  ports: readonly PortMapping[],
): readonly FirewallElement[] {
  const owner = ownerOf(rootId, endpoint.id);
  return ports.flatMap((port) => {
    const family = isIPv4(port.containerIp) ? 4 : 6;
    if (isIPv4(port.hostIp) !== (family === 4) || port.hostIp === '::1') return [];
    const isAny = port.hostIp === '0.0.0.0' || port.hostIp === '::';
    const key = `${checkedProtocol(port.protocol)} . ${checkedPort(port.hostPort)}`;
    return [{
      set: `${isAny ? 'any' : 'at'}${family}`,
      key: isAny ? key : `${checkedAddress(port.hostIp)} . ${key}`,
      value: `${checkedAddress(port.containerIp)} . ${checkedPort(port.containerPort)}`,
      owner,
    }];
  });
}

/** The words that mark a kernel object as ours: link aliases and comments of elements. */
export function ownerOf(rootId: string, id: string): string {
  if (!/^[0-9a-f]{1,64}$/.test(id)) throw new RangeError(`not an id: ${id}`);
  return `tsdocker:${rootId}:${id}`;
}

function quoted(linkName: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/.test(linkName)) {
    throw new RangeError(`not a link name: ${linkName}`);
  }
  return `"${linkName}"`;
}

function checkedAddress(address: string): string {
  if (!isIPv4(address) && !isIPv6(address)) throw new RangeError(`no IP address: ${address}`);
  return address;
}

function checkedCidr(cidr: string): string {
  const [address = '', length = ''] = cidr.split('/');
  if (!/^\d{1,3}$/.test(length)) throw new RangeError(`no subnet: ${cidr}`);
  return `${checkedAddress(address)}/${length}`;
}

function checkedPort(port: number): number {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new RangeError(`port ${port}`);
  return port;
}

function checkedProtocol(protocol: string): string {
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) throw new RangeError(`protocol ${protocol}`);
  return protocol;
}
