/** All networks and the addresses that are taken on them, in memory as in the store. */
import { forbidden, invalidParameter, notFound, systemError } from '../../api-spec/errors.js';
import type { Store } from '../store/store.js';
import { contains, freeAddress, parseSubnet } from './ipam.js';
import type { EndpointRecord, NetworkRecord, SandboxRecord } from './records.js';

/** A live sandbox and where it is. */
export interface Seat {
  readonly sandbox: SandboxRecord;
  readonly endpoint: EndpointRecord;
}

/** Networks by id, name and prefix; addresses by network. Knows nothing of the kernel. */
export class NetworkBook {
  readonly #byId = new Map<string, NetworkRecord>();
  readonly #taken = new Map<string, Map<string, string>>();
  readonly #sandboxes = new Map<string, SandboxRecord>();

  /** Reads what the store has. */
  static load(store: Store): NetworkBook {
    const book = new NetworkBook();
    for (const { record } of store.rows<{ record: string }>('SELECT record FROM networks')) {
      // Only `saveNetwork` writes these documents.
      book.add(JSON.parse(record) as NetworkRecord);
    }
    const rows = store.rows<{ network_id: string; address: string; endpoint_id: string }>(
      'SELECT network_id, address, endpoint_id FROM addresses');
    for (const row of rows) book.#take(row.network_id, row.address, row.endpoint_id);
    return book;
  }

  all(): readonly NetworkRecord[] {
    return [...this.#byId.values()];
  }

  get(id: string): NetworkRecord | undefined {
    return this.#byId.get(id);
  }

  byName(name: string): NetworkRecord | undefined {
    return this.all().find(({ spec }) => spec.name === name);
  }

  /** Exact name, full id, then unique id prefix, in Docker's order and words (404, 400). */
  resolve(ref: string): NetworkRecord {
    if (ref === '') throw invalidParameter('invalid name or ID supplied: ""');
    const exact = this.byName(ref) ?? this.#byId.get(ref);
    if (exact !== undefined) return exact;
    const found = this.all().filter(({ spec }) => spec.id.startsWith(ref));
    if (found.length > 1) {
      const matches = `${found.length} matches found on id prefix`;
      throw invalidParameter(`network ${ref} is ambiguous (${matches})`);
    }
    const [only] = found;
    if (only === undefined) throw notFound(`network ${ref} not found`);
    return only;
  }

  add(record: NetworkRecord): void {
    this.#byId.set(record.spec.id, record);
  }

  remove(id: string): void {
    this.#byId.delete(id);
    this.#taken.delete(id);
  }

  sandboxes(): readonly SandboxRecord[] {
    return [...this.#sandboxes.values()];
  }

  sandbox(id: string): SandboxRecord | undefined {
    return this.#sandboxes.get(id);
  }

  sandboxOf(containerId: string): SandboxRecord | undefined {
    return this.sandboxes().find((sandbox) => sandbox.containerId === containerId);
  }

  putSandbox(sandbox: SandboxRecord): void {
    this.#sandboxes.set(sandbox.id, sandbox);
  }

  removeSandbox(id: string): void {
    this.#sandboxes.delete(id);
  }

  /** Who is on a network now. */
  seatsOn(networkId: string): readonly Seat[] {
    return this.sandboxes().flatMap((sandbox) =>
      sandbox.endpoints
        .filter((endpoint) => endpoint.networkId === networkId)
        .map((endpoint) => ({ sandbox, endpoint })));
  }

  /**
   * Takes an address of each family for an endpoint, the one asked for or the lowest free one, and
   * gives it with its prefix length. `ApiError` 403 when it is taken, 500 when none is left.
   */
  takeAddresses(
    network: NetworkRecord,
    endpointId: string,
    asked: { readonly four: string; readonly six: string },
  ): readonly string[] {
    const { id, name } = network.spec;
    const taken = this.#taken.get(id);
    const isTaken = (address: string): boolean => taken?.has(address) === true;
    const given = ([4, 6] as const).flatMap((family) => {
      const pools = network.pools.filter((pool) => parseSubnet(pool.subnet)?.family === family);
      if (pools.length === 0) return [];
      const wish = family === 4 ? asked.four : asked.six;
      for (const pool of pools) {
        const address = wish === '' ? freeAddress(pool, isTaken) : wish;
        const subnet = parseSubnet(pool.subnet);
        if (address === undefined || subnet === undefined || !contains(subnet, address)) continue;
        if (isTaken(address) || address === pool.gateway) throw forbidden('Address already in use');
        return [`${address}/${subnet.prefix}`];
      }
      throw systemError(
        `no available IPv${family} addresses on this network's address pools: ${name} (${id})`);
    });
    for (const address of given) this.#take(id, address.split('/')[0] ?? '', endpointId);
    return given;
  }

  /** Gives back what an endpoint has. */
  freeAddresses(networkId: string, endpointId: string): void {
    const taken = this.#taken.get(networkId);
    for (const [address, owner] of taken ?? []) {
      if (owner === endpointId) taken?.delete(address);
    }
  }

  /** Endpoints that have addresses and are not among `known`: of a life that ended unseen. */
  strayEndpoints(known: ReadonlySet<string>): readonly { networkId: string; endpointId: string }[] {
    return [...this.#taken].flatMap(([networkId, taken]) =>
      [...new Set(taken.values())]
        .filter((endpointId) => !known.has(endpointId))
        .map((endpointId) => ({ networkId, endpointId })));
  }

  #take(networkId: string, address: string, endpointId: string): void {
    const taken = this.#taken.get(networkId) ?? new Map<string, string>();
    this.#taken.set(networkId, taken.set(address, endpointId));
  }
}
