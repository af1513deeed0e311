/** Which compression a stream has, by its first bytes, and streams that undo it. */
import { createGunzip } from 'node:zlib';
import { PassThrough, pipeline, Readable } from 'node:stream';
import { ApiError } from '../../api-spec/errors.js';
import {
  ArchiveError,
  compressArchive,
  expandArchive,
  type CompressedArchive,
  type Source,
} from '../../native/unpack/index.js';

/** By the names that media types use. */
export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

const magics: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b, 0x08]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

/** How many first bytes `compressionOf` wants to see. */
export const magicBytes = 6;

/** What begins like nothing known is taken as it is. */
export function compressionOf(first: Uint8Array): Compression {
  const found = magics.find(([, magic]) => magic.every((byte, index) => first[index] === byte));
  return found?.[0] ?? 'none';
}

/**
 * The plain bytes of a stream that may be compressed. Errors and ends pass through both ways; what
 * is wrong with the archive is an `ApiError`.
 */
export async function decompressed(source: Readable): Promise<Readable> {
  const compression = compressionOf(await peek(source, magicBytes));
  if (compression === 'none' || compression === 'gzip') {
    const through = compression === 'gzip' ? createGunzip() : new PassThrough();
    // The error reaches whoever reads `through`: pipeline destroys it with that error.
    pipeline(source, through, () => undefined);
    return through;
  }
  return expanded(source);
}

/** As registries take it: what OCI has no media type for comes out plain, the rest as it is. */
export async function distributable(source: Readable): Promise<Readable> {
  return hasMediaType(compressionOf(await peek(source, magicBytes))) ? source : expanded(source);
}

/** Whether OCI has a media type for layers that are compressed so. */
export function hasMediaType(compression: Compression): boolean {
  return compression !== 'xz' && compression !== 'bzip2';
}

/** By the unpacker, which has the libraries that Node has not. */
export function expanded(source: Source): Readable {
  return Readable.from(worded(expandArchive(source)), { objectMode: false });
}

/** By the unpacker, into an open file. */
export async function compressed(
  source: Source,
  outputFd: number,
  signal: AbortSignal,
): Promise<CompressedArchive> {
  return compressArchive(source, outputFd, { signal }).catch((error: unknown) => {
    throw wordedError(error);
  });
}

async function* worded(bytes: AsyncIterable<unknown>): AsyncGenerator {
  try {
    yield* bytes;
  } catch (error) {
    throw wordedError(error);
  }
}

function wordedError(error: unknown): unknown {
  if (!(error instanceof ArchiveError)) return error;
  return new ApiError(error.kind, error.message, { cause: error });
}

/** The first bytes, which are then put back; fewer when the stream ends before. */
async function peek(source: Readable, count: number): Promise<Buffer> {
  for (;;) {
    const bytes: unknown = source.read(count) ?? (source.readableEnded ? Buffer.alloc(0) : null);
    if (Buffer.isBuffer(bytes)) {
      if (bytes.length > 0) source.unshift(bytes);
      return bytes;
    }
    if (await endedBeforeReadable(source)) {
      const rest: unknown = source.read();
      if (!Buffer.isBuffer(rest)) return Buffer.alloc(0);
      source.unshift(rest);
      return rest;
    }
  }
}

/** Waits for more bytes; true when there will be none. */
function endedBeforeReadable(source: Readable): Promise<boolean> {
  if (source.readableEnded || source.destroyed) return Promise.resolve(true);
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      source.off('readable', readable).off('end', ended).off('error', failed);
      act();
    };
    const readable = (): void => settle(() => resolve(false));
    const ended = (): void => settle(() => resolve(true));
    const failed = (error: Error): void => settle(() => reject(error));
    source.once('readable', readable).once('end', ended).once('error', failed);
  });
}
