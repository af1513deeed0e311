/** A blob as one stream of bytes, however often the connection breaks. */
import { codeOf } from '../../native/errno-error.js';
import type { Descriptor } from '../content/index.js';
import { createBackoff, type BackoffOptions } from './backoff.js';
import { RegistryError } from './registry-error.js';
import type { Repository } from './repository.js';

/** Which blob, from where on. */
export interface DownloadOptions extends BackoffOptions {
  readonly descriptor: Descriptor;
  /** Bytes that are there already. */
  readonly offsetBytes: number;
}

/**
 * Yields the blob's bytes from `offsetBytes` on, going on by `Range` after a break. Never yields
 * beyond the announced size plus one chunk; whether the bytes are right is for the reader to check.
 */
export async function* downloadBlob(
  repository: Repository,
  options: DownloadOptions,
): AsyncGenerator<Uint8Array> {
  const { descriptor, signal } = options;
  let at = options.offsetBytes;
  const again = createBackoff(options);
  while (at < descriptor.size) {
    const before = at;
    try {
      const part = await repository.blob(descriptor, at, signal);
      for await (const chunk of withoutFirst(part.body, at - part.offsetBytes)) {
        at += chunk.length;
        yield chunk;
      }
      if (at < descriptor.size) throw new RegistryError(0, 'NETWORK', 'unexpected EOF');
    } catch (error) {
      signal.throwIfAborted();
      if (!mayPass(error)) throw error;
      await again(error, at > before);
    }
  }
}

/** A registry that knows no ranges sends what is there already again. */
async function* withoutFirst(
  body: AsyncIterable<Uint8Array>,
  count: number,
): AsyncGenerator<Uint8Array> {
  let skip = count;
  for await (const chunk of body) {
    const fresh = chunk.subarray(Math.min(skip, chunk.length));
    skip -= chunk.length - fresh.length;
    if (fresh.length > 0) yield fresh;
  }
}

/** Errors in the middle of a body come from the socket, not from us. */
function mayPass(error: unknown): boolean {
  if (error instanceof RegistryError) return error.transient;
  return codeOf(error) !== '';
}
