/** DNS messages (RFC 1035), as far as a resolver needs that answers names of its own. Pure. */
import { addressNumber, addressText } from './ipam.js';

/** Record types that are answered here. */
export const recordTypes = { A: 1, PTR: 12, AAAA: 28 } as const;
/** Answer codes. */
export const responseCodes = {
  noError: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4, refused: 5,
} as const;

const headerBytes = 12;
const maxLabelBytes = 63;
const maxNameBytes = 255;
const classInternet = 1;
/** Names of containers come and go: nobody may keep an answer for long. */
const answerTtlSeconds = 600;

const flagResponse = 0x8000;
const flagTruncated = 0x0200;
const flagRecursionDesired = 0x0100;
const flagRecursionAvailable = 0x0080;
const opcodeMask = 0x7800;

/** The one question of a query. */
export interface Query {
  readonly id: number;
  readonly recursionDesired: boolean;
  /** Lower case, without the final dot. */
  readonly name: string;
  readonly type: number;
  /** Question section as it came, to be echoed. */
  readonly question: Buffer;
}

/** An answer record's data. */
export type Answer =
  | { readonly type: typeof recordTypes.A | typeof recordTypes.AAAA; readonly address: string }
  | { readonly type: typeof recordTypes.PTR; readonly name: string };

/** Reads a query; undefined for what is no plain query with one question. */
export function decodeQuery(bytes: Buffer): Query | undefined {
  if (bytes.length < headerBytes) return undefined;
  const flags = bytes.readUInt16BE(2);
  if ((flags & (flagResponse | opcodeMask)) !== 0 || bytes.readUInt16BE(4) !== 1) return undefined;
  const name = readName(bytes, headerBytes);
  if (name === undefined || name.end + 4 > bytes.length) return undefined;
  if (bytes.readUInt16BE(name.end + 2) !== classInternet) return undefined;
  return {
    id: bytes.readUInt16BE(0),
    recursionDesired: (flags & flagRecursionDesired) !== 0,
    name: name.text.toLowerCase(),
    type: bytes.readUInt16BE(name.end),
    question: bytes.subarray(headerBytes, name.end + 4),
  };
}

/** Whether `response` answers `query`: same question, marked as a response. */
export function answers(response: Buffer, query: Query, id: number): boolean {
  if (response.length < headerBytes + query.question.length) return false;
  if (response.readUInt16BE(0) !== id) return false;
  if ((response.readUInt16BE(2) & flagResponse) === 0) return false;
  const echoed = response.subarray(headerBytes, headerBytes + query.question.length);
  return echoed.toString('latin1').toLowerCase() ===
    query.question.toString('latin1').toLowerCase();
}

/** Answers a query; records that do not fit `maxBytes` are left out and TC is set. */
export function encodeResponse(
  query: Query,
  code: number,
  records: readonly Answer[],
  maxBytes: number,
): Buffer {
  const encoded: Buffer[] = [];
  let length = headerBytes + query.question.length;
  let isCut = false;
  for (const record of records) {
    const bytes = encodeRecord(record);
    if (length + bytes.length > maxBytes) {
      isCut = true;
      break;
    }
    length += bytes.length;
    encoded.push(bytes);
  }
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(query.id, 0);
  header.writeUInt16BE(
    flagResponse | flagRecursionAvailable | code |
      (query.recursionDesired ? flagRecursionDesired : 0) | (isCut ? flagTruncated : 0),
    2,
  );
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(encoded.length, 6);
  return Buffer.concat([header, query.question, ...encoded]);
}

/** A query for `name`; for tests and for those that ask. */
export function encodeQuery(id: number, name: string, type: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(flagRecursionDesired, 2);
  header.writeUInt16BE(1, 4);
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(type, 0);
  tail.writeUInt16BE(classInternet, 2);
  return Buffer.concat([header, encodeName(name), tail]);
}

