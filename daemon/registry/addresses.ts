/**
 * Which hosts a registry may send us to. A registry on the internet must not make the daemon speak
 * to the host's own network (a token realm at 169.254.169.254 reads cloud credentials), so an
 * address may only be as private as the registry that names it.
 */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

const reaches = ['public', 'private', 'loopback', 'linkLocal'] as const;
/** How far from the outside an address is; each may name those before it. */
export type Reach = (typeof reaches)[number];

const privateRanges = blockList(
  ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '198.18.0.0/15'],
  ['fc00::/7', 'fec0::/10'],
);
const loopbackRanges = blockList(['127.0.0.0/8', '0.0.0.0/8'], ['::1/128', '::/128']);
const linkLocalRanges = blockList(['169.254.0.0/16'], ['fe80::/10']);

/** Reads `host/bits` lists of one family each. */
function blockList(v4: readonly string[], v6: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of [...v4, ...v6]) {
    const [address = '', bits = ''] = range.split('/');
    list.addSubnet(address, Number(bits), address.includes(':') ? 'ipv6' : 'ipv4');
  }
  return list;
}

/** Where an address lies; IPv4 in IPv6 counts as what it carries. */
export function reachOf(address: string): Reach {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
  const family = mapped.includes(':') ? 'ipv6' : 'ipv4';
  if (linkLocalRanges.check(mapped, family)) return 'linkLocal';
  if (loopbackRanges.check(mapped, family)) return 'loopback';
  return privateRanges.check(mapped, family) ? 'private' : 'public';
}

/** Whether a host of reach `from` may name one of reach `to`; link-local is never named. */
export function mayName(from: Reach, to: Reach): boolean {
  return to !== 'linkLocal' && reaches.indexOf(to) <= reaches.indexOf(from);
}

/** `[::1]` as in a URL → `::1`. */
export function bareHost(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

/** The most private of a host's addresses; rejects as `dns.lookup` does. */
export async function reachOfHost(hostname: string): Promise<Reach> {
  const bare = bareHost(hostname);
  if (isIP(bare) !== 0) return reachOf(bare);
  const addresses = await lookup(bare, { all: true });
  const found = addresses.map(({ address }) => reaches.indexOf(reachOf(address)));
  return reaches[Math.max(0, ...found)] ?? 'public';
}

/** Hosts to which TLS is not demanded: names with their port, or ranges of addresses. */
export interface InsecureHosts {
  /** `host` as in a URL, with its port when it has one. */
  has(host: string): boolean;
}

/** Docker's rule: loopback counts as listed. Throws on what is neither host nor CIDR. */
export function insecureHosts(listed: readonly string[]): InsecureHosts {
  const ranges = blockList(
    ['127.0.0.0/8', ...listed.filter((entry) => /^[\d.]+\/\d+$/.test(entry))],
    ['::1/128', ...listed.filter((entry) => /^[\da-f:]+\/\d+$/i.test(entry))],
  );
  const names = new Set(listed.filter((entry) => !entry.includes('/')));
  return {
    has: (host) => {
      const url = new URL(`http://${host}`);
      const address = bareHost(url.hostname);
      if (names.has(host) || names.has(url.hostname) || address === 'localhost') return true;
      const version = isIP(address);
      return version !== 0 && ranges.check(address, version === 6 ? 'ipv6' : 'ipv4');
    },
  };
}
