/**
 * Elements of nftables' sets and maps, without libnftables: it reads the whole ruleset of the host
 * before each of its commands, and a published port is to cost the same beside ten thousand rules.
 * Pure. Numbers are those of linux/netfilter/nf_tables.h and nfnetlink.h.
 */
import { attribute, nested, textAttribute, type NetlinkMessage } from './message.js';

/** One element as the kernel keeps it. */
export interface NftElement {
  /** Fields of a concatenation are padded to four bytes each. */
  readonly key: Uint8Array;
  /** What a map gives for the key. */
  readonly value?: Uint8Array;
  /** Shown by `nft list`; at most 127 bytes. */
  readonly comment?: string;
}

/** Elements that come or go. */
export interface NftElementChange {
  readonly action: 'add' | 'delete';
  /** Of the family inet. */
  readonly table: string;
  readonly set: string;
  readonly elements: readonly NftElement[];
}

const request = 0x1;
const acknowledge = 0x4;
const create = 0x400;
const nftablesSubsystem = 10;
const batchBegin = 16;
const batchEnd = 17;
const newElements = (nftablesSubsystem << 8) | 12;
const deleteElements = (nftablesSubsystem << 8) | 14;
const familyInet = 1;

/** struct nfgenmsg: family, version, resource in network byte order. */
const general = (family: number, resource: number): Buffer =>
  Buffer.from([family, 0, resource >> 8, resource & 0xff]);

/**
 * All changes as one transaction: the last message before its end is acknowledged. A few hundred
 * elements at most: an attribute holds 64 KiB, a datagram a little more.
 */
export function elementBatch(changes: readonly NftElementChange[]): readonly NetlinkMessage[] {
  const edge = (type: number): NetlinkMessage =>
    ({ type, flags: request, payload: general(0, nftablesSubsystem) });
  const messages = changes.map((change, at) =>
    changeMessage(change, at === changes.length - 1 ? acknowledge : 0));
  return [edge(batchBegin), ...messages, edge(batchEnd)];
}

function changeMessage(
  { action, table, set, elements }: NftElementChange,
  flags: number,
): NetlinkMessage {
  const list = elements.map((element) => nested(1, ...attributesOf(element, action)));
  return {
    type: action === 'add' ? newElements : deleteElements,
    flags: request | flags | (action === 'add' ? create : 0),
    payload: Buffer.concat([
      general(familyInet, 0),
      textAttribute(1, table),
      textAttribute(2, set),
      nested(3, ...list),
    ]),
  };
}

function attributesOf(
  { key, value, comment }: NftElement,
  action: NftElementChange['action'],
): readonly Buffer[] {
  const data = (type: number, bytes: Uint8Array): Buffer => nested(type, attribute(1, bytes));
  if (action === 'delete') return [data(1, key)];
  return [
    data(1, key),
    ...(value === undefined ? [] : [data(2, value)]),
    ...(comment === undefined ? [] : [attribute(6, userData(comment))]),
  ];
}

const maxCommentBytes = 127;

/** libnftnl's own form: type 0 is a comment, its length, its text with a NUL. */
function userData(comment: string): Buffer {
  const text = Buffer.from(`${comment}\0`);
  if (text.length > maxCommentBytes + 1) throw new RangeError(`too long a comment: ${comment}`);
  return Buffer.concat([Buffer.from([0, text.length]), text]);
}
