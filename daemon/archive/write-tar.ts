/** Tar entries as bytes: ustar, with PAX records for what does not fit into it. Pure. */
import { blockBytes } from './tar-header.js';

/** One entry; its content, if it is a file, follows the header and is padded to a block. */
export interface TarEntry {
  /** Without leading slash; a folder's ends in one. */
  readonly name: string;
  readonly type: 'file' | 'directory' | 'link' | 'symlink' | 'character' | 'block' | 'fifo';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly sizeBytes: number;
  /** Of a link or symlink. */
  readonly linkName?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly xattrs?: ReadonlyMap<string, Buffer>;
}

const typeFlags = {
  file: '0',
  link: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
} as const;

const maxName = 100;
const maxOctal7 = 0o7777777;
const maxOctal11 = 0o77777777777;

/** The header of an entry, with a PAX header before it where one is needed. */
export function tarHeader(entry: TarEntry): Buffer {
  const pax = paxOf(entry);
  if (pax.length === 0) return block(entry, typeFlags[entry.type]);
  const carrier = { ...entry, name: 'PaxHeaders/0', linkName: '', sizeBytes: pax.length };
  return Buffer.concat([
    block(carrier, 'x'),
    pax,
    tarPadding(pax.length),
    block(entry, typeFlags[entry.type]),
  ]);
}

/** The zeros after so many bytes of content. */
export function tarPadding(sizeBytes: number): Buffer {
  return Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
}

/** What ends an archive. */
export const tarEnd = Buffer.alloc(2 * blockBytes);

function paxOf(entry: TarEntry): Buffer {
  const { name, linkName = '', sizeBytes, uid, gid, xattrs } = entry;
  const records: Buffer[] = [];
  const add = (key: string, value: string | Buffer): void => {
    records.push(paxRecord(key, Buffer.from(value)));
  };
  if (!fits(name)) add('path', name);
  if (!fits(linkName)) add('linkpath', linkName);
  if (sizeBytes > maxOctal11) add('size', String(sizeBytes));
  if (uid > maxOctal7) add('uid', String(uid));
  if (gid > maxOctal7) add('gid', String(gid));
  for (const [key, value] of xattrs ?? []) add(`SCHILY.xattr.${key}`, value);
  return Buffer.concat(records);
}

/** Names in ASCII alone are read the same by everyone. */
function fits(name: string): boolean {
  return Buffer.byteLength(name) <= maxName && /^[\x20-\x7e]*$/.test(name);
}

/** `length key=value\n`; the length counts itself. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from('\n')]);
}

function block(entry: Omit<TarEntry, 'type'>, flag: string): Buffer {
  const header = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, length: number, most: number): void => {
    const digits = (value > most ? 0 : value).toString(8).padStart(length - 1, '0');
    header.write(digits, at, 'latin1');
  };
  header.write(entry.name.slice(0, maxName), 0, maxName, 'utf8');
  octal(entry.mode & 0o7777, 100, 8, maxOctal7);
  octal(entry.uid, 108, 8, maxOctal7);
  octal(entry.gid, 116, 8, maxOctal7);
  octal(entry.sizeBytes, 124, 12, maxOctal11);
  octal(Math.max(0, Math.floor(entry.mtimeSeconds)), 136, 12, maxOctal11);
  header.write('        ', 148, 'latin1');
  header.write(flag, 156, 'latin1');
  header.write((entry.linkName ?? '').slice(0, maxName), 157, maxName, 'utf8');
  header.write('ustar\u000000', 257, 'latin1');
  octal(entry.device?.major ?? 0, 329, 8, maxOctal7);
  octal(entry.device?.minor ?? 0, 337, 8, maxOctal7);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}
