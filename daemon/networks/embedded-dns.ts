/**
 * A container's DNS server: its sockets lie on ports of the kernel's choice inside the container,
 * and what goes to 127.0.0.11:53 is turned to them there. To hold port 53 itself would break a
 * container's own server on 0.0.0.0:53.
 */
import { closeSync } from 'node:fs';
import type { Netns } from '../../native/netlink/index.js';
import { lacksNftables } from '../../native/nftables.js';
import type { NameSockets, TaskPorts } from '../runtime/task.js';
import type { Context } from './context.js';
import { currentName, hasNames } from './context.js';
import { serveDns, type DnsServer } from './dns-server.js';
import { createZone } from './dns-zone.js';
import { embeddedServer } from './files.js';

/** Lives that are shorter need no daemon to come, and are spared what it costs. */
const keepAfterMs = 1000;

/** Starts the server of a sandbox in its namespace, in place of an older one. */
export async function startDns(context: Context, sandboxId: string, netns: Netns): Promise<void> {
  let sockets = await openSockets(context, netns, 0);
  try {
    await redirect(context, netns, { udpPort: sockets.udp.port, tcpPort: sockets.tcp.port });
  } catch (error) {
    closeSync(sockets.udp.fd);
    closeSync(sockets.tcp.fd);
    if (!lacksNftables(error)) throw error;
    // Better a port 53 that is taken than no names at all.
    sockets = await openSockets(context, netns, dnsPort);
  }
  const server = serve(context, sandboxId, { udpFd: sockets.udp.fd, tcpFd: sockets.tcp.fd });
  setTimeout(() => void keep(context, sandboxId, server), keepAfterMs).unref();
}

/**
 * After a restart of the daemon: the sockets of the last one's server are in the shim, with what
 * was asked meanwhile; those of a life that it hardly saw are made anew.
 */
export async function resumeDns(
  context: Context,
  sandboxId: string,
  { pid, ports }: { readonly pid: number; readonly ports: TaskPorts },
): Promise<void> {
  const kept = await ports.keptNames();
  if (kept === undefined) await startDns(context, sandboxId, { pid });
  else serve(context, sandboxId, kept);
}

function serve(context: Context, sandboxId: string, sockets: NameSockets): DnsServer {
  const server = serveDns(sockets, zoneOf(context, sandboxId));
  const entry = context.held.get(sandboxId);
  entry?.dns?.close();
  // A sandbox that was released meanwhile has no use for it.
  if (entry === undefined) server.close();
  else entry.dns = server;
  return server;
}

/** Gives the sockets to the shim, for a daemon to come. */
async function keep(context: Context, sandboxId: string, server: DnsServer): Promise<void> {
  const sandbox = context.book.sandbox(sandboxId);
  if (sandbox === undefined || context.held.get(sandboxId)?.dns !== server) return;
  let sockets: NameSockets | undefined;
  try {
    const { ports } = context.containers.find(sandbox.containerId);
    sockets = server.sockets();
    if (sockets !== undefined) await ports?.keepNames(sockets);
  } catch (error) {
    // Of one that has ended meanwhile, or is being removed, nothing is to be kept.
    if (context.held.get(sandboxId)?.dns !== server) return;
    context.warn(`names of ${sandbox.containerId.slice(0, 12)} are not kept: ${String(error)}`);
  } finally {
    if (sockets !== undefined) closeAll(sockets);
  }
}

function closeAll({ udpFd, tcpFd }: NameSockets): void {
  closeSync(udpFd);
  closeSync(tcpFd);
}

async function openSockets({ netlink }: Context, netns: Netns, port: number) {
  const place = { address: embeddedServer, port, netns } as const;
  const [, udp, tcp] = await netlink.run([
    { do: 'setLink', name: 'lo', up: true, netns },
    { do: 'openSocket', protocol: 'udp', listen: false, ...place },
    { do: 'openSocket', protocol: 'tcp', listen: true, ...place },
  ]);
  return { udp, tcp };
}

function zoneOf(context: Context, sandboxId: string) {
  const { book } = context;
  return createZone({
    asker: () => book.sandbox(sandboxId),
    endpointsOn: (networkId) => book.seatsOn(networkId),
    hasNames: (networkId) => hasNames(book.get(networkId)),
    nameOf: (sandbox) => currentName(context, sandbox),
    isInternal: (networkId) => book.get(networkId)?.spec.internal ?? true,
  });
}

const dnsPort = 53;
const table = 'ip tsdocker-dns';

async function redirect(
  { netlink }: Context,
  netns: Netns,
  { udpPort, tcpPort }: { readonly udpPort: number; readonly tcpPort: number },
): Promise<void> {
  const toServer = `add rule ${table} output ip daddr ${embeddedServer}`;
  const rules = [
    `add chain ${table} output { type nat hook output priority -100; }`,
    `${toServer} udp dport 53 dnat to ${embeddedServer}:${udpPort}`,
    `${toServer} tcp dport 53 dnat to ${embeddedServer}:${tcpPort}`,
  ];
  // `create` refuses a table that exists: deleting one costs 16 ms and is for a daemon's restart.
  const fresh = [`create table ${table}`, ...rules].join('\n');
  const [done] = await netlink.run([
    { do: 'nft', commands: fresh, netns, tolerate: ['EEXIST'] },
  ]);
  if (done !== undefined) return;
  const again = [`delete table ${table}`, `add table ${table}`, ...rules].join('\n');
  await netlink.run([{ do: 'nft', commands: again, netns }]);
}
