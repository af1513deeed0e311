/** The 512-byte header of a tar entry, as POSIX ustar and GNU write it. Pure. */
import { invalidParameter } from '../../api-spec/errors.js';

/** Everything in a tar is a multiple of this. */
export const blockBytes = 512;

/** What of a header matters to a reader of files. */
export interface TarHeader {
  readonly name: string;
  readonly linkName: string;
  readonly sizeBytes: number;
  /** One character: `0` file, `5` folder, `x` attributes of the next … */
  readonly type: string;
}

/** Reads one block; undefined for the zeros at the end. 400 for what is no header. */
export function parseHeader(block: Buffer): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (octal(block, 148, 8) !== checksum(block)) throw invalidParameter('invalid tar header');
  const prefix =
    text(block, 257, 6).startsWith('ustar') && block[263] !== 0x20 ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  const flag = block[156] ?? 0;
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: text(block, 157, 100),
    sizeBytes: number(block, 124, 12),
    type: flag === 0 ? '0' : String.fromCharCode(flag),
  };
}

/** Whether a block is the header of a tar entry. */
export function isTarHeader(block: Buffer): boolean {
  if (block.length < blockBytes || block.every((byte) => byte === 0)) return false;
  const digits = text(block, 148, 8).trim();
  return /^[0-7]+$/.test(digits) && Number.parseInt(digits, 8) === checksum(block);
}

/** `length key=value\n` records of a PAX header; 400 for anything else. */
export function parsePax(bytes: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length && bytes[at] !== 0) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString('latin1', at, space));
    const end = at + length;
    if (space < 0 || !Number.isInteger(length) || end <= space || end > bytes.length) {
      throw invalidParameter('invalid tar header');
    }
    const record = bytes.toString('utf8', space + 1, end - 1);
    const equals = record.indexOf('=');
    if (equals > 0) records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

function text(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? length : end);
}

/** The sum of all bytes, its own field counted as spaces. */
function checksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let index = 0; index < blockBytes; index += 1) {
    if (index < 148 || index >= 156) sum += block[index] ?? 0;
  }
  return sum;
}

function octal(block: Buffer, start: number, length: number): number {
  const digits = block
    .toString('latin1', start, start + length)
    .replace(/[\0 ]+$/, '')
    .trimStart();
  if (!/^[0-7]*$/.test(digits)) throw invalidParameter('invalid tar header');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

/** Octal, or GNU's big-endian binary for what does not fit. */
function number(block: Buffer, start: number, length: number): number {
  if (((block[start] ?? 0) & 0x80) === 0) return octal(block, start, length);
  const high = block.subarray(start + 1, start + length - 6);
  if (block[start] !== 0x80 || high.some((byte) => byte !== 0)) {
    throw invalidParameter('invalid tar header');
  }
  return block.readUIntBE(start + length - 6, 6);
}
