/**
 * Reads a tar as it streams by. Nothing in the archive decides how much memory is used: extended
 * headers, which other readers take whole, have a bound.
 */
import type { Readable } from 'node:stream';
import { ApiError, invalidParameter, tooLarge } from '../../api-spec/errors.js';
import { codeOf } from '../../native/errno-error.js';
import { linkTarget, safeEntryName } from './entry-name.js';
import { blockBytes, parseHeader, parsePax, type TarHeader } from './tar-header.js';

/** A regular file or a link. What of `body` was not read is skipped before the next entry. */
export type ArchiveEntry =
  | {
      readonly kind: 'file';
      readonly name: string;
      readonly sizeBytes: number;
      readonly body: AsyncIterable<Uint8Array>;
    }
  | { readonly kind: 'link'; readonly name: string; readonly target: string };

const maxEntries = 100_000;
const maxExtendedHeaderBytes = 64 * 1024;
const maxExtendedHeadersInARow = 8;

/**
 * Yields files and links; folders are passed over. `ApiError` 400 for what is no tar, for names
 * that leave it and for entries of other kinds. Ends and destroys `source` in every case.
 */
export async function* readTar(source: Readable): AsyncGenerator<ArchiveEntry> {
  const bytes = new ByteReader(source);
  try {
    for (let count = 0; ; count += 1) {
      if (count > maxEntries) throw tooLarge(`archive has more than ${maxEntries} entries`);
      const header = await nextHeader(bytes);
      if (header === undefined) return;
      const body = new EntryBody(bytes, header.sizeBytes);
      const entry = entryOf(header, body);
      if (entry !== undefined) yield entry;
      await body.skip();
      await bytes.skip((blockBytes - (header.sizeBytes % blockBytes)) % blockBytes);
    }
  } finally {
    source.destroy();
  }
}

/** The next header with what extended headers before it say. */
async function nextHeader(bytes: ByteReader): Promise<TarHeader | undefined> {
  const extended = new Map<string, string>();
  for (let row = 0; row < maxExtendedHeadersInARow; row += 1) {
    const block = await bytes.take(blockBytes, { orEnd: true });
    const header = block === undefined ? undefined : parseHeader(block);
    if (header === undefined) return undefined;
    const { type, sizeBytes } = header;
    if (!['x', 'g', 'L', 'K'].includes(type)) return withExtended(header, extended);
    if (sizeBytes > maxExtendedHeaderBytes) {
      throw tooLarge(`archive has an extended header of ${sizeBytes} bytes`);
    }
    const content = (await bytes.take(sizeBytes)) ?? Buffer.alloc(0);
    await bytes.skip((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
    if (type === 'x') parsePax(content).forEach((value, key) => extended.set(key, value));
    else if (type !== 'g') {
      const value = content.toString('utf8').replace(/\0[\s\S]*$/, '');
      extended.set(type === 'L' ? 'path' : 'linkpath', value);
    }
  }
  throw invalidParameter('invalid tar header');
}

function withExtended(header: TarHeader, extended: ReadonlyMap<string, string>): TarHeader {
  const size = extended.get('size');
  const sizeBytes = size === undefined ? header.sizeBytes : Number(size);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0)
    throw invalidParameter('invalid tar header');
  return {
    name: extended.get('path') ?? header.name,
    linkName: extended.get('linkpath') ?? header.linkName,
    sizeBytes,
    type: header.type,
  };
}

function entryOf(header: TarHeader, body: EntryBody): ArchiveEntry | undefined {
  const { type, linkName, sizeBytes } = header;
  if (type === '5') return undefined;
  const name = safeEntryName(header.name);
  if (name === undefined) throw invalidParameter(`invalid name in archive: ${shown(header.name)}`);
  if (type === '0' || type === '7') return { kind: 'file', name, sizeBytes, body };
  const target =
    type === '2' ? linkTarget(name, linkName) : type === '1' ? safeEntryName(linkName) : undefined;
  if (target === undefined) throw invalidParameter(`invalid entry in archive: ${shown(name)}`);
  return { kind: 'link', name, target };
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 200));
}

/** zlib's errors are about the archive too. */
function worded(error: unknown): unknown {
  const isZlib = error instanceof Error && codeOf(error).startsWith('Z_');
  if (!isZlib || error instanceof ApiError) return error;
  return invalidParameter(
    error.message === 'unexpected end of file' ? 'unexpected EOF' : error.message,
    error,
  );
}

/** The content of one entry; can be read once. */
class EntryBody implements AsyncIterable<Uint8Array> {
  constructor(
    private readonly bytes: ByteReader,
    private left: number,
  ) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    while (this.left > 0) {
      const chunk = await this.bytes.some(this.left);
      this.left -= chunk.length;
      yield chunk;
    }
  }

  async skip(): Promise<void> {
    const rest = this.left;
    this.left = 0;
    await this.bytes.skip(rest);
  }
}

/** Bytes of a stream, in the amounts that are asked for. */
class ByteReader {
  private readonly chunks: AsyncIterator<unknown>;
  private rest: Buffer = Buffer.alloc(0);

  constructor(source: Readable) {
    this.chunks = source[Symbol.asyncIterator]();
  }

  /** At least one byte and at most `limit`; 400 at the end of the stream. */
  async some(limit: number): Promise<Buffer> {
    while (this.rest.length === 0) {
      const next = await this.next();
      if (next.done === true) throw invalidParameter('unexpected EOF');
      this.rest = bytesOf(next.value);
    }
    const chunk = this.rest.subarray(0, limit);
    this.rest = this.rest.subarray(chunk.length);
    return chunk;
  }

  /** Exactly `count` bytes; undefined if `orEnd` and the stream ends here. */
  async take(count: number, options?: { readonly orEnd: true }): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      if (options !== undefined && missing === count && (await this.atEnd())) return undefined;
      const chunk = await this.some(missing);
      parts.push(chunk);
      missing -= chunk.length;
    }
    return Buffer.concat(parts);
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0;) left -= (await this.some(left)).length;
  }

  private async next(): Promise<IteratorResult<unknown>> {
    try {
      return await this.chunks.next();
    } catch (error) {
      throw worded(error);
    }
  }

  private async atEnd(): Promise<boolean> {
    while (this.rest.length === 0) {
      const next = await this.next();
      if (next.done === true) return true;
      this.rest = bytesOf(next.value);
    }
    return false;
  }
}

/** Without a copy: a large archive comes in thousands of chunks. */
function bytesOf(chunk: unknown): Buffer {
  if (Buffer.isBuffer(chunk)) return chunk;
  return Buffer.from(chunk as Uint8Array); // No encoding is set: chunks are bytes.
}
