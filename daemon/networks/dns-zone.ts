/**
 * What names mean to a container: the containers that share a network with it, by name, alias,
 * short id and link, plain or with the network's name after a dot; and back from their addresses.
 */
import { isIPv4 } from 'node:net';
import type { DnsZone } from './dns-server.js';
import {
  recordTypes, responseCodes, reverseAddress, type Answer, type Query,
} from './dns-message.js';
import { dnsNames } from './endpoint.js';
import type { EndpointRecord, SandboxRecord } from './records.js';

/** The live sandboxes, asked at each query. */
export interface ZoneSource {
  /** The one that asks, as it is now; undefined when it is gone. */
  asker(): SandboxRecord | undefined;
  /** Every endpoint on a network that has names. */
  endpointsOn(networkId: string): readonly { sandbox: SandboxRecord; endpoint: EndpointRecord }[];
  /** Whether names are resolved there: user-defined networks only. */
  hasNames(networkId: string): boolean;
  isInternal(networkId: string): boolean;
  /** The container's name now. */
  nameOf(sandbox: SandboxRecord): string;
}

/** Makes the zone of one container. */
export function createZone(source: ZoneSource): DnsZone {
  return {
    lookup: (query) => {
      const asker = source.asker();
      if (asker === undefined) return undefined;
      const find = query.type === recordTypes.PTR ? addressToName : nameToAddresses;
      return find(source, asker, query);
    },
    servers: () => {
      const asker = source.asker();
      if (asker === undefined || asker.endpoints.every((e) => source.isInternal(e.networkId))) {
        return [];
      }
      return asker.dnsServers ?? [];
    },
  };
}

function nameToAddresses(source: ZoneSource, asker: SandboxRecord, query: Query) {
  const addresses = asker.endpoints
    .filter(({ networkId }) => source.hasNames(networkId))
    .flatMap((own) => namedOn(source, own, query.name))
    .flatMap(({ spec }) => spec.addresses.map((address) => address.split('/')[0] ?? ''));
  if (addresses.length === 0) return undefined;
  const records = addresses.flatMap((address): Answer[] => {
    const type = isIPv4(address) ? recordTypes.A : recordTypes.AAAA;
    return type === query.type ? [{ type, address }] : [];
  });
  return { code: responseCodes.noError, records };
}

/** The endpoints on the network of `own` that are called `name`. */
function namedOn(source: ZoneSource, own: EndpointRecord, name: string): readonly EndpointRecord[] {
  const suffix = `.${own.networkName.toLowerCase()}`;
  const plain = name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
  const linked = own.links
    .map((link) => link.split(':'))
    .filter(([target = '', alias = target]) => alias.toLowerCase() === plain)
    .map(([target = '']) => target.toLowerCase());
  const wanted = new Set([plain, ...linked]);
  return source
    .endpointsOn(own.networkId)
    .filter(({ sandbox, endpoint }) => {
      const container = { id: sandbox.containerId, name: source.nameOf(sandbox) };
      return dnsNames(container, endpoint.settings.Aliases ?? [])
        .some((known) => wanted.has(known.toLowerCase()));
    })
    .map(({ endpoint }) => endpoint);
}

function addressToName(source: ZoneSource, asker: SandboxRecord, query: Query) {
  const address = reverseAddress(query.name);
  if (address === undefined) return undefined;
  for (const { networkId, networkName } of asker.endpoints) {
    if (!source.hasNames(networkId)) continue;
    const found = source.endpointsOn(networkId).find(({ endpoint }) =>
      endpoint.spec.addresses.some((own) => own.split('/')[0] === address));
    if (found === undefined) continue;
    const name = `${source.nameOf(found.sandbox)}.${networkName}`;
    return { code: responseCodes.noError, records: [{ type: recordTypes.PTR, name }] };
  }
  return undefined;
}
