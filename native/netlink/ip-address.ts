/** Addresses between text and the bytes that the kernel wants. Pure. */
import { isIPv4, isIPv6 } from 'node:net';

/** `02:42:…` as bytes; throws a RangeError for anything else. */
export function macBytes(mac: string): Buffer {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) throw new RangeError(`not a MAC: ${mac}`);
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

/** An address of either family as 4 or 16 bytes; throws a RangeError for anything else. */
export function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  if (!isIPv6(address) || address.includes('%')) throw new RangeError(`no IP address: ${address}`);
  const [head = '', tail] = mappedToHex(address).split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const first = groups(head);
  const last = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0');
  const hex = [...first, ...zeros, ...last].map((group) => group.padStart(4, '0')).join('');
  return Buffer.from(hex, 'hex');
}

/** Turns the dotted end of `::ffff:1.2.3.4` into two groups. */
function mappedToHex(address: string): string {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  if (dotted === null) return address;
  const bytes = addressBytes(dotted[2] ?? '');
  return `${dotted[1]}${bytes.readUInt16BE(0).toString(16)}:${bytes.readUInt16BE(2).toString(16)}`;
}

/** 4 or 16 bytes as text, IPv6 shortened as RFC 5952 has it. */
export function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.');
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === '0') length++;
    if (length > best.length) best = { start, length };
  }
  if (best.start < 0) return groups.join(':');
  const head = groups.slice(0, best.start).join(':');
  return `${head}::${groups.slice(best.start + best.length).join(':')}`;
}
