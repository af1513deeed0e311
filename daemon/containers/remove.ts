import { conflict } from '../../api-spec/errors.js';
import { failuresOf } from './failures.js';
import { dropPending } from './attach.js';
import type { Container } from './container.js';
import { lastExitCode } from './container.js';
import { containerEvent, forget, save } from './context.js';
import type { Context } from './context.js';
import { cancelRestart } from './stop.js';
import { killAndWait } from './kill.js';
import { become, isLive } from './state.js';

/** `docker rm`'s flags: `force` kills a live container first. */
export interface RemoveOptions {
  readonly force: boolean;
  /** Takes its anonymous volumes along. */
  readonly volumes: boolean;
}

/**
 * Removes a container with everything that is its own; with `force` a live one is killed first.
 * `ApiError` 409 in Docker's words while it is live, or when a removal is under way. Durable when
 * it returns.
 */
export async function removeContainer(
  context: Context,
  container: Container,
  options: RemoveOptions,
): Promise<void> {
  await removalUnderWay(container);
  refuse(container, options);
  if (options.force && isLive(container.record.state)) await killAndWait(context, container);
  if (container.record.state.status === 'restarting') await cancelRestart(context, container);
  await container.lock.run(async () => {
    refuse(container, options);
    const exitCode = lastExitCode(container.record);
    await save(context, container, {
      ...container.record,
      state: become(container.record.state, { status: 'removing' }),
    });
    dropPending(container);
    try {
      await takeApart(context, container, options);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const dead = become(container.record.state, { status: 'dead', error: message });
      await save(context, container, { ...container.record, state: dead });
      throw error;
    }
    container.tellRemoval(exitCode);
  });
}

/** A transition that is under way is waited for, but not another removal: that is refused. */
async function removalUnderWay(container: Container): Promise<void> {
  if (container.record.state.status !== 'removing') await container.settle();
}

function refuse({ record }: Container, { force }: RemoveOptions): void {
  const { state } = record;
  if (state.status === 'removing') {
    throw conflict(`removal of container ${record.id} is already in progress`);
  }
  const why = refusals[state.status];
  if (why !== undefined && !force) {
    throw conflict(`cannot remove container "/${record.name}": ${why}`);
  }
}

const refusals: Readonly<Partial<Record<string, string>>> = {
  running: 'container is running: stop the container before removing or force remove',
  paused: 'container is paused and must be unpaused first',
  restarting: 'container is restarting: stop the container before removing or force remove',
};

/** Goes on with a removal that an earlier daemon began. */
export async function finishRemoval(context: Context, container: Container): Promise<void> {
  await container.lock.run(() => takeApart(context, container, { force: true, volumes: false }));
}

async function takeApart(
  context: Context,
  container: Container,
  options: RemoveOptions,
): Promise<void> {
  const { id } = container;
  await container.teardown;
  const results = await Promise.allSettled([
    context.rootfs.remove(id),
    context.volumes.release(id, { removeAnonymous: options.volumes }),
    context.discardBundle(id),
  ]);
  const failed = failuresOf(results);
  if (failed.length > 0) {
    throw new AggregateError(
      failed,
      `cannot remove container ${id}: ${failed.map(String).join('; ')}`,
    );
  }
  const destroyed = context.events.stamp(containerEvent(container.record, 'destroy'));
  await context.store.commit([forget(id), ...destroyed.statements], 'full');
  context.book.remove(container);
  destroyed.announce();
  await context.images.releaseLayers(container.record.layers);
}
