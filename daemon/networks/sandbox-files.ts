/** Writes the three files of a container from what is known of it now. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import type { ContainerRecord } from '../containers/record.js';
import type { Context } from './context.js';
import {
  embeddedResolvConf, hostsText, ownAddresses, parseResolvConf, reachableServers, resolvConfText,
  resolverFor, writeFiles, type ResolverConfig,
} from './files.js';
import { linkLines } from './links.js';
import type { SandboxRecord } from './records.js';

/** The host's resolv.conf; one that cannot be read names no servers. */
export function readHostResolver(context: Context): ResolverConfig {
  try {
    return parseResolvConf(readFileSync(context.settings.hostResolvConfPath, 'utf8'));
  } catch (error) {
    context.warn(`no resolver configuration of the host: ${String(error)}`);
    return { servers: [], search: [], options: [] };
  }
}

/** What a container resolves with, before it is known whether it has a server of its own. */
export function resolverOf(context: Context, record: ContainerRecord): ResolverConfig {
  const host = readHostResolver(context);
  return resolverFor(host, record.hostConfig, context.settings.dns);
}

/** Writes hosts, resolv.conf and hostname; live containers see the change at once. */
export async function writeSandboxFiles(
  context: Context,
  record: ContainerRecord,
  sandbox: SandboxRecord,
  resolver: ResolverConfig,
): Promise<void> {
  await writeFiles(context.bundlePath(record.id), {
    hosts: await hostsOf(context, record, sandbox),
    'resolv.conf': resolvConfOf(sandbox, resolver),
    hostname: sandbox.hostname === '' ? '' : `${sandbox.hostname}\n`,
  });
}

function resolvConfOf(sandbox: SandboxRecord, resolver: ResolverConfig): string {
  if (sandbox.dnsServers !== undefined) return embeddedResolvConf(resolver);
  if (sandbox.kind === 'host') return resolvConfText(resolver);
  return resolvConfText({ ...resolver, servers: reachableServers(resolver.servers) });
}

async function hostsOf(
  context: Context,
  record: ContainerRecord,
  sandbox: SandboxRecord,
): Promise<string> {
  const extraHosts = record.hostConfig.ExtraHosts ?? [];
  if (sandbox.kind === 'host' && extraHosts.length === 0) {
    return readFile('/etc/hosts', 'utf8').catch(() => '127.0.0.1\tlocalhost\n');
  }
  return hostsText({
    extraHosts,
    hostGateway: hostGateway(context),
    links: linkLines(context, record, sandbox.endpoints),
    own: ownAddresses(sandbox.endpoints.flatMap(({ spec }) => spec.addresses)),
    hostname: sandbox.hostname,
    domainname: sandbox.domainname,
  });
}

function hostGateway({ settings, book }: Context): string {
  if (settings.hostGatewayIp !== '') return settings.hostGatewayIp;
  const gateways = book.byName('bridge')?.pools.map(({ gateway }) => gateway) ?? [];
  return gateways.find(isIPv4) ?? '127.0.0.1';
}
