/** A container that has become unhealthy, where its owner wants it to start again then. */
import type { Container } from './container.js';
import { containerEvent, tell } from './context.js';
import type { Context } from './context.js';
import { exitOf, stopSignal } from './kill.js';
import { stopTimeoutMs } from './stop.js';

const sigkill = 9;
/** A process that does not end within this after SIGKILL hangs in the kernel. */
const maxKillMs = 10_000;

/**
 * Asks it to end as `stop` does, and insists as that does. It starts again after its back-off,
 * whatever its restart policy, unless somebody stops it meanwhile.
 */
export async function endUnwell(context: Context, container: Container): Promise<void> {
  if (await send(context, container, stopSignal(container), stopTimeoutMs(container))) return;
  if (await send(context, container, sigkill, maxKillMs)) return;
  context.log.error({ id: container.id }, 'it is unhealthy and does not end');
}

/** Whether it ends by that. It is nobody's wish that it stays so: no `exitIsWanted`. */
async function send(
  context: Context,
  container: Container,
  signal: number,
  timeoutMs: number,
): Promise<boolean> {
  const exited = exitOf(container, timeoutMs);
  await tell(context, containerEvent(container.record, 'kill', { signal: String(signal) }));
  await container.task?.signal(signal);
  return exited;
}
