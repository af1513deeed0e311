/** Memory has run out in a container: told at once, whether it goes on living or not. */
import { ErrnoError } from '../../native/errno-error.js';
import type { Task } from '../runtime/task.js';
import type { Container } from './container.js';
import { containerEvent, save } from './context.js';
import type { Context } from './context.js';
import type { ContainerState } from './state.js';
import { isLive } from './state.js';

/** Of one that has ended by then its end says it. */
const firstLookMs = 50;

/** Notes what `task` says of it until it ends; what is known from before is not told again. */
export function watchOom(context: Context, container: Container, task: Task): void {
  setTimeout(() => {
    if (container.task === task) watchOomNow(context, container, task);
  }, firstLookMs).unref();
}

function watchOomNow(context: Context, container: Container, task: Task): void {
  keepWatching(context, container, task).catch((error: unknown) => {
    // It has ended, or it was a shim that only tells at the end.
    if (error instanceof ErrnoError && ['EPIPE', 'ENOSYS'].includes(error.code)) return;
    context.log.error({ id: container.id, err: error }, 'nobody watches for lack of memory');
  });
}

async function keepWatching(context: Context, container: Container, task: Task): Promise<void> {
  for (let seen = BigInt(oomKills(container.record.state)); ; ) {
    seen = await task.oomTurn(seen);
    if (container.task !== task) return;
    noteOom(context, container, Number(seen));
  }
}

/** Processes of a live container's run that are known to have been killed for memory. */
export function oomKills(state: ContainerState): number {
  return isLive(state) ? (state.oomKills ?? 0) : 0;
}

/** True at once, and told; written when it may be: the shim tells the next daemon. */
export function noteOom(context: Context, container: Container, kills: number): void {
  const { record } = container;
  const { state } = record;
  if (!isLive(state) || kills <= oomKills(state)) return;
  const noted = { ...record, state: { ...state, oomKills: kills } };
  const events = [containerEvent(record, 'oom')];
  save(context, container, noted, { events }).catch((error: unknown) => {
    context.log.error({ id: container.id, err: error }, 'a lack of memory could not be recorded');
  });
}
