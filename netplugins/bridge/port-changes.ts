/**
 * Published ports as the kernel keeps them: elements of the maps `any4`, `any6`, `at4` and `at6` of
 * firewall-text.ts, in bytes. Pure.
 */
import { isIP } from 'node:net';
import { addressBytes } from '../../native/netlink/index.js';
import type { NftElement, NftElementChange } from '../../native/netlink/index.js';
import { perSet, tableName, type FirewallElement } from './firewall-text.js';

const maps = new Set(['any4', 'any6', 'at4', 'at6']);
const protocolNumbers: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** Whether an element is a port's, and no network's. */
export function isPortElement({ set }: FirewallElement): boolean {
  return maps.has(set);
}

/** What goes and what comes; all of them are ports' elements. */
export function portChanges(
  rootId: string,
  before: readonly FirewallElement[],
  after: readonly FirewallElement[],
): readonly NftElementChange[] {
  const table = tableName(rootId);
  const change = (
    action: NftElementChange['action'],
    elements: readonly FirewallElement[],
  ): readonly NftElementChange[] =>
    perSet(elements, (set, members) => ({ action, table, set, elements: members.map(toBytes) }));
  return [...change('delete', before), ...change('add', after)];
}

function toBytes({ key, value, owner }: FirewallElement): NftElement {
  return {
    key: concatenation(key),
    ...(value === undefined ? {} : { value: concatenation(value) }),
    comment: owner,
  };
}

/** Fields as nft writes them, ` . ` between them: each is padded to four bytes. */
function concatenation(text: string): Uint8Array {
  const fields = text.split(' . ').map(fieldBytes);
  return Buffer.concat(fields.map((field) =>
    Buffer.concat([field, Buffer.alloc(-field.length & 3)])));
}

function fieldBytes(field: string): Buffer {
  if (isIP(field) !== 0) return addressBytes(field);
  const protocol = protocolNumbers[field];
  if (protocol !== undefined) return Buffer.from([protocol]);
  const port = Buffer.alloc(2);
  port.writeUInt16BE(Number(field));
  return port;
}
