import { conflict, systemError } from '../../api-spec/errors.js';
import type { Container } from './container.js';
import { containerEvent, save } from './context.js';
import type { Context } from './context.js';
import { endHealth, watchHealth } from './healthcheck.js';
import { become, isLive } from './state.js';

/** Freezes every process of it; `ApiError` 409 in Docker's words in any other state. */
export async function pauseContainer(context: Context, container: Container): Promise<void> {
  await container.lock.run(async () => {
    const { record, task } = container;
    const { state } = record;
    if (state.status === 'restarting') {
      throw conflict(
        `Container ${record.id} is restarting, wait until the container is running`);
    }
    if (!isLive(state) || task === undefined) {
      throw conflict(`container ${record.id} is not running`);
    }
    if (state.status === 'paused') throw conflict(`Container ${record.id} is already paused`);
    await task.pause();
    const paused = become(state, { ...state, status: 'paused' });
    await save(
      context,
      container,
      { ...record, state: paused },
      { events: [containerEvent(record, 'pause')] },
    );
    endHealth(context, container);
  });
}

/** Lets them go on. What is not paused is a 500 in Docker, and so it is here. */
export async function unpauseContainer(context: Context, container: Container): Promise<void> {
  await container.lock.run(async () => {
    const { record, task } = container;
    const { state } = record;
    if (state.status !== 'paused' || task === undefined) {
      throw systemError(`Container ${record.id} is not paused`);
    }
    await task.unpause();
    const running = become(state, { ...state, status: 'running' });
    await save(
      context,
      container,
      { ...record, state: running },
      { events: [containerEvent(record, 'unpause')] },
    );
    watchHealth(context, container);
  });
}
