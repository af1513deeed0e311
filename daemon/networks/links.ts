/** `--link`: names in hosts on the default bridge, where the embedded DNS server has none. */
import { ApiError, invalidParameter, systemError } from '../../api-spec/errors.js';
import type { ContainerRecord } from '../containers/record.js';
import { hasNames, type Context } from './context.js';
import { ownAddresses } from './files.js';
import { linkVariables } from './link-variables.js';
import type { NetworkedContainer } from './needs.js';
import type { EndpointRecord } from './records.js';

/** `target:alias` in parts; without an alias the target's own name. */
function parts(link: string): readonly [target: string, alias: string] {
  const [target = '', alias = target] = link.split(':');
  return [target, alias.split('/').at(-1) ?? alias];
}

/** At create: whom a link names is there. Not a 404: the client would take it for the image. */
export function checkLinks({ containers }: Context, { hostConfig }: ContainerRecord): void {
  for (const link of hostConfig.Links ?? []) {
    const [name = '', , more] = link.split(':');
    if (more !== undefined) throw invalidParameter(`bad format for links: ${link}`);
    try {
      if (name === '') throw invalidParameter('invalid name or ID supplied: ""');
      containers.find(name);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const text = `could not get container for ${name}: ${error.message}`;
      throw new ApiError('InvalidParameter', text, { cause: error });
    }
  }
}

/** At start: who is linked to runs, on the same network; `ApiError` 500 in Docker's words. */
export function refuseDeadLinks(
  context: Context,
  record: ContainerRecord,
  endpoints: readonly EndpointRecord[],
): void {
  const network = defaultNetwork(context, endpoints);
  if (network === undefined) return;
  for (const link of record.hostConfig.Links ?? []) {
    const [target, alias] = parts(link);
    const other = context.containers.find(target);
    if (!runs(other)) {
      throw systemError('Cannot link to a non running container: ' +
        `/${other.record.name} AS /${record.name}/${alias}`);
    }
    if (other.pid !== undefined && addressOn(context, network, other.record.id) === undefined) {
      throw systemError(`container ${other.record.id} not attached to default bridge network`);
    }
  }
}

/** One that waits for its restart runs, in Docker's eyes. */
const runs = ({ pid, record }: NetworkedContainer): boolean =>
  pid !== undefined || record.state.status === 'restarting';

/** Lines of hosts for a container with these endpoints. */
export function linkLines(
  context: Context,
  record: ContainerRecord,
  endpoints: readonly EndpointRecord[],
): readonly (readonly [string, ...string[]])[] {
  const network = defaultNetwork(context, endpoints);
  if (network === undefined) return [];
  return (record.hostConfig.Links ?? []).flatMap((link) => {
    const [target, alias] = parts(link);
    const other = context.containers.find(target).record;
    const address = addressOn(context, network, other.id);
    if (address === undefined) return [];
    return [[address, alias, other.id.slice(0, 12), other.name] as const];
  });
}

/** What a container with these endpoints has in its environment of those it is linked to. */
export function linkEnvironment(
  context: Context,
  record: ContainerRecord,
  endpoints: readonly EndpointRecord[],
): readonly string[] {
  const network = defaultNetwork(context, endpoints);
  if (network === undefined) return [];
  return (record.hostConfig.Links ?? []).flatMap((link) => {
    const [target, alias] = parts(link);
    const { id, config } = context.containers.find(target).record;
    const address = addressOn(context, network, id);
    if (address === undefined) return [];
    return linkVariables({ alias, name: `/${record.name}/${alias}`, address, config });
  });
}

function defaultNetwork(
  context: Context,
  endpoints: readonly EndpointRecord[],
): string | undefined {
  return endpoints.find(({ networkId }) => !hasNames(context.book.get(networkId)))?.networkId;
}

function addressOn({ book }: Context, networkId: string, containerId: string): string | undefined {
  const seat = book.seatsOn(networkId).find(({ sandbox }) => sandbox.containerId === containerId);
  return ownAddresses(seat?.endpoint.spec.addresses ?? [])[0];
}
