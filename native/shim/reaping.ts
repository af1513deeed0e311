import { setTimeout as sleep } from 'node:timers/promises';
import { reap } from '../spawn.js';

const FIRST_PAUSE_MS = 1;
/** A shim may serve its last attached clients for a while. */
const LAST_PAUSE_MS = 500;

/**
 * Resolves when this child has ended and is no zombie any more. Node reaps only what its own
 * child_process has started, and tells nobody of SIGCHLD, so this asks, ever more seldom; it does
 * not keep the process alive.
 */
export async function reaped(pid: number): Promise<void> {
  for (let pauseMs = FIRST_PAUSE_MS; !reap(pid); pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS)) {
    await sleep(pauseMs, undefined, { ref: false });
  }
}
