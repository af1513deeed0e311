import { setTimeout as sleep } from 'node:timers/promises';
import { reap } from '../spawn.js';

const FIRST_PAUSE_MS = 1;
/** A shim may serve its last attached clients for a while. */
const LAST_PAUSE_MS = 500;
/** So long the event loop is kept alive for it: whoever awaits the end of a launch sees it. */
const KEPT_ALIVE_MS = 5_000;

/**
 * Resolves when this child has ended and is no zombie any more. Node reaps only what its own
 * child_process has started, and tells nobody of SIGCHLD, so this asks, ever more seldom.
 */
export async function reaped(pid: number): Promise<void> {
  const startedMs = performance.now();
  for (let pauseMs = FIRST_PAUSE_MS; !reap(pid); pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS)) {
    await sleep(pauseMs, undefined, {
      ref: performance.now() - startedMs < KEPT_ALIVE_MS,
    });
  }
}
