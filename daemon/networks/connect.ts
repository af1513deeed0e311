/** When init's namespace exists: links, ports and DNS; and all of it back after the exit. */
import type { Sandbox } from '../containers/needs.js';
import { allocate, sandboxView } from './allocate.js';
import { networkEvent, networkOf, pluginOf, type Context } from './context.js';
import { allOrFirstError, closeTaken, join } from './join.js';
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
  const held = context.held.get(sandbox.id);
  await held?.recorded;
  if (record === undefined || record.kind !== 'isolated') return;
  const joined = held?.netns?.joined ?? join(context, record, { pid });
  const published = held?.published ?? publish(context, record);
  await allOrFirstError([joined, published]);
  closeTaken(held);
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
  // Before anything is waited for: who releases tells of what comes after it. Nor is its writing
  // waited for: a row that stays is found to be of nobody by the next start.
  const events = record.endpoints.map((endpoint) =>
    networkEvent('disconnect', networkOf(context, endpoint), record.containerId));
  context.events.keepSoon([dropSandbox(sandboxId)], events).catch((error: unknown) => {
    context.warn(`sandbox ${sandboxId} is not forgotten: ${String(error)}`);
  });
  // What is being made would stay: it is let finish, and then taken back.
  const made = Promise.allSettled([held?.published, held?.netns?.joined, held?.ready])
    .then(() => closeTaken(held));
  const works = record.endpoints.map((endpoint) =>
    made.then(() => leave(context, endpoint, 'dying')));
  const results = await Promise.allSettled([made, ...works]);
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
    .then(() => {
      context.store.soon(() => [freeAddresses(endpoint.spec.id)]);
      context.book.freeAddresses(endpoint.networkId, endpoint.spec.id);
    })
    .catch((error: unknown) => {
      context.warn(`address of endpoint ${endpoint.spec.id} is not free again: ${String(error)}`);
    });
}
