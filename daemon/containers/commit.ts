/** `docker commit`: a container's changes become a layer on top of its image's. */
import { conflict, invalidParameter } from '../../api-spec/errors.js';
import type { ContainerConfig } from '../../api-spec/index.js';
import type { Container } from './container.js';
import { containerEvent, tell } from './context.js';
import type { Context } from './context.js';
import { ownPaths } from './differences.js';
import { mergeImageConfig } from './merge-image.js';
import { pauseContainer, unpauseContainer } from './pause.js';

/** As in `POST /commit`. */
export interface CommitRequest {
  readonly container: string;
  readonly repo: string;
  readonly tag: string;
  readonly comment: string;
  readonly author: string;
  /** Freezes a running container meanwhile. */
  readonly pause: boolean;
  /** Dockerfile instructions. */
  readonly changes: readonly string[];
  /** What the image says where it says something; else it says what the container does. */
  readonly config: ContainerConfig;
}

/** The new image's id; durable when it returns. `ApiError` as `docker commit` tells them. */
export async function commitContainer(
  context: Context,
  request: CommitRequest,
): Promise<{ readonly Id: string }> {
  if (request.container === '') throw invalidParameter('invalid name or ID supplied: ""');
  const container = context.book.resolve(request.container);
  refuse(container);
  const { record } = container;
  context.images.checkTarget(request.repo, request.tag);
  // Refused before anything is frozen.
  const said = Object.keys(request.config).length === 0 ? record.config : request.config;
  const changed = context.images.changed(said, request.changes);
  const config = withoutEmpty(mergeImageConfig(changed, record.config));
  const { repo, tag, comment, author } = request;
  const id = await frozen(context, container, request.pause, async () => {
    const made = await context.images.commit({
      containerId: record.id,
      parentId: record.imageId,
      layers: record.layers,
      ours: ownPaths,
      config,
      containerConfig: record.config,
      ...{ repo, tag, comment, author },
    });
    const told = { comment, imageID: made.id, imageRef: made.name };
    await tell(context, containerEvent(record, 'commit', told));
    return made.id;
  });
  return { Id: id };
}

function refuse({ record }: Container): void {
  const { status } = record.state;
  if (status === 'dead') throw conflict(`You cannot commit container ${record.id} which is Dead`);
  if (status === 'removing') {
    throw conflict(`You cannot commit container ${record.id} which is being removed`);
  }
}

/** One that runs is frozen for the time, if it can be, so that its files belong together. */
async function frozen<T>(
  context: Context,
  container: Container,
  pause: boolean,
  work: () => Promise<T>,
): Promise<T> {
  await container.settle();
  const isFrozen = pause && statusOf(container) === 'running' && container.task?.canPause === true;
  if (!isFrozen) return work();
  await pauseContainer(context, container);
  try {
    return await work();
  } finally {
    // Somebody else may have let it go on, or ended it.
    if (statusOf(container) === 'paused') await unpauseContainer(context, container);
  }
}

function statusOf({ record }: Container): string {
  return record.state.status;
}

/** An image says nothing where it has nothing to say. */
function withoutEmpty(config: ContainerConfig): ContainerConfig {
  const says = (value: unknown): boolean =>
    value !== undefined &&
    value !== null &&
    value !== '' &&
    value !== false &&
    !(typeof value === 'object' && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(config).filter(([, value]) => says(value)));
}
