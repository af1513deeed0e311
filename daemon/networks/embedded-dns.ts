/**
 * A container's DNS server: its sockets lie on ports of the kernel's choice inside the container,
 * and what goes to 127.0.0.11:53 is turned to them there. To hold port 53 itself would break a
 * container's own server on 0.0.0.0:53.
 */
import { closeSync } from 'node:fs';
import { lacksNftables } from '../../native/nftables.js';
import type { Context } from './context.js';
import { currentName, hasNames } from './context.js';
import { serveDns } from './dns-server.js';
import { createZone } from './dns-zone.js';
import { embeddedServer } from './files.js';

/** Starts the server of a live sandbox in the namespace of `pid`, in place of an older one. */
export async function startDns(context: Context, sandboxId: string, pid: number): Promise<void> {
  let sockets = await openSockets(context, pid, 0);
  try {
    await redirect(context, pid, { udpPort: sockets.udp.port, tcpPort: sockets.tcp.port });
  } catch (error) {
    closeSync(sockets.udp.fd);
    closeSync(sockets.tcp.fd);
    if (!lacksNftables(error)) throw error;
    // Better a port 53 that is taken than no names at all.
    sockets = await openSockets(context, pid, dnsPort);
  }
  const { udp, tcp } = sockets;
  const server = serveDns({ udpFd: udp.fd, tcpFd: tcp.fd }, zoneOf(context, sandboxId));
  const entry = context.held.get(sandboxId);
  entry?.dns?.close();
  // A sandbox that was released meanwhile has no use for it.
  if (entry === undefined) server.close();
  else entry.dns = server;
}

async function openSockets({ netlink }: Context, netnsPid: number, port: number) {
  const place = { address: embeddedServer, port, netnsPid } as const;
  const [, udp, tcp] = await netlink.run([
    { do: 'setLink', name: 'lo', up: true, netnsPid },
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
  netnsPid: number,
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
    { do: 'nft', commands: fresh, netnsPid, tolerate: ['EEXIST'] },
  ]);
  if (done !== undefined) return;
  const again = [`delete table ${table}`, `add table ${table}`, ...rules].join('\n');
  await netlink.run([{ do: 'nft', commands: again, netnsPid }]);
}
