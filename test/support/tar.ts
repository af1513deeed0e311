/**
 * Builds tars byte by byte, for tests: also those that no honest writer would make. Fields that are
 * not given have the values of an ordinary entry.
 */
export interface TarEntry {
  readonly name: string;
  readonly type?: string;
  readonly content?: string | Buffer;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly device?: readonly [number, number];
  /** What the header claims, when it is not the content's length. */
  readonly size?: number;
  /** Written as a PAX header in front. */
  readonly pax?: Readonly<Record<string, string | Buffer>>;
}

/** One archive with its end marker. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(entryOf), Buffer.alloc(1024)]);
}

/** Entries without the end marker, to be put together by hand. */
export function entryOf(entry: TarEntry): Buffer[] {
  const content = Buffer.from(entry.content ?? '');
  const blocks = [headerOf(entry, content.length), content, padding(content.length)];
  if (entry.pax === undefined) return blocks;
  const pairs = Object.entries(entry.pax);
  const records = Buffer.concat(pairs.map(([key, value]) => paxRecord(key, value)));
  return [...entryOf({ name: 'PaxHeaders/x', type: 'x', content: records }), ...blocks];
}

/** "<length> <key>=<value>\n", where the length counts its own digits. */
export function paxRecord(key: string, value: string | Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
  const total = (digits: number): number => digits + body.length;
  let length = body.length;
  while (total(String(length).length) !== length) length = total(String(length).length);
  return Buffer.concat([Buffer.from(String(length)), body]);
}

function padding(length: number): Buffer {
  return Buffer.alloc((512 - (length % 512)) % 512);
}

function headerOf(entry: TarEntry, length: number): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, at: number, width: number): void => {
    header.write(value.toString(8).padStart(width - 1, '0'), at, width - 1, 'latin1');
  };
  header.write(entry.name.slice(0, 100), 0, 100);
  octal(entry.mode ?? (entry.type === '5' ? 0o755 : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(entry.size ?? length, 124, 12);
  octal(entry.mtime ?? 1_600_000_000, 136, 12);
  header.write(entry.type ?? '0', 156);
  header.write((entry.link ?? '').slice(0, 100), 157, 100);
  header.write('ustar\x0000', 257, 8, 'latin1');
  octal(entry.device?.[0] ?? 0, 329, 8);
  octal(entry.device?.[1] ?? 0, 337, 8);
  return withChecksum(header);
}

/** Sets the checksum of a header that was changed. */
export function withChecksum(header: Buffer): Buffer {
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
  return header;
}
