/**
 * rtnetlink requests built from typed values, and its answers read back: links, addresses, routes
 * and neighbours. Pure. Numbers are those of linux/rtnetlink.h, if_link.h and if_addr.h.
 */
import { addressBytes, addressText, macBytes } from './ip-address.js';
import {
  attribute,
  byteAttribute,
  decodeAttributes,
  decodeText,
  nested,
  textAttribute,
  wordAttribute,
  type NetlinkMessage,
} from './message.js';

const request = 0x1;
const acknowledge = 0x4;
const replace = 0x100;
const exclusive = 0x200;
const create = 0x400;
const dump = 0x300;
const up = 0x1;

/** Message types, by the names that errors show. */
export const messageTypes = {
  RTM_NEWLINK: 16,
  RTM_DELLINK: 17,
  RTM_GETLINK: 18,
  RTM_NEWADDR: 20,
  RTM_DELADDR: 21,
  RTM_GETADDR: 22,
  RTM_NEWROUTE: 24,
  RTM_DELROUTE: 25,
  RTM_GETROUTE: 26,
  RTM_NEWNEIGH: 28,
  RTM_DELNEIGH: 29,
  RTM_GETNEIGH: 30,
} as const;

const link = {
  address: 1, ifname: 3, mtu: 4, master: 10, info: 18, alias: 20, netnsFd: 28,
} as const;
const linkInfo = { kind: 1, data: 2, slaveKind: 4, slaveData: 5 } as const;
const vethPeer = 1;
const bridgePort = { hairpin: 4, isolated: 33 } as const;
const family4 = 2;
const family6 = 10;

/** What a new link is to be. Times none, sizes in bytes. */
export type LinkSpec = {
  readonly name: string;
  readonly mac?: string;
  readonly mtuBytes?: number;
  readonly up: boolean;
  /** Interface index of the bridge that it becomes a port of. */
  readonly master?: number;
} & (
  | { readonly kind: 'bridge' | 'dummy' }
  | { readonly kind: 'veth'; readonly peer: PeerSpec }
);

/** The far end of a veth pair; `netnsFd` is an open namespace, -1 for the same one. */
export interface PeerSpec {
  readonly name: string;
  readonly mac?: string;
  readonly mtuBytes?: number;
  readonly netnsFd: number;
}

/** What to change of a link that exists. */
export interface LinkChange {
  readonly name?: string;
  readonly up?: boolean;
  readonly mtuBytes?: number;
  readonly mac?: string;
  readonly master?: number;
  readonly alias?: string;
  /** A bridge port that may talk to the bridge only, not to other isolated ports. */
  readonly isolated?: boolean;
  /** A bridge port that may get back what it sent. */
  readonly hairpin?: boolean;
  /** An open namespace that it moves to, with its new name. */
  readonly netnsFd?: number;
}

/** A link as the kernel shows it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  readonly kind: string;
  readonly alias: string;
  readonly mac: string;
  readonly mtuBytes: number;
  readonly master: number;
  readonly up: boolean;
}

/** An address on a link. */
export interface LinkAddress {
  readonly index: number;
  /** `172.17.0.2/16`. */
  readonly cidr: string;
  /** Of global scope: of use beyond the link. */
  readonly isGlobal: boolean;
  /** Nobody's lease: it does not expire by itself. */
  readonly isPermanent: boolean;
}

/** A route of the main or local table; `destination` is `default` for the shortest prefix. */
export interface Route {
  readonly destination: string;
  readonly gateway?: string;
  readonly index?: number;
}

/** An entry of the neighbour table. */
export interface Neighbour {
  readonly index: number;
  readonly address: string;
  readonly mac: string;
}

interface Prefix {
  readonly family: number;
  readonly bytes: Buffer;
  readonly length: number;
}

function parsePrefix(cidr: string): Prefix {
  const [address = '', length] = cidr.split('/');
  const bytes = addressBytes(address);
  return {
    family: bytes.length === 4 ? family4 : family6,
    bytes,
    length: length === undefined ? bytes.length * 8 : Number(length),
  };
}

function linkHeader(index: number, flags: number, change: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt32LE(flags, 8);
  bytes.writeUInt32LE(change, 12);
  return bytes;
}

function optionalAttributes(spec: {
  readonly mac?: string;
  readonly mtuBytes?: number;
  readonly master?: number;
}): readonly Buffer[] {
  const attributes: Buffer[] = [];
  if (spec.mac !== undefined) attributes.push(attribute(link.address, macBytes(spec.mac)));
  if (spec.mtuBytes !== undefined) attributes.push(wordAttribute(link.mtu, spec.mtuBytes));
  if (spec.master !== undefined) attributes.push(wordAttribute(link.master, spec.master));
  return attributes;
}

