/** Pauses between attempts at the same thing, and when to give up. */
import { setTimeout as pause } from 'node:timers/promises';
import { RegistryError } from './registry-error.js';

/** What a caller wants of its pauses. */
export interface BackoffOptions {
  readonly signal: AbortSignal;
  /** Told before each pause. */
  readonly onRetry?: (inMs: number) => void;
  /** Attempts in a row that may bring nothing; any progress starts the count again. Default 5. */
  readonly attempts?: number;
  /** First pause; doubles up to `maxPauseMs`. */
  readonly pauseMs?: number;
}

const usualAttempts = 5;
const firstPauseMs = 500;
const maxPauseMs = 15_000;
/** Longest pause that a registry may ask for. */
const maxAskedPauseMs = 60_000;

/** Waits before the next attempt, or throws the error of the last one. */
export type Backoff = (error: unknown, hasProgressed: boolean) => Promise<void>;

/** One for each thing that is tried; rejects with the signal's reason when it is aborted. */
export function createBackoff(options: BackoffOptions): Backoff {
  const { signal, onRetry, pauseMs, attempts = usualAttempts } = options;
  let fruitless = 0;
  return async (error, hasProgressed) => {
    fruitless = hasProgressed ? 1 : fruitless + 1;
    if (fruitless >= attempts) throw error;
    const asked = error instanceof RegistryError ? (error.retryAfterMs ?? 0) : 0;
    // Its words say when: a user may wait, a pull does not.
    if (asked > maxAskedPauseMs) throw error;
    const own = Math.min(maxPauseMs, (pauseMs ?? firstPauseMs) * 2 ** (fruitless - 1));
    const wait = Math.max(own, asked);
    onRetry?.(wait);
    await pause(wait, undefined, { signal });
  };
}
