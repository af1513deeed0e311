/** A blob as one stream of bytes, however often the connection breaks. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Descriptor } from '../content/index.js';
import { RegistryError } from './registry-error.js';
import type { Repository } from './repository.js';

/** Which blob, from where on. */
export interface DownloadOptions {
  readonly descriptor: Descriptor;
  /** Bytes that are there already. */
  readonly offsetBytes: number;
  readonly signal: AbortSignal;
  /** Told before each pause. */
  readonly onRetry?: (inMs: number) => void;
  /** First pause; doubles up to `maxPauseMs`. */
  readonly pauseMs?: number;
}

/** Attempts in a row that brought nothing; any progress starts the count again. */
const maxFruitlessAttempts = 5;
const firstPauseMs = 500;
const maxPauseMs = 15_000;

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
  let fruitless = 0;
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
      fruitless = at > before ? 1 : fruitless + 1;
      if (fruitless >= maxFruitlessAttempts) throw error;
      const wait = Math.min(maxPauseMs, (options.pauseMs ?? firstPauseMs) * 2 ** (fruitless - 1));
      options.onRetry?.(wait);
      await pause(wait, undefined, { signal });
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
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}
