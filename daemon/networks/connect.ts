/** When init's namespace exists: links, ports and DNS; and all of it back after the exit. */
import type { Sandbox } from '../containers/needs.js';
import { allocate, sandboxView } from './allocate.js';
import { networkEvent, networkOf, pluginOf, type Context } from './context.js';
import { startDns } from './embedded-dns.js';
import { publish } from './publish.js';
import { dropSandbox, freeAddresses, type EndpointRecord } from './records.js';

export { allocate, sandboxView };

/** Makes what the sandbox says in the namespace of `pid`; the caller releases it on failure. */
export async function connectSandbox(
  context: Context,
  sandbox: Sandbox,
  pid: number,
): Promise<void> {
  const record = context.book.sandbox(sandbox.id);
  await context.held.get(sandbox.id)?.recorded;
  if (record === undefined || record.kind !== 'isolated') return;
  const joins = record.endpoints.map((endpoint) => {
    const network = networkOf(context, endpoint);
    return pluginOf(context, network).join(network.spec, endpoint.spec, { pid });
  });
  const dns = record.dnsServers === undefined ? [] : [startDns(context, record.id, pid)];
  const published = context.held.get(sandbox.id)?.published ?? publish(context, record);
  await allOrFirstError([...joins, published, ...dns]);
}

/** Waits for all, so that nothing is still being made when the caller tears down. */
async function allOrFirstError(works: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(works);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/**
 * Gives everything back; ports are free when it resolves, addresses when the kernel has let the
 * links go. Idempotent. Tries everything and throws one `AggregateError`.
 */
export async function releaseSandbox(context: Context, sandboxId: string): Promise<void> {
  const record = context.book.sandbox(sandboxId);
  if (record === undefined) return;
  context.book.removeSandbox(sandboxId);
  const held = context.held.get(sandboxId);
  context.held.delete(sandboxId);
  held?.dns?.close();
  const pending = record.endpoints.map((endpoint) =>
    context.events.stamp(
      networkEvent('disconnect', networkOf(context, endpoint), record.containerId)));
  // Before anything is waited for: who releases tells of what comes after it. Nor is its writing
  // waited for: a row that stays is found to be of nobody by the next start.
  context.store
    .commit([dropSandbox(sandboxId), ...pending.flatMap(({ statements }) => statements)], 'normal')
    .then(() => pending.forEach((event) => event.announce()))
    .catch((error: unknown) => {
      context.warn(`sandbox ${sandboxId} is not forgotten: ${String(error)}`);
    });
  // What is being published would stay: it is let finish, and then taken back.
  const published = Promise.resolve(held?.published).catch(() => undefined);
  const works = record.endpoints.map((endpoint) =>
    published.then(() => leave(context, endpoint, 'dying')));
  const results = await Promise.allSettled(works);
  context.ports.free(held?.reservations ?? []);
  const errors = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : []);
  if (errors.length > 0) {
    throw new AggregateError(errors, `network of ${record.containerId.slice(0, 12)} not all freed`);
  }
}

/** Stops serving an endpoint; its addresses return when the link is gone, which is not awaited. */
export async function leave(
  context: Context,
  endpoint: EndpointRecord,
  netns: 'dying' | 'live',
): Promise<void> {
  const network = networkOf(context, endpoint);
  const plugin = pluginOf(context, network);
  await plugin.unpublish(endpoint.spec.id);
  const { released } = await plugin.leave(network.spec, endpoint.spec, netns);
  if (endpoint.spec.addresses.length === 0) return;
  released
    .then(() => context.store.commit([freeAddresses(endpoint.spec.id)], 'normal'))
    .then(() => context.book.freeAddresses(endpoint.networkId, endpoint.spec.id))
    .catch((error: unknown) => {
      context.warn(`address of endpoint ${endpoint.spec.id} is not free again: ${String(error)}`);
    });
}