function peerAttribute(peer: PeerSpec): Buffer {
  const attributes = [
    linkHeader(0, 0, 0),
    textAttribute(link.ifname, peer.name),
    ...optionalAttributes({ ...(peer.mac === undefined ? {} : { mac: peer.mac }),
      ...(peer.mtuBytes === undefined ? {} : { mtuBytes: peer.mtuBytes }) }),
  ];
  if (peer.netnsFd >= 0) attributes.push(wordAttribute(link.netnsFd, peer.netnsFd));
  return nested(vethPeer, ...attributes);
}

/** Makes a link, for a veth both ends of it; EEXIST when the name is taken. */
export function newLink(spec: LinkSpec): NetlinkMessage {
  const info = [textAttribute(linkInfo.kind, spec.kind)];
  if (spec.kind === 'veth') info.push(nested(linkInfo.data, peerAttribute(spec.peer)));
  return {
    type: messageTypes.RTM_NEWLINK,
    flags: request | acknowledge | create | exclusive,
    payload: Buffer.concat([
      linkHeader(0, spec.up ? up : 0, spec.up ? up : 0),
      textAttribute(link.ifname, spec.name),
      ...optionalAttributes(spec),
      nested(link.info, ...info),
    ]),
  };
}

/** Changes a link. The kernel takes an alias only this way, never when it makes one. */
export function setLink(index: number, change: LinkChange): NetlinkMessage {
  const attributes: Buffer[] = [...optionalAttributes(change)];
  if (change.name !== undefined) attributes.push(textAttribute(link.ifname, change.name));
  if (change.alias !== undefined) attributes.push(textAttribute(link.alias, change.alias));
  if (change.netnsFd !== undefined) attributes.push(wordAttribute(link.netnsFd, change.netnsFd));
  const port = (['hairpin', 'isolated'] as const).flatMap((key) =>
    change[key] === undefined ? [] : [byteAttribute(bridgePort[key], change[key] ? 1 : 0)]);
  if (port.length > 0) {
    const kind = textAttribute(linkInfo.slaveKind, 'bridge');
    attributes.push(nested(link.info, kind, nested(linkInfo.slaveData, ...port)));
  }
  const flags = change.up === true ? up : 0;
  return {
    type: messageTypes.RTM_NEWLINK,
    flags: request | acknowledge,
    payload: Buffer.concat([
      linkHeader(index, flags, change.up === undefined ? 0 : up), ...attributes,
    ]),
  };
}

/** Removes a link; for a veth this takes 16 ms and more, for the kernel waits for readers. */
export function deleteLink(index: number): NetlinkMessage {
  return {
    type: messageTypes.RTM_DELLINK,
    flags: request | acknowledge,
    payload: linkHeader(index, 0, 0),
  };
}

/** Asks for all links. */
export function dumpLinks(): NetlinkMessage {
  return {
    type: messageTypes.RTM_GETLINK, flags: request | dump, payload: linkHeader(0, 0, 0),
  };
}

/** Reads an RTM_NEWLINK. */
export function decodeLink(payload: Buffer): Link {
  const attributes = decodeAttributes(payload.subarray(16));
  const info = decodeAttributes(attributes.get(link.info) ?? Buffer.alloc(0));
  const mac = attributes.get(link.address)?.toString('hex') ?? '';
  return {
    index: payload.readInt32LE(4),
    name: decodeText(attributes.get(link.ifname)),
    kind: decodeText(info.get(linkInfo.kind)),
    alias: decodeText(attributes.get(link.alias)),
    mac: mac.replace(/..(?=.)/g, '$&:'),
    mtuBytes: attributes.get(link.mtu)?.readUInt32LE(0) ?? 0,
    master: attributes.get(link.master)?.readUInt32LE(0) ?? 0,
    up: (payload.readUInt32LE(8) & up) !== 0,
  };
}

function broadcastOf(prefix: Prefix): Buffer {
  const host = prefix.length >= 32 ? 0 : 0xffffffff >>> prefix.length;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE((prefix.bytes.readUInt32BE(0) | host) >>> 0, 0);
  return bytes;
}

function addressMessage(type: number, flags: number, index: number, cidr: string): NetlinkMessage {
  const prefix = parsePrefix(cidr);
  const header = Buffer.alloc(8);
  const noDuplicateDetection = 0x02;
  header.writeUInt8(prefix.family, 0);
  header.writeUInt8(prefix.length, 1);
  header.writeUInt8(prefix.family === family6 ? noDuplicateDetection : 0, 2);
  header.writeUInt32LE(index, 4);
  const attributes = [attribute(1, prefix.bytes), attribute(2, prefix.bytes)];
  if (prefix.family === family4 && prefix.length < 31) {
    attributes.push(attribute(4, broadcastOf(prefix)));
  }
  return { type, flags, payload: Buffer.concat([header, ...attributes]) };
}

/** Adds `cidr` (`172.17.0.1/16`) to a link; without IPv6's duplicate detection, which takes 1 s. */
export function newAddress(index: number, cidr: string): NetlinkMessage {
  const flags = request | acknowledge | create | exclusive;
  return addressMessage(messageTypes.RTM_NEWADDR, flags, index, cidr);
}

