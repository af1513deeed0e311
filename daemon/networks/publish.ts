/** Ports of a sandbox: which endpoint they lead to, and their service by its driver. */
import { networkOf, pluginOf, type Context } from './context.js';
import type { EndpointRecord, SandboxRecord } from './records.js';

/** Ports go to the endpoint that has the default route; an internal network publishes none. */
export function portEndpoint(endpoints: readonly EndpointRecord[]): EndpointRecord | undefined {
  return endpoints.find(({ spec }) => spec.gateways.length > 0);
}

/** Serves the ports of a sandbox at the endpoint that has the default route. */
export async function publish(context: Context, record: SandboxRecord): Promise<void> {
  const endpoint = portEndpoint(record.endpoints);
  if (endpoint === undefined || record.ports.length === 0) return;
  const network = networkOf(context, endpoint);
  await pluginOf(context, network).publish(network.spec, endpoint.spec, record.ports);
}

/** Takes that back; idempotent. */
export async function unpublish(context: Context, record: SandboxRecord): Promise<void> {
  const endpoint = portEndpoint(record.endpoints);
  if (endpoint === undefined || record.ports.length === 0) return;
  await pluginOf(context, networkOf(context, endpoint)).unpublish(endpoint.spec.id);
}
