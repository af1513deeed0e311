import { isIP } from 'node:net';
import { CommandError } from '../errors.js';

/** A block of addresses: the first one as bits, and how many of them are fixed. */
export interface AddressBlock {
  readonly bits: string;
  readonly length: number;
}

/** Reads `10.0.0.0/8`, or one address. Throws CommandError. */
export function blockOf(text: string): AddressBlock {
  const [address = '', length] = text.split('/');
  const family = isIP(address);
  if (family === 0) throw new CommandError(`invalid CIDR address: ${text}`);
  const bits = family === 4 ? bitsOf4(address) : bitsOf6(address);
  return { bits, length: length === undefined ? bits.length : Number(length) };
}

/** True if all of `inner` lies in `outer`. */
export function isInside(inner: AddressBlock, outer: AddressBlock): boolean {
  if (inner.bits.length !== outer.bits.length || inner.length < outer.length) return false;
  return inner.bits.slice(0, outer.length) === outer.bits.slice(0, outer.length);
}

function bitsOf4(address: string): string {
  return address.split('.').map((part) => Number(part).toString(2).padStart(8, '0')).join('');
}

function bitsOf6(address: string): string {
  const [head = '', tail] = address.split('::');
  const groups = (text: string): readonly string[] => (text === '' ? [] : text.split(':'));
  const before = groups(head);
  const after = groups(tail ?? '');
  const zeros = new Array<string>(tail === undefined ? 0 : 8 - before.length - after.length).fill(
    '0',
  );
  return [...before, ...zeros, ...after]
    .map((group) => parseInt(group, 16).toString(2).padStart(16, '0'))
    .join('');
}
