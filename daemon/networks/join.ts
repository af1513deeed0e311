/** A sandbox's links and names, in a namespace made ahead or in that of a process. */
import { closeSync } from 'node:fs';
import type { Netns } from '../../native/netlink/index.js';
import { networkOf, pluginOf, type Context, type Held } from './context.js';
import { startDns } from './embedded-dns.js';
import type { SandboxRecord } from './records.js';

/**
 * Begins to join a sandbox in a namespace that was made ahead, and answers its fd, which stays
 * ours: the container is to be born into it before `connect` or `release` closes it. Undefined
 * when there is none.
 */
export function takeNetns(context: Context, record: SandboxRecord): number | undefined {
  const held = context.held.get(record.id);
  if (held === undefined || record.kind !== 'isolated') return undefined;
  const fd = context.spares?.take();
  if (fd === undefined) return undefined;
  const joined = held.recorded.then(() => join(context, record, { fd }));
  // Connect throws what it rejects with; it may come later.
  joined.catch(() => undefined);
  held.netns = { fd, joined };
  return fd;
}

/** Who lives there, if anybody does, keeps it. */
export function closeTaken(held: Held | undefined): void {
  if (held?.netns === undefined) return;
  closeSync(held.netns.fd);
  delete held.netns;
}

/** Makes the links of a sandbox there, and serves its names. */
export async function join(context: Context, record: SandboxRecord, netns: Netns): Promise<void> {
  const joins = record.endpoints.map((endpoint) => {
    const network = networkOf(context, endpoint);
    return pluginOf(context, network).join(network.spec, endpoint.spec, netns);
  });
  const dns = record.dnsServers === undefined ? [] : [startDns(context, record.id, netns)];
  await allOrFirstError([...joins, ...dns]);
}

/** Waits for all, so that nothing is still being made when the caller tears down. */
export async function allOrFirstError(works: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(works);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
