import { conflict } from '../../api-spec/errors.js';
import type { Container } from './container.js';
import { containerEvent, save, tell } from './context.js';
import type { Context } from './context.js';
import { cancelRestart } from './cancel-restart.js';
import { unpauseContainer } from './pause.js';
import { parseKillSignal, parseSignal } from './signals.js';
import { isLive } from './state.js';

const sigkill = 9;
/** A process that does not end within this after SIGKILL hangs in the kernel. */
const maxKillMs = 10_000;

/** The signal that asks a container to end: its own, SIGTERM by default. */
export function stopSignal({ record }: Container): number {
  const { StopSignal: name } = record.config;
  return name === undefined || name === '' ? 15 : parseSignal(name);
}

/**
 * Sends a signal, SIGKILL by default; of that one it waits for the exit. `ApiError` 400 for what is
 * no signal, 409 when there is nobody to send it to.
 */
export async function killContainer(
  context: Context,
  ref: string,
  { signal: text }: { readonly signal?: string },
): Promise<void> {
  const prefix = `cannot kill container: ${ref}: `;
  const signal =
    text === undefined || text === '' ? sigkill : prefixed(prefix, () => parseKillSignal(text));
  const container = prefixed(prefix, () => context.book.resolve(ref));
  await container.settle();
  if (container.record.state.status === 'restarting') {
    await cancelRestart(context, container);
    return;
  }
  if (!isLive(container.record.state)) {
    throw conflict(`${prefix}container ${container.id} is not running`);
  }
  if (signal === sigkill) await killAndWait(context, container);
  else await sendSignal(context, container, signal);
}

/** Does it, and says whose kill it was when it is refused. */
function prefixed<T>(prefix: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof Error) error.message = prefix + error.message;
    throw error;
  }
}

/** One signal to PID 1, with its event; the user's wish is kept for the restart policy. */
export async function sendSignal(
  context: Context,
  container: Container,
  signal: number,
): Promise<void> {
  const { task } = container;
  const ends = signal === sigkill || signal === stopSignal(container);
  if (ends || !container.record.config.StopSignal) container.exitIsWanted = true;
  const event = containerEvent(container.record, 'kill', { signal: String(signal) });
  if (container.record.stoppedByUser) await tell(context, event);
  else
    await save(
      context,
      container,
      { ...container.record, stoppedByUser: true },
      { events: [event] },
    );
  await task?.signal(signal);
  // SIGKILL ends what is frozen once it thaws; of any other signal it goes on running.
  if (!ends || container.record.state.status !== 'paused') return;
  if (signal === sigkill) await task?.unpause();
  else await thaw(context, container);
}

/** Somebody else may have been faster. */
async function thaw(context: Context, container: Container): Promise<void> {
  try {
    await unpauseContainer(context, container);
  } catch (error) {
    if (container.record.state.status === 'paused') throw error;
  }
}

/** SIGKILL, then the exit; `ApiError` 409 if it does not come. */
export async function killAndWait(context: Context, container: Container): Promise<void> {
  const exited = exitOf(container, maxKillMs);
  await sendSignal(context, container, sigkill);
  if (!(await exited)) {
    throw conflict(`container ${container.id} PID does not end: it hangs in the kernel`);
  }
}

/** Whether the container exits within `timeoutMs`; Infinity waits for ever. */
export function exitOf(container: Container, timeoutMs: number): Promise<boolean> {
  if (!isLive(container.record.state)) return Promise.resolve(true);
  return new Promise((resolve) => {
    const forget = container.onExit(() => {
      clearTimeout(timer);
      resolve(true);
    });
    const timer = Number.isFinite(timeoutMs)
      ? setTimeout(() => {
          forget();
          resolve(false);
        }, timeoutMs)
      : undefined;
  });
}
