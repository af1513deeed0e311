/** What is kept of networks and of live containers' places on them. */
import type { EndpointSettings, IPAMConfig } from '../../api-spec/index.js';
import type { EndpointSpec, NetworkSpec, PortMapping } from '../../netplugins/plugin.js';
import type { Statement } from '../store/store.js';
import type { AddressPool } from './ipam.js';

/** One network: what the user asked, and what was chosen. */
export interface NetworkRecord {
  readonly spec: NetworkSpec;
  /** RFC 3339. */
  readonly created: string;
  readonly attachable: boolean;
  readonly configOnly: boolean;
  readonly configFrom: string;
  readonly enableIPv6: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly ipamDriver: string;
  readonly ipamOptions: Readonly<Record<string, string>> | null;
  /** As inspect shows it. */
  readonly ipamConfig: readonly IPAMConfig[] | null;
  readonly pools: readonly AddressPool[];
  /** The user chose the subnets, so containers may ask for addresses. */
  readonly hasOwnSubnets: boolean;
  /** One of bridge, host and none. */
  readonly isPredefined: boolean;
}

/** One container's place on one network. */
export interface EndpointRecord {
  readonly networkId: string;
  readonly networkName: string;
  readonly spec: EndpointSpec;
  /** As inspect shows it. */
  readonly settings: EndpointSettings;
  /** Names of other containers that it knows by another: `db:database`. */
  readonly links: readonly string[];
}

/** A live container's network, whole: what is needed to take it up again after a restart. */
export interface SandboxRecord {
  readonly id: string;
  readonly containerId: string;
  readonly containerName: string;
  readonly kind: 'host' | 'none' | 'isolated' | 'joined';
  readonly hostname: string;
  readonly domainname: string;
  readonly endpoints: readonly EndpointRecord[];
  readonly ports: readonly PortMapping[];
  /** As inspect shows them. */
  readonly portBindings: Readonly<
    Record<string, readonly { HostIp: string; HostPort: string }[] | null>
  >;
  /** Ports are being changed: the shim may hold these too, or aim them otherwise. */
  readonly pendingPorts?: readonly PortMapping[];
  /** Servers that its DNS forwards to; undefined for a container without DNS of its own. */
  readonly dnsServers?: readonly string[];
}

/** Writes a network, over an older record of it. */
export function saveNetwork(record: NetworkRecord): Statement {
  return {
    sql: `INSERT INTO networks (id, name, record) VALUES (?, ?, ?)
          ON CONFLICT (id) DO UPDATE SET name = excluded.name, record = excluded.record`,
    params: [record.spec.id, record.spec.name, JSON.stringify(record)],
  };
}

/** Forgets a network. */
export function dropNetwork(id: string): Statement {
  return { sql: 'DELETE FROM networks WHERE id = ?', params: [id] };
}

/** Writes a sandbox, over an older record of it. */
export function saveSandbox(record: SandboxRecord): Statement {
  return {
    sql: `INSERT INTO sandboxes (id, container_id, record) VALUES (?, ?, ?)
          ON CONFLICT (id) DO UPDATE SET record = excluded.record`,
    params: [record.id, record.containerId, JSON.stringify(record)],
  };
}

/** Forgets a sandbox; its addresses have rows of their own. */
export function dropSandbox(id: string): Statement {
  return { sql: 'DELETE FROM sandboxes WHERE id = ?', params: [id] };
}

/** Takes addresses for an endpoint; the database refuses (409) one that is taken. */
export function takeAddresses({ networkId, spec }: EndpointRecord): readonly Statement[] {
  return spec.addresses.map((address) => ({
    sql: 'INSERT INTO addresses (network_id, address, endpoint_id) VALUES (?, ?, ?)',
    params: [networkId, address.split('/')[0] ?? '', spec.id],
  }));
}

/** Gives an endpoint's addresses back. */
export function freeAddresses(endpointId: string): Statement {
  return { sql: 'DELETE FROM addresses WHERE endpoint_id = ?', params: [endpointId] };
}
