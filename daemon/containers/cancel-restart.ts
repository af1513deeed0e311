import type { Container } from './container.js';
import { save } from './context.js';
import type { Context } from './context.js';
import { become } from './state.js';

/** Calls off the start that a restart policy has planned. */
export async function cancelRestart(context: Context, container: Container): Promise<void> {
  clearTimeout(container.plannedStart);
  container.plannedStart = undefined;
  await container.lock.run(async () => {
    const { record } = container;
    if (record.state.status !== 'restarting') return;
    const { startedAtMs, finishedAtMs, exitCode, oomKilled } = record.state;
    const exited = { startedAtMs, finishedAtMs, exitCode, oomKilled, error: '' };
    await save(context, container, {
      ...record,
      stoppedByUser: true,
      state: become(record.state, { status: 'exited', ...exited }),
    });
    // Who waits until it does not run has been waiting for this.
    container.tellExit(exitCode);
  });
}
