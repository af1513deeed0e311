/** When a container starts again by itself, and after how long: pure. */
import type { RestartPolicy } from '../../api-spec/index.js';

/** Docker's back-off: doubling from 100 ms to a minute, anew after ten good seconds. */
const firstDelayMs = 100;
const maxDelayMs = 60_000;
const goodRunMs = 10_000;

/**
 * How a run ended, as far as restart policies look at it; `ranMs` decides whether the delay starts
 * anew.
 */
export interface Ending {
  readonly exitCode: number;
  readonly ranMs: number;
  /** Somebody stopped or killed it through the API. */
  readonly stoppedByUser: boolean;
  /** How often it has been restarted in a row. */
  readonly restartCount: number;
}

/** Whether the policy wants another start after `ending`. */
export function wantsRestart(policy: RestartPolicy | undefined, ending: Ending): boolean {
  if (ending.stoppedByUser) return false;
  switch (policy?.Name) {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure': {
      const limit = policy.MaximumRetryCount ?? 0;
      return ending.exitCode !== 0 && (limit === 0 || ending.restartCount < limit);
    }
    default:
      return false;
  }
}

/** How long to wait before the next start, given the wait before this run (0 for none). */
export function nextDelayMs(lastDelayMs: number, ranMs: number): number {
  if (lastDelayMs === 0 || ranMs >= goodRunMs) return firstDelayMs;
  return Math.min(lastDelayMs * 2, maxDelayMs);
}

/**
 * Whether a container that was live, or had ended, when the daemon or host went, starts with it.
 */
export function wantsStartWithDaemon(
  policy: RestartPolicy | undefined,
  { stoppedByUser }: { readonly stoppedByUser: boolean },
): boolean {
  switch (policy?.Name) {
    case 'always':
      return true;
    case 'unless-stopped':
      return !stoppedByUser;
    default:
      // One that failed meanwhile is `restarting` by now.
      return false;
  }
}
