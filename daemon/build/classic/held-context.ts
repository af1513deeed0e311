/**
 * A small context that is held in memory: no process, no file, and gone with its build. Only what
 * is plain is held: files and folders with ordinary names, each once. Anything else (links,
 * devices, attributes, what may be wrong) is left to the unpacker, which knows all of it.
 */
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { compressionOf } from '../../archive/index.js';
import { treeOf, type MemoryEntry, type MemoryTree } from '../memory-tree.js';

/** What is held in memory for one build at most, as it arrives and as it is unpacked. */
const maxBytes = 4 * 1024 * 1024;
const maxEntries = 2000;
const maxNameBytes = 1024;

const inflate = promisify(gunzip);

/** A context in memory, or all of its bytes as they came. */
export type HeldContext = { readonly tree: MemoryTree } | { readonly body: Readable };

/** Reads a body as far as it may be held; of one that cannot be, everything is given back. */
export async function holdContext(body: Readable, nowMs: number): Promise<HeldContext> {
  const chunks: Buffer[] = [];
  let length = 0;
  const reading: AsyncIterator<unknown> = body[Symbol.asyncIterator]();
  for (;;) {
    const next = await reading.next();
    if (next.done === true) break;
    // No encoding is set: chunks are bytes.
    const chunk = next.value as Buffer;
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBytes) return { body: Readable.from(rest(chunks, reading)) };
  }
  const bytes = Buffer.concat(chunks);
  const tree = await treeOfTar(bytes, nowMs);
  return tree === undefined ? { body: Readable.from([bytes]) } : { tree };
}

async function* rest(
  chunks: readonly Buffer[],
  reading: AsyncIterator<unknown>,
): AsyncGenerator {
  yield* chunks;
  try {
    for (;;) {
      const next = await reading.next();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await reading.return?.();
  }
}

/** Undefined for what is not plain. */
async function treeOfTar(bytes: Buffer, nowMs: number): Promise<MemoryTree | undefined> {
  try {
    const plain = await decompressed(bytes);
    return plain === undefined ? undefined : await readPlain(plain, nowMs);
  } catch {
    // What is wrong with an archive is told by the unpacker, in its words.
    return undefined;
  }
}

async function decompressed(bytes: Buffer): Promise<Buffer | undefined> {
  const compression = compressionOf(bytes);
  if (compression === 'none') return bytes;
  return compression === 'gzip' ? inflate(bytes, { maxOutputLength: maxBytes }) : undefined;
}

async function readPlain(bytes: Buffer, nowMs: number): Promise<MemoryTree | undefined> {
  const parser = extract();
  Readable.from([bytes]).pipe(parser);
  const entries = new Map<string, MemoryEntry>();
  for await (const entry of parser) {
    const path = plainPath(entry.header);
    const isPlain = path !== undefined && !entries.has(path) && entries.size < maxEntries;
    if (!isPlain) return undefined;
    entries.set(path, await entryOf(entry));
  }
  return entries.size === 0 ? undefined : treeOf(entries, nowMs);
}

/** Without slashes at its ends; undefined for what the unpacker shall look at. */
function plainPath({ name, type, pax, uid, gid, size }: Header): string | undefined {
  const isKnown = type === 'file' || type === 'directory';
  const hasMore = Object.keys(pax ?? {}).some((key) => !plainRecords.has(key));
  const isNumber = [uid, gid, size].every(Number.isSafeInteger);
  const path = name.replace(/^\.\//, '').replace(/\/$/, '');
  const names = path.split('/');
  const isOrdinary = names.every((part) => part !== '' && part !== '.' && part !== '..');
  const isText = !/[\0\uFFFD]/.test(path) && path.length <= maxNameBytes;
  return isKnown && !hasMore && isNumber && isOrdinary && isText ? path : undefined;
}

/** What a PAX header may say of a plain entry. */
const plainRecords = new Set(
  ['path', 'size', 'mtime', 'atime', 'ctime', 'uid', 'gid', 'uname', 'gname'],
);

async function entryOf(
  entry: AsyncIterable<unknown> & { readonly header: Header },
): Promise<MemoryEntry> {
  const { type, mode, uid, gid, mtime, size } = entry.header;
  const chunks: Buffer[] = [];
  // No encoding is set: chunks are bytes.
  for await (const chunk of entry) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  if (bytes.length !== size) throw new Error('a short entry');
  const about = { mode: mode & 0o7777, uid, gid, mtimeMs: mtime.getTime() };
  return type === 'directory' ? { kind: 'directory', ...about } : { kind: 'file', ...about, bytes };
}
