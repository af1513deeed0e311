/** A container's files as it sees them, running or not: where a copy works. */
import { closeSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { conflict } from '../../api-spec/errors.js';
import type { ContainerRoot, DetachedMount } from '../../native/unpack/index.js';
import type { Container } from './container.js';
import type { Context } from './context.js';
import type { ResolvedMount } from './needs.js';
import { isLive } from './state.js';

/** What a copy is going to do. */
export interface ViewOptions {
  readonly writes: boolean;
  /** The client is gone. */
  readonly signal?: AbortSignal;
}

/** A start or an exit may come in between this often before a copy is refused. */
const MAX_TRIES = 5;

/**
 * Calls `work` with the root, and a signal that ends it when the client has gone or the container
 * cannot wait any longer. Reading never holds up a start; what writes holds the lease of the
 * container's folder. Throws what `work` throws; `ApiError` 409 when a start or a removal ended it.
 */
export async function withRoot<T>(
  context: Context,
  container: Container,
  options: ViewOptions,
  work: (root: ContainerRoot, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    await container.settle();
    const outcome = isLive(container.record.state)
      ? await inLiveRoot(context, container, options, work)
      : await inDetachedRoot(context, container, options, work);
    if (outcome !== 'again') return outcome.value;
  }
  throw conflict(`container ${container.id} is being started and stopped`);
}

type Outcome<T> = { readonly value: T } | 'again';
type Work<T> = (root: ContainerRoot, signal: AbortSignal) => Promise<T>;

async function inLiveRoot<T>(
  context: Context,
  container: Container,
  options: ViewOptions,
  work: Work<T>,
): Promise<Outcome<T>> {
  return withLease(container, options.writes ? 'share' : 'none', options, async (signal) => {
    const { task } = container;
    if (task === undefined || !isLive(container.record.state)) return 'again';
    const fd = await task.rootDir().catch(() => undefined); // It has ended in this moment.
    if (fd === undefined) return 'again';
    try {
      const idMaps = context.runtime.idMapsOf(container.record);
      const root = { kind: 'live', fd, ...(idMaps === undefined ? {} : { idMaps }) } as const;
      return { value: await work(root, signal) };
    } finally {
      closeSync(fd);
    }
  });
}

async function inDetachedRoot<T>(
  context: Context,
  container: Container,
  options: ViewOptions,
  work: Work<T>,
): Promise<Outcome<T>> {
  const isBind = container.record.storageDriver === 'vfs';
  const kind = options.writes || isBind ? 'own' : 'none';
  return withLease(container, kind, options, async (signal) => {
    if (isLive(container.record.state)) return 'again';
    refuseGone(container);
    await container.teardown;
    const rootfs = await context.rootfs.mount(container.record);
    const resolved = await context.volumes.resolve(container.record, rootfs);
    return {
      value: await work(
        {
          kind: 'detached',
          rootfs: rootfs.kind === 'bind' ? rootfs : { ...rootfs, volatile: false },
          mounts: [...networkFiles(context, container, resolved), ...resolved.flatMap(restingOf)],
          writable: options.writes,
          readonlyRoot: options.writes && container.record.hostConfig.ReadonlyRootfs === true,
        },
        signal,
      ),
    };
  });
}

function refuseGone({ record }: Container): void {
  const { status } = record.state;
  if (status === 'removing' || status === 'dead') {
    throw conflict(`container ${record.id} is marked for removal`);
  }
}

async function withLease<T>(
  container: Container,
  kind: 'none' | 'share' | 'own',
  { signal: gone }: ViewOptions,
  work: (signal: AbortSignal) => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  const stop = new AbortController();
  const signal = gone === undefined ? stop.signal : AbortSignal.any([gone, stop.signal]);
  if (kind === 'none') return work(signal);
  const release = await container.lease.take(kind === 'own', (reason) => stop.abort(reason));
  try {
    signal.throwIfAborted();
    return await work(signal);
  } finally {
    release();
  }
}

/** What is in memory only is not there while the container rests. */
function restingOf(mount: ResolvedMount): readonly DetachedMount[] {
  return mount.type === 'tmpfs' ? [] : [mount];
}

/** Those of the last run, as Docker shows them; none before the first. */
function networkFiles(
  context: Context,
  { record }: Container,
  others: readonly ResolvedMount[],
): readonly DetachedMount[] {
  const bundle = context.bundlePath(record.id);
  return ['hostname', 'hosts', 'resolv.conf'].flatMap((name) => {
    const [source, destination] = [join(bundle, name), `/etc/${name}`];
    const isCovered = others.some((mount) => mount.destination === destination);
    if (isCovered || !existsSync(source)) return [];
    const readonly = record.hostConfig.ReadonlyRootfs === true;
    return [{ source, destination, readonly, recursiveReadonly: false, recursive: false }];
  });
}
