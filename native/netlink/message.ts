/**
 * Netlink messages as bytes, in both directions. Pure: rtnetlink(7) and nfnetlink lie on top.
 * Lengths and alignments are those of linux/netlink.h; integers are in host byte order, which is
 * little-endian on every architecture that is built.
 */

/** One request or answer without its header's bookkeeping. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly payload: Buffer;
}

/** A message as the kernel sent it. */
export interface ReceivedMessage extends NetlinkMessage {
  readonly sequence: number;
}

/** What an NLMSG_ERROR says; errno 0 is an acknowledgement. */
export interface Acknowledgement {
  readonly errno: number;
  /** The kernel's own sentence, when it has one (extended ACK). */
  readonly message?: string;
}

/** Of struct nlmsghdr. */
const headerBytes = 16;
const attributeHeaderBytes = 4;
/** The low 14 bits of an attribute's type; above are NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const attributeTypeMask = 0x3fff;
const nestedFlag = 0x8000;

const messageError = 2;
const flagAckTlvs = 0x200;
const flagCapped = 0x100;
const errorAttributeMessage = 1;

const aligned = (length: number): number => (length + 3) & ~3;

/** An attribute with raw bytes, padded. */
export function attribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(aligned(attributeHeaderBytes + value.length));
  bytes.writeUInt16LE(attributeHeaderBytes + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, attributeHeaderBytes);
  return bytes;
}

/** An attribute that holds attributes. */
export function nested(type: number, ...children: readonly Buffer[]): Buffer {
  return attribute(type | nestedFlag, Buffer.concat(children));
}

/** A string with its final NUL. */
export function textAttribute(type: number, value: string): Buffer {
  return attribute(type, Buffer.from(`${value}\0`));
}

/** One byte. */
export function byteAttribute(type: number, value: number): Buffer {
  return attribute(type, Uint8Array.of(value));
}

/** 32 bits in host byte order. */
export function wordAttribute(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0, 0);
  return attribute(type, bytes);
}

/** The whole of a request, with its header. */
export function encodeMessage(message: NetlinkMessage, sequence: number): Buffer {
  const bytes = Buffer.alloc(headerBytes + message.payload.length);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(message.type, 4);
  bytes.writeUInt16LE(message.flags, 6);
  bytes.writeUInt32LE(sequence, 8);
  bytes.set(message.payload, headerBytes);
  return bytes;
}

/** The messages in one datagram; a truncated last one ends the list. */
export function decodeMessages(bytes: Buffer): readonly ReceivedMessage[] {
  const messages: ReceivedMessage[] = [];
  let offset = 0;
  while (offset + headerBytes <= bytes.length) {
    const length = bytes.readUInt32LE(offset);
    if (length < headerBytes || offset + length > bytes.length) break;
    messages.push({
      type: bytes.readUInt16LE(offset + 4),
      flags: bytes.readUInt16LE(offset + 6),
      sequence: bytes.readUInt32LE(offset + 8),
      payload: bytes.subarray(offset + headerBytes, offset + length),
    });
    offset += aligned(length);
  }
  return messages;
}

/** The attributes in `bytes` by type; of repeated ones the last. Stops at a malformed length. */
export function decodeAttributes(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  let offset = 0;
  while (offset + attributeHeaderBytes <= bytes.length) {
    const length = bytes.readUInt16LE(offset);
    if (length < attributeHeaderBytes || offset + length > bytes.length) break;
    const type = bytes.readUInt16LE(offset + 2) & attributeTypeMask;
    attributes.set(type, bytes.subarray(offset + attributeHeaderBytes, offset + length));
    offset += aligned(length);
  }
  return attributes;
}

/** A string attribute's value, without the NUL. */
export function decodeText(value: Buffer | undefined): string {
  if (value === undefined) return '';
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
}

/** Reads an NLMSG_ERROR; undefined for any other message. */
export function decodeAcknowledgement(message: ReceivedMessage): Acknowledgement | undefined {
  if (message.type !== messageError || message.payload.length < 4) return undefined;
  const errno = -message.payload.readInt32LE(0);
  if ((message.flags & flagAckTlvs) === 0 || message.payload.length < 4 + headerBytes) {
    return { errno };
  }
  const echoed = (message.flags & flagCapped) !== 0 ? headerBytes : message.payload.readUInt32LE(4);
  const said = decodeText(
    decodeAttributes(message.payload.subarray(4 + aligned(echoed))).get(errorAttributeMessage),
  );
  return said === '' ? { errno } : { errno, message: said };
}
