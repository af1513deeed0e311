import { invalidParameter } from '../../api-spec/errors.js';
import type { ContainerWaitResponse } from '../../api-spec/index.js';
import { lastExitCode } from './container.js';
import type { Container } from './container.js';
import type { ContainerRecord } from './record.js';
import { isLive } from './state.js';

/** What a wait is for; `next-exit` ignores that it may have ended already. */
export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/**
 * Registers at once, and settles on the exit or removal. `not-running` of a container that does not
 * run settles immediately. `signal` ends the wait: then it never settles.
 */
export function waitFor(
  container: Container,
  { condition, signal }: { readonly condition: WaitCondition; readonly signal: AbortSignal },
): { readonly result: Promise<ContainerWaitResponse> } {
  const { record } = container;
  switch (condition) {
    case 'not-running':
      if (!isLive(record.state) && record.state.status !== 'restarting') {
        return { result: container.outputsSent().then(() => lastEnd(record)) };
      }
      return { result: next((tell) => container.onExit(tell), signal) };
    case 'next-exit':
      return { result: next((tell) => container.onExit(tell), signal) };
    case 'removed':
      return { result: next((tell) => container.onRemoval(tell), signal) };
    default:
      throw invalidParameter(`invalid condition: "${String(condition)}"`);
  }
}

/** With the reason, where there was one: of a start that came to nothing. */
function lastEnd(record: ContainerRecord): ContainerWaitResponse {
  const { state } = record;
  const message = state.status === 'created' ? (state.failure?.error ?? '') : '';
  return {
    StatusCode: lastExitCode(record), ...(message === '' ? {} : { Error: { Message: message } }),
  };
}

function next(
  listen: (tell: (exitCode: number) => void) => () => void,
  signal: AbortSignal,
): Promise<ContainerWaitResponse> {
  return new Promise((resolve) => {
    const forget = listen((exitCode) => {
      signal.removeEventListener('abort', forget);
      resolve({ StatusCode: exitCode });
    });
    signal.addEventListener('abort', forget, { once: true });
  });
}
