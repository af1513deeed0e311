/** Which addresses exist, which are free, and which subnets collide. Pure. */
import { createHash } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';

/** A subnet as numbers. */
export interface Subnet {
  readonly family: 4 | 6;
  /** First address; the network's own. */
  readonly base: bigint;
  readonly prefix: number;
}

/** Where a network's addresses come from. */
export interface AddressPool {
  readonly subnet: string;
  /** Containers get addresses of this part only. */
  readonly range?: string;
  readonly gateway: string;
  /** Names and addresses that the user keeps for others. */
  readonly auxiliary: Readonly<Record<string, string>>;
}

/** A range that is cut into subnets of `prefix` for networks that ask for none. */
export interface PoolRange {
  readonly base: string;
  readonly prefix: number;
}

/** Docker's own ranges. */
export const defaultPoolRanges: readonly PoolRange[] = [
  { base: '172.17.0.0/16', prefix: 16 },
  { base: '172.18.0.0/16', prefix: 16 },
  { base: '172.19.0.0/16', prefix: 16 },
  { base: '172.20.0.0/14', prefix: 16 },
  { base: '172.24.0.0/14', prefix: 16 },
  { base: '172.28.0.0/14', prefix: 16 },
  { base: '192.168.0.0/16', prefix: 20 },
];

/** The key among a pool's auxiliary addresses that names another gateway than the bridge's. */
export const gatewayKeys = { 4: 'DefaultGatewayIPv4', 6: 'DefaultGatewayIPv6' } as const;

/** The gateway that containers use: the bridge's own address, or who is named in its place. */
export function gatewayOf({ gateway, auxiliary }: AddressPool): string {
  return auxiliary[gatewayKeys[isIPv4(gateway) ? 4 : 6]] ?? gateway;
}

/**
 * An engine's own range of unique local addresses (RFC 4193), for IPv6 networks that name none: the
 * same at each start, and unlike another engine's.
 */
export function uniqueLocalRange(rootId: string): PoolRange {
  const hex = createHash('sha256').update(rootId).digest('hex');
  return { base: `fd${hex.slice(0, 2)}:${hex.slice(2, 6)}:${hex.slice(6, 10)}::/48`, prefix: 64 };
}

/** No bridge holds more endpoints; a search for a free address ends there at the latest. */
const maxSearch = 70_000;

const bitsOf = (family: 4 | 6): number => (family === 4 ? 32 : 128);

/** `10.0.0.1` as a number; undefined for what is no address. */
export function addressNumber(address: string): bigint | undefined {
  if (isIPv4(address)) {
    return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  }
  if (!isIPv6(address) || address.includes('%') || address.includes('.')) return undefined;
  const [head = '', tail] = address.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const first = groups(head);
  const last = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0');
  return [...first, ...zeros, ...last].reduce((sum, g) => sum * 65_536n + BigInt(`0x${g}`), 0n);
}

/** A number as an address, IPv6 with its longest run of zeros left out. */
export function addressText(family: 4 | 6, value: bigint): string {
  if (family === 4) {
    return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
  }
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  const runs = groups.map((_, start) => {
    let length = 0;
    while (groups[start + length] === '0') length++;
    return { start, length };
  });
  const best = runs.reduce((a, b) => (b.length > a.length ? b : a));
  if (best.length < 2) return groups.join(':');
  const tail = groups.slice(best.start + best.length).join(':');
  return `${groups.slice(0, best.start).join(':')}::${tail}`;
}

/** Reads `10.0.0.5/24` with its host bits cut off; undefined for what is no subnet. */
export function parseSubnet(cidr: string): Subnet | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(cidr);
  const value = addressNumber(match?.[1] ?? '');
  if (match === null || value === undefined) return undefined;
  const family = isIPv4(match[1] ?? '') ? 4 : 6;
  const prefix = Number(match[2]);
  if (prefix > bitsOf(family)) return undefined;
  const shift = BigInt(bitsOf(family) - prefix);
  return { family, base: (value >> shift) << shift, prefix };
}

/** `10.0.0.0/24`. */
export function subnetText({ family, base, prefix }: Subnet): string {
  return `${addressText(family, base)}/${prefix}`;
}

const sizeOf = ({ family, prefix }: Subnet): bigint => 1n << BigInt(bitsOf(family) - prefix);
const lastOf = (subnet: Subnet): bigint => subnet.base + sizeOf(subnet) - 1n;

/** Whether an address, or the whole of another subnet, lies in `subnet`. */
export function contains(subnet: Subnet, inner: string | Subnet): boolean {
  if (typeof inner !== 'string') {
    const isSame = inner.family === subnet.family;
    return isSame && inner.base >= subnet.base && lastOf(inner) <= lastOf(subnet);
  }
  const value = addressNumber(inner);
  const family = isIPv4(inner) ? 4 : 6;
  if (value === undefined || family !== subnet.family) return false;
  return value >= subnet.base && value <= lastOf(subnet);
}

/** Whether two subnets have an address in common. */
export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.family === b.family && a.base <= lastOf(b) && b.base <= lastOf(a);
}

/** First address that may be given: the gateway, unless the user wants another. */
export function defaultGateway(subnet: Subnet, range?: Subnet): string {
  const from = range ?? subnet;
  const first = from.base === subnet.base && sizeOf(subnet) > 2n ? from.base + 1n : from.base;
  return addressText(subnet.family, first);
}

/** The first subnet of `ranges` that meets none of `used`; undefined when all are taken. */
export function freeSubnet(
  ranges: readonly PoolRange[],
  used: readonly Subnet[],
): Subnet | undefined {
  for (const { base, prefix } of ranges) {
    const range = parseSubnet(base);
    if (range === undefined || prefix < range.prefix) continue;
    const step = 1n << BigInt(bitsOf(range.family) - prefix);
    for (let first = range.base; first <= lastOf(range); first += step) {
      const subnet: Subnet = { family: range.family, base: first, prefix };
      if (!used.some((other) => overlaps(subnet, other))) return subnet;
    }
  }
  return undefined;
}

/** The lowest free address of a pool; undefined when there is none. */
export function freeAddress(
  pool: AddressPool,
  isTaken: (address: string) => boolean,
): string | undefined {
  const subnet = parseSubnet(pool.subnet);
  if (subnet === undefined) return undefined;
  const range = pool.range === undefined ? subnet : (parseSubnet(pool.range) ?? subnet);
  const kept = new Set([pool.gateway, ...Object.values(pool.auxiliary)]);
  let tries = 0;
  for (let value = range.base; value <= lastOf(range) && tries < maxSearch; value++, tries++) {
    if (isUnusable(subnet, value)) continue;
    const address = addressText(subnet.family, value);
    if (!kept.has(address) && !isTaken(address)) return address;
  }
  return undefined;
}

/** The network's own address and IPv4's broadcast; a subnet of one or two addresses uses all. */
function isUnusable(subnet: Subnet, value: bigint): boolean {
  if (sizeOf(subnet) <= 2n) return false;
  return value === subnet.base || (subnet.family === 4 && value === lastOf(subnet));
}