/** Code and answers of a response; undefined when it is malformed. */
export function decodeResponse(
  bytes: Buffer,
): { readonly id: number; readonly code: number; readonly answers: readonly Answer[] } | undefined {
  if (bytes.length < headerBytes) return undefined;
  const question = readName(bytes, headerBytes);
  if (question === undefined) return undefined;
  const found: Answer[] = [];
  let offset = question.end + 4;
  for (let i = 0; i < bytes.readUInt16BE(6); i++) {
    const record = readRecord(bytes, offset);
    if (record === undefined) return undefined;
    if (record.answer !== undefined) found.push(record.answer);
    offset = record.end;
  }
  return { id: bytes.readUInt16BE(0), code: bytes.readUInt16BE(2) & 15, answers: found };
}

/** One record; without an answer when it is of a type that is not known here. */
function readRecord(
  bytes: Buffer,
  offset: number,
): { readonly answer?: Answer; readonly end: number } | undefined {
  const owner = readName(bytes, offset);
  if (owner === undefined || owner.end + 10 > bytes.length) return undefined;
  const type = bytes.readUInt16BE(owner.end);
  const start = owner.end + 10;
  const end = start + bytes.readUInt16BE(owner.end + 8);
  if (end > bytes.length) return undefined;
  if (type === recordTypes.PTR) {
    return { answer: { type, name: readName(bytes, start)?.text ?? '' }, end };
  }
  const isSix = type === recordTypes.AAAA;
  if (end - start !== (isSix ? 16 : 4) || (!isSix && type !== recordTypes.A)) return { end };
  const value = BigInt(`0x${bytes.toString('hex', start, end)}`);
  return { answer: { type, address: addressText(isSix ? 6 : 4, value) }, end };
}

/** The address that a name below in-addr.arpa or ip6.arpa stands for; undefined for others. */
export function reverseAddress(name: string): string | undefined {
  const four = /^((?:\d{1,3}\.){4})in-addr\.arpa$/.exec(name)?.[1];
  if (four !== undefined) return four.split('.').filter(Boolean).reverse().join('.');
  const six = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name)?.[1];
  if (six === undefined) return undefined;
  return addressText(6, BigInt(`0x${six.split('.').filter(Boolean).reverse().join('')}`));
}

function readName(
  bytes: Buffer,
  start: number,
): { readonly text: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let offset = start;
  let end: number | undefined;
  let total = 0;
  for (;;) {
    const length = bytes[offset];
    if (length === undefined) return undefined;
    if (length === 0) return { text: labels.join('.'), end: end ?? offset + 1 };
    if (length >= 0xc0) {
      const low = bytes[offset + 1];
      if (low === undefined) return undefined;
      const target = ((length & 0x3f) << 8) | low;
      // A pointer leads back only, so that no chain of them is endless.
      if (target >= offset) return undefined;
      end ??= offset + 2;
      offset = target;
    } else {
      total += length + 1;
      if (length > maxLabelBytes || total > maxNameBytes) return undefined;
      if (offset + 1 + length > bytes.length) return undefined;
      labels.push(bytes.toString('latin1', offset + 1, offset + 1 + length));
      offset += 1 + length;
    }
  }
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  const parts = labels.map((label) => {
    const bytes = Buffer.from(label, 'latin1').subarray(0, maxLabelBytes);
    return Buffer.concat([Uint8Array.of(bytes.length), bytes]);
  });
  return Buffer.concat([...parts, Uint8Array.of(0)]);
}

function encodeRecord(record: Answer): Buffer {
  const value = recordValue(record);
  const head = Buffer.alloc(12);
  // The owner's name is the question's, at offset 12.
  head.writeUInt16BE(0xc000 | headerBytes, 0);
  head.writeUInt16BE(record.type, 2);
  head.writeUInt16BE(classInternet, 4);
  head.writeUInt32BE(answerTtlSeconds, 6);
  head.writeUInt16BE(value.length, 10);
  return Buffer.concat([head, value]);
}

function recordValue(record: Answer): Buffer {
  if (record.type === recordTypes.PTR) return encodeName(record.name);
  const hexDigits = record.type === recordTypes.A ? 8 : 32;
  const value = addressNumber(record.address) ?? 0n;
  return Buffer.from(value.toString(16).padStart(hexDigits, '0'), 'hex');
}