/** Takes `cidr` from a link. */
export function deleteAddress(index: number, cidr: string): NetlinkMessage {
  return addressMessage(messageTypes.RTM_DELADDR, request | acknowledge, index, cidr);
}

/** Asks for all addresses of both families. */
export function dumpAddresses(): NetlinkMessage {
  return { type: messageTypes.RTM_GETADDR, flags: request | dump, payload: Buffer.alloc(8) };
}

/** Reads an RTM_NEWADDR. */
export function decodeAddress(payload: Buffer): LinkAddress {
  const attributes = decodeAttributes(payload.subarray(8));
  const bytes = attributes.get(2) ?? attributes.get(1) ?? Buffer.alloc(4);
  const permanentFlag = 0x80;
  const globalScope = 0;
  return {
    index: payload.readUInt32LE(4),
    cidr: `${addressText(bytes)}/${payload.readUInt8(1)}`,
    isGlobal: payload.readUInt8(3) === globalScope,
    isPermanent: (payload.readUInt8(2) & permanentFlag) !== 0,
  };
}

function routeMessage(type: number, flags: number, route: Route): NetlinkMessage {
  const destination = route.destination === 'default' ? undefined : parsePrefix(route.destination);
  const gateway = route.gateway === undefined ? undefined : addressBytes(route.gateway);
  const isSix = (destination?.bytes ?? gateway)?.length === 16;
  const mainTable = 254;
  const protocolBoot = 3;
  const scopeLink = 253;
  const unicast = 1;
  const header = Buffer.from([
    isSix ? family6 : family4, destination?.length ?? 0, 0, 0,
    mainTable, protocolBoot, gateway === undefined ? scopeLink : 0, unicast, 0, 0, 0, 0,
  ]);
  const attributes: Buffer[] = [];
  if (destination !== undefined) attributes.push(attribute(1, destination.bytes));
  if (route.index !== undefined) attributes.push(wordAttribute(4, route.index));
  if (gateway !== undefined) attributes.push(attribute(5, gateway));
  return { type, flags, payload: Buffer.concat([header, ...attributes]) };
}

/** Adds a route to the main table; EEXIST when there is one to the same destination. */
export function newRoute(route: Route): NetlinkMessage {
  const flags = request | acknowledge | create | exclusive;
  return routeMessage(messageTypes.RTM_NEWROUTE, flags, route);
}

/** Takes a route from the main table; ESRCH when it is not there. */
export function deleteRoute(route: Route): NetlinkMessage {
  return routeMessage(messageTypes.RTM_DELROUTE, request | acknowledge, route);
}

/** Asks for all routes of both families. */
export function dumpRoutes(): NetlinkMessage {
  return { type: messageTypes.RTM_GETROUTE, flags: request | dump, payload: Buffer.alloc(12) };
}

/** Reads an RTM_NEWROUTE. */
export function decodeRoute(payload: Buffer): Route {
  const attributes = decodeAttributes(payload.subarray(12));
  const destination = attributes.get(1);
  const gateway = attributes.get(5);
  const index = attributes.get(4)?.readUInt32LE(0);
  return {
    destination:
      destination === undefined
        ? 'default'
        : `${addressText(destination)}/${payload.readUInt8(1)}`,
    ...(gateway === undefined ? {} : { gateway: addressText(gateway) }),
    ...(index === undefined ? {} : { index }),
  };
}

function neighbourMessage(type: number, flags: number, entry: Neighbour): NetlinkMessage {
  const bytes = addressBytes(entry.address);
  const header = Buffer.alloc(12);
  const permanent = 0x80;
  header.writeUInt8(bytes.length === 4 ? family4 : family6, 0);
  header.writeInt32LE(entry.index, 4);
  header.writeUInt16LE(permanent, 8);
  return {
    type,
    flags,
    payload: Buffer.concat([header, attribute(1, bytes), attribute(2, macBytes(entry.mac))]),
  };
}

/** Sets a permanent entry, over one that exists. */
export function newNeighbour(entry: Neighbour): NetlinkMessage {
  const flags = request | acknowledge | create | replace;
  return neighbourMessage(messageTypes.RTM_NEWNEIGH, flags, entry);
}

/** Takes an entry away; ENOENT when it is not there. */
export function deleteNeighbour(entry: Neighbour): NetlinkMessage {
  return neighbourMessage(messageTypes.RTM_DELNEIGH, request | acknowledge, entry);
}

/** Asks for the neighbours of both families. */
export function dumpNeighbours(): NetlinkMessage {
  return { type: messageTypes.RTM_GETNEIGH, flags: request | dump, payload: Buffer.alloc(12) };
}

/** Reads an RTM_NEWNEIGH. */
export function decodeNeighbour(payload: Buffer): Neighbour {
  const attributes = decodeAttributes(payload.subarray(12));
  const mac = attributes.get(2)?.toString('hex') ?? '';
  return {
    index: payload.readInt32LE(4),
    address: addressText(attributes.get(1) ?? Buffer.alloc(4)),
    mac: mac.replace(/..(?=.)/g, '$&:'),
  };
}
