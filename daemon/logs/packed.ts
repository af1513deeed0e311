/**
 * Rotated logs, compressed: ordinary gzip files. Their header tells which file each of them was, so
 * that a reader who meets both during a rotation knows them as one.
 */
import { randomBytes } from 'node:crypto';
import { fdatasync, futimesSync, openSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { crc32, createDeflateRaw, createGunzip } from 'node:zlib';
import { codeOf } from '../../native/errno-error.js';
import { TextFile } from './text-file.js';

const sync = promisify(fdatasync);

/** Which file it was, before. */
export interface PackedAbout {
  readonly inode: bigint;
  /** 0 where the filesystem keeps no time of birth. */
  readonly birthNs: bigint;
  readonly sizeBytes: number;
}

const headerBytes = 40;
const chunkBytes = 128 * 1024;
/** gzip's magic, deflate, and the flag for a field of our own. */
const lead = Buffer.from([0x1f, 0x8b, 8, 4]);
const fieldName = Buffer.from('TD');
const fieldBytes = 24;
/** Logs compress well: more effort than this buys a few percent. */
const level = 4;

function headerOf({ inode, birthNs, sizeBytes }: PackedAbout): Buffer {
  const header = Buffer.alloc(headerBytes);
  lead.copy(header);
  header[9] = 3;
  header.writeUInt16LE(4 + fieldBytes, 10);
  fieldName.copy(header, 12);
  header.writeUInt16LE(fieldBytes, 14);
  header.writeBigUInt64LE(inode, 16);
  header.writeBigUInt64LE(birthNs, 24);
  header.writeBigUInt64LE(BigInt(sizeBytes), 32);
  return header;
}

async function* chunksOf(file: TextFile, sizeBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < sizeBytes; ) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, sizeBytes - at));
    const bytesRead = await file.read(chunk, chunk.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

/** Appends what comes out of `transform`. */
async function throughTo(
  target: TextFile,
  source: AsyncIterable<Buffer>,
  transform: Transform,
): Promise<void> {
  // The loop fails with the same error.
  const fed = pipeline(source, transform).catch(() => undefined);
  // A transform of bytes yields Buffers.
  for await (const piece of transform) await target.append(piece as Buffer);
  await fed;
}

/** What the header tells; undefined for a gzip file that is not ours. */
export function packedAbout({ fd }: TextFile): PackedAbout | undefined {
  const header = Buffer.alloc(headerBytes);
  const bytesRead = readSync(fd, header, 0, headerBytes, 0);
  const isOurs =
    bytesRead === headerBytes &&
    header.subarray(0, 4).equals(lead) &&
    header.subarray(12, 14).equals(fieldName);
  if (!isOurs) return undefined;
  return {
    inode: header.readBigUInt64LE(16),
    birthNs: header.readBigUInt64LE(24),
    sizeBytes: Number(header.readBigUInt64LE(32)),
  };
}

/** Writes the compressed form of `source` to `draft`; its times are the source's. */
export async function pack(source: TextFile, about: PackedAbout, draft: string): Promise<void> {
  const target = new TextFile(openSync(draft, 'w', 0o640));
  try {
    const { atime, mtime } = source.stat();
    let checksum = 0;
    async function* checked(): AsyncGenerator<Buffer> {
      for await (const chunk of chunksOf(source, about.sizeBytes)) {
        checksum = crc32(chunk, checksum);
        yield chunk;
      }
    }
    await target.append(headerOf(about));
    await throughTo(target, checked(), createDeflateRaw({ level, chunkSize: chunkBytes }));
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(checksum, 0);
    trailer.writeUInt32LE(about.sizeBytes % 2 ** 32, 4);
    await target.append(trailer);
    futimesSync(target.fd, atime, mtime);
    await sync(target.fd);
  } finally {
    target.close();
  }
}

/**
 * The contents of a gzip file, in a nameless file in `folder` that the caller closes. Of a damaged
 * one, what could be read.
 */
export async function unpacked(packed: TextFile, folder: string): Promise<TextFile> {
  const name = join(folder, `.unpacked-${randomBytes(8).toString('hex')}`);
  const target = new TextFile(openSync(name, 'wx+', 0o600));
  try {
    rmSync(name);
    const sizeBytes = Number(packed.stat().size);
    await throughTo(target, chunksOf(packed, sizeBytes), createGunzip({ chunkSize: chunkBytes }));
  } catch (error) {
    if (isDamage(error)) return target;
    target.close();
    throw error;
  }
  return target;
}

function isDamage(error: unknown): boolean {
  return codeOf(error).startsWith('Z_');
}
