/** hosts, resolv.conf and hostname of a container, as text and on disk, by Docker's rules. */
import { mkdir, writeFile } from 'node:fs/promises';
import { isIP, isIPv4 } from 'node:net';
import { join } from 'node:path';
import type { HostConfig } from '../../api-spec/index.js';
import { writeSmallFiles } from '../../native/small-files.js';

/** What the host's resolv.conf says. */
export interface ResolverConfig {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** Resolvers for a container whose host has none that it could reach. */
const fallbackServers = ['8.8.8.8', '8.8.4.4'];
/** Where a container's own server seems to be. */
export const embeddedServer = '127.0.0.11';

/** Reads resolv.conf's text; what it does not know is left out. */
export function parseResolvConf(text: string): ResolverConfig {
  const lines = text.split('\n').map((line) => line.replace(/[#;].*$/, '').trim().split(/\s+/));
  const all = (key: string): readonly string[][] =>
    lines.filter(([first]) => first === key).map(([, ...rest]) => rest);
  return {
    servers: all('nameserver').flatMap(([server]) =>
      server !== undefined && isIP(server.replace(/%.*/, '')) !== 0 ? [server] : []),
    search: all('search').at(-1) ?? all('domain').at(-1) ?? [],
    options: all('options').flat(),
  };
}

/** What a container without a server of its own resolves with. */
export function resolverFor(
  host: ResolverConfig,
  asked: Pick<HostConfig, 'Dns' | 'DnsSearch' | 'DnsOptions'>,
  defaults: ResolverConfig,
): ResolverConfig {
  const pick = (own: readonly string[] | null | undefined, ...others: (readonly string[])[]) =>
    [own ?? [], ...others].find((list) => list.length > 0) ?? [];
  const search = pick(asked.DnsSearch, defaults.search, host.search);
  return {
    servers: pick(asked.Dns, defaults.servers, host.servers),
    // `--dns-search .` means none at all.
    search: search.length === 1 && search[0] === '.' ? [] : search,
    options: pick(asked.DnsOptions, defaults.options, host.options),
  };
}

/** The servers that a container reaches from its own namespace: not the host's loopback. */
export function reachableServers(servers: readonly string[]): readonly string[] {
  const reachable = servers.filter((server) => !server.startsWith('127.') && server !== '::1');
  return reachable.length > 0 ? reachable : fallbackServers;
}

/** resolv.conf's text. */
export function resolvConfText(config: ResolverConfig): string {
  return [
    '# Made by tsdocker; an edit lasts until the next start of the container.',
    ...config.servers.map((server) => `nameserver ${server}`),
    ...(config.search.length === 0 ? [] : [`search ${config.search.join(' ')}`]),
    ...(config.options.length === 0 ? [] : [`options ${config.options.join(' ')}`]),
    '',
  ].join('\n');
}

/** resolv.conf of a container that asks its own server. */
export function embeddedResolvConf(config: ResolverConfig): string {
  const hasNdots = config.options.some((option) => option.startsWith('ndots:'));
  const options = hasNdots ? config.options : [...config.options, 'ndots:0'];
  return resolvConfText({ ...config, servers: [embeddedServer], options });
}

const hostsHead = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

/** The text of hosts: loopback, what the user added, links, and the container's own addresses. */
export function hostsText(entries: {
  readonly extraHosts: readonly string[];
  readonly hostGateway: string;
  readonly links: readonly (readonly [address: string, ...names: string[]])[];
  readonly own: readonly string[];
  readonly hostname: string;
  readonly domainname: string;
}): string {
  const { hostname, domainname } = entries;
  const names = domainname === '' ? hostname : `${hostname}.${domainname} ${hostname}`;
  return [
    ...hostsHead,
    ...entries.extraHosts.map((entry) => extraHost(entry, entries.hostGateway)),
    ...entries.links.map(([address, ...linked]) => `${address}\t${linked.join(' ')}`),
    ...(hostname === '' ? [] : entries.own.map((address) => `${address}\t${names}`)),
    '',
  ].join('\n');
}

/** `name:address`, where the address may have colons and be `host-gateway`. */
function extraHost(entry: string, hostGateway: string): string {
  const colon = entry.indexOf(':');
  const name = entry.slice(0, colon);
  const address = entry.slice(colon + 1).replace(/^\[(.*)\]$/, '$1');
  return `${address === 'host-gateway' ? hostGateway : address}\t${name}`;
}

/** Whether an `ExtraHosts` entry is well-formed. */
export function isExtraHost(entry: string): boolean {
  const match = /^([^:\s]+):(\S+)$/.exec(entry);
  const address = match?.[2]?.replace(/^\[(.*)\]$/, '$1') ?? '';
  return match !== null && (address === 'host-gateway' || isIP(address) !== 0);
}

/** Where the three files of a container lie. */
export function filePaths(bundlePath: string) {
  return {
    hostsPath: join(bundlePath, 'hosts'),
    resolvConfPath: join(bundlePath, 'resolv.conf'),
    hostnamePath: join(bundlePath, 'hostname'),
  };
}

const FILE_MODE = 0o644;

/** Writes files in place: a live container has their inodes mounted. */
export async function writeFiles(
  bundlePath: string,
  texts: Readonly<Partial<Record<'hosts' | 'resolv.conf' | 'hostname', string>>>,
): Promise<void> {
  const files = Object.entries(texts)
    .map(([name, text]) => ({ path: join(bundlePath, name), text }));
  const written = await writeSmallFiles(files, FILE_MODE);
  if (written === files.length) return;
  // Again, for the reason why not, or for want of the folder.
  await mkdir(bundlePath, { recursive: true, mode: 0o710 });
  for (const { path, text } of files.slice(written)) {
    await writeFile(path, text, { mode: FILE_MODE });
  }
}

/** An address of an endpoint without its prefix length, IPv4 first. */
export function ownAddresses(addresses: readonly string[]): readonly string[] {
  const plain = addresses.map((address) => address.split('/')[0] ?? '');
  return [...plain.filter(isIPv4), ...plain.filter((address) => !isIPv4(address))];
}
