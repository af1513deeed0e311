import { ApiError } from '../../api-spec/errors.js';
import type { Container } from './container.js';
import { cancelRestart } from './cancel-restart.js';
import { containerEvent, tell } from './context.js';
import type { Context } from './context.js';
import { exitOf, killAndWait, sendSignal, stopSignal } from './kill.js';
import { launchAnew } from './launch.js';
import { parseSignal } from './signals.js';
import { isLive } from './state.js';

/** Docker's patience when neither the request nor the container says anything. */
const defaultTimeoutSeconds = 10;

/** What overrides the container's own `StopSignal` and `StopTimeout`; absent means these. */
export interface StopRequest {
  /** Negative waits for ever. */
  readonly timeoutSeconds?: number;
  readonly signal?: string;
}

/** Asks a container to end, insists after a while, and returns when it has. */
export async function stopContainer(
  context: Context,
  container: Container,
  request: StopRequest,
  refusal = `cannot stop container: ${container.id}: `,
): Promise<'stopped' | 'alreadyStopped'> {
  await container.settle();
  if (container.record.state.status === 'restarting') {
    await cancelRestart(context, container);
    await tell(context, containerEvent(container.record, 'stop'));
    return 'stopped';
  }
  // Docker looks at the signal only when there is somebody to send it to.
  if (!isLive(container.record.state)) return 'alreadyStopped';
  const signal = request.signal ? named(request.signal, refusal) : stopSignal(container);
  const timeoutMs = stopTimeoutMs(container, request.timeoutSeconds);
  await end(context, container, { signal, timeoutMs });
  await tell(context, containerEvent(container.record, 'stop'));
  return 'stopped';
}

/** The signal of this name; what was to be done stands before the refusal. */
function named(signal: string, refusal: string): number {
  try {
    return parseSignal(signal);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new ApiError(error.kind, refusal + error.message, { cause: error });
  }
}

/** Stop if it runs, then start; one `restart` event last. */
export async function restartContainer(
  context: Context,
  container: Container,
  request: StopRequest,
): Promise<void> {
  const refusal = `Cannot restart container ${container.id}: `;
  await stopContainer(context, container, request, refusal);
  await container.lock.run(async () => {
    if (!isLive(container.record.state)) await launchAnew(context, container);
  });
  await tell(context, containerEvent(container.record, 'restart'));
}

/** How long a container may take to end before it is killed; Infinity for ever. */
export function stopTimeoutMs({ record }: Container, timeoutSeconds?: number): number {
  const seconds = timeoutSeconds ?? record.config.StopTimeout ?? defaultTimeoutSeconds;
  return seconds < 0 ? Infinity : seconds * 1000;
}

async function end(
  context: Context,
  container: Container,
  { signal, timeoutMs }: { readonly signal: number; readonly timeoutMs: number },
): Promise<void> {
  container.exitIsWanted = true;
  const exited = exitOf(container, timeoutMs);
  await sendSignal(context, container, signal);
  container.exitIsWanted = true;
  if (!(await exited)) await killAndWait(context, container);
}
