/** A bound on what a program writes that knows none itself: its folder is looked at meanwhile. */
import { statfs } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { noSpace, tooLarge } from '../../../api-spec/errors.js';
import { diskReserveBytes, treeUsage } from '../../../native/unpack/index.js';

/** What is bounded. */
export interface GrowthBound {
  readonly folder: string;
  readonly maxBytes: number;
  /** Named in the error. */
  readonly what: string;
  readonly signal: AbortSignal;
}

/** Bound on what comes from elsewhere, a file or a repository, where a request says nothing. */
export const maxFetchedBytes = 16 * 2 ** 30;
/** How often it is looked at; a large folder more seldom, so that a tenth of the time is spent. */
const intervalMs = 250;
const idleShare = 9;

/**
 * Runs `work`, whose signal is aborted once there is too much in the folder. Throws `ApiError` 413
 * or 507 then, whatever `work` makes of it, and also when its last bytes were too many.
 */
export async function withinBytes<T>(
  bound: GrowthBound,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const beyond = new AbortController();
  const ended = new AbortController();
  const watching = watch(bound, beyond, ended.signal);
  try {
    const result = await work(AbortSignal.any([bound.signal, beyond.signal]));
    beyond.signal.throwIfAborted();
    await look(bound);
    return result;
  } catch (error) {
    beyond.signal.throwIfAborted();
    throw error;
  } finally {
    ended.abort();
    await watching;
  }
}

async function watch(
  bound: GrowthBound,
  beyond: AbortController,
  ended: AbortSignal,
): Promise<void> {
  for (let pauseMs = intervalMs; await pause(pauseMs, ended); ) {
    const startedMs = Date.now();
    try {
      await look(bound);
    } catch (error) {
      beyond.abort(error);
      return;
    }
    pauseMs = Math.max(intervalMs, (Date.now() - startedMs) * idleShare);
  }
}

/** False when it has ended before. */
async function pause(ms: number, ended: AbortSignal): Promise<boolean> {
  try {
    await delay(ms, undefined, { signal: ended });
    return true;
  } catch (error) {
    if (ended.aborted) return false;
    throw error;
  }
}

async function look({ folder, maxBytes, what }: GrowthBound): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < diskReserveBytes) throw noSpace(`${what}: no space left on device`);
  const { sizeBytes } = await treeUsage(folder);
  if (sizeBytes > maxBytes) throw tooLarge(`${what} is larger than ${maxBytes} bytes`);
}
