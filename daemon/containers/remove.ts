import { conflict, systemError } from '../../api-spec/errors.js';
import { failuresOf } from './failures.js';
import { dropPending } from './attach.js';
import { cancelRestart } from './cancel-restart.js';
import type { Container } from './container.js';
import { lastExitCode } from './container.js';
import { containerEvent, forget } from './context.js';
import type { Context } from './context.js';
import { killAndWait } from './kill.js';
import { layersOf } from './record.js';
import { become, isLive } from './state.js';

/** `docker rm`'s flags: `force` kills a live container first. */
export interface RemoveOptions {
  readonly force: boolean;
  /** Takes its anonymous volumes along. */
  readonly volumes: boolean;
  /** Only a link's name was to go: links are not names of their own here. */
  readonly link?: boolean;
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
  if (options.link === true) {
    throw systemError('Conflict, cannot remove the default link name of the container');
  }
  await removalUnderWay(container);
  refuse(container, options);
  if (options.force && isLive(container.record.state)) await killAndWait(context, container);
  if (container.record.state.status === 'restarting') await cancelRestart(context, container);
  await context.logs.settle(container.record);
  await container.lock.run(async () => {
    refuse(container, options);
    const exitCode = lastExitCode(container.record);
    container.record = {
      ...container.record,
      state: become(container.record.state, { status: 'removing' }),
    };
    dropPending(container);
    await takeApart(context, container, options);
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

/** The last run is given back, and from then on nobody gets the folders but to be refused. */
async function letGo({ id, lease, teardown }: Container): Promise<void> {
  await teardown;
  lease.demand(conflict(`container ${id} is being removed`));
  (await lease.take(true, () => undefined))();
}

/**
 * The record goes first, for good; then what it stood for. A crash between the two leaves folders
 * that no record names, which the next start removes: never a record without its files.
 */
async function takeApart(
  context: Context,
  container: Container,
  options: RemoveOptions,
): Promise<void> {
  const { id, record } = container;
  const destroyed = context.events.stamp(containerEvent(record, 'destroy'));
  const durability = record.ephemeral === true ? 'normal' : 'full';
  // One waits for the kernel and for clients, the other for the disk.
  await Promise.all([
    letGo(container),
    context.store.commit([forget(id), ...destroyed.statements], durability),
  ]);
  context.book.remove(container);
  const results = await Promise.allSettled([
    context.rootfs.remove(id),
    context.volumes.release(id, { removeAnonymous: options.volumes }),
    context.discardBundle(id),
  ]);
  destroyed.announce();
  await context.images.releaseLayers(layersOf(record));
  const failed = failuresOf(results);
  if (failed.length === 0) return;
  const reasons = failed.map(String).join('; ');
  throw new AggregateError(failed, `container ${id} is removed, but not all of it: ${reasons}`);
}
