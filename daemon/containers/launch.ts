import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiError, conflict } from '../../api-spec/errors.js';
import type { BegunGroup } from '../runtime/begun-group.js';
import type { Task } from '../runtime/task.js';
import { dropPending, joinPending } from './attach.js';
import type { Container } from './container.js';
import { containerEvent, save } from './context.js';
import type { Context } from './context.js';
import { followTask } from './exit.js';
import { beginHealth } from './healthcheck.js';
import type { ContainerImage, Sandbox, TaskRequest } from './needs.js';
import type { ContainerRecord } from './record.js';
import { become, isLive } from './state.js';
import { volumeEvents } from './volume-events.js';

/** How long the last run may take to be given back before a new start goes on all the same. */
const maxTeardownWaitMs = 10_000;
/** How long a copy into the container may go on before a start ends it. */
const maxCopyWaitMs = 10_000;
/** How long everything up to the process's first instruction may take. */
const maxLaunchMs = 60_000;

/** What a process that could not be started shows as its exit code, by what is said of it. */
const failureCodes: readonly (readonly [RegExp, number])[] = [
  [/permission denied|is a directory|exec format error/i, 126],
  [/executable file not found|no such file or directory|not a directory/i, 127],
];

/**
 * Makes a container run; its lock is held. A launch that fails gives everything back, leaves the
 * reason in the record, and throws it (`ApiError`).
 */
export async function launch(context: Context, container: Container): Promise<void> {
  await Promise.race([container.teardown, delay(maxTeardownWaitMs, undefined, { ref: false })]);
  const release = await takeLease(container);
  // Whoever finds this run must not take it for the last one.
  context.store.flush();
  try {
    await run(context, container);
  } catch (error) {
    dropPending(container);
    await recordFailure(context, container, error);
    throw error;
  } finally {
    release();
  }
}

/** As `launch`, because somebody asked for it: restarts by policy are counted from here. */
export async function launchAnew(context: Context, container: Container): Promise<void> {
  container.lastDelayMs = 0;
  container.record = { ...container.record, restartCount: 0 };
  await launch(context, container);
}

/** Its folder is mounted once only: who copies into it may finish, but not for ever. */
async function takeLease({ id, lease }: Container): Promise<() => void> {
  const late = (): void => lease.demand(conflict(`container ${id} is being started`));
  const timer = setTimeout(late, maxCopyWaitMs);
  try {
    return await lease.take(true, () => undefined);
  } finally {
    clearTimeout(timer);
  }
}

async function run(context: Context, container: Container): Promise<void> {
  // A thread is at it while the rest is worked out.
  const group = context.runtime.begin(container.record);
  try {
    await runIn(context, container, group);
  } catch (error) {
    await group.drop();
    throw error;
  }
}

async function runIn(
  context: Context,
  container: Container,
  group: BegunGroup,
): Promise<void> {
  const { record } = container;
  const rootfs = await context.rootfs.mount(record);
  const mounts = await context.volumes.resolve(record, rootfs);
  const targets = joinTargets(context, record);
  const sandbox = await context.networks.allocate(record, targets.network);
  try {
    const task = await context.runtime.create({
      record,
      image: imageOf(context, record),
      rootfs,
      mounts,
      sandbox,
      joinPids: targets.pids,
      hiddenEnv: container.hiddenEnv,
      onCreated: (pid) => context.networks.connect(sandbox, pid),
      runsAtOnce: container.pendingAttaches.size === 0,
      signal: AbortSignal.timeout(maxLaunchMs),
    } satisfies TaskRequest, group);
    await open(context, container, { task, sandbox });
  } catch (error) {
    container.task = undefined;
    container.sandbox = undefined;
    await context.networks.release(sandbox.id);
    throw error;
  }
}

/** Clients join, the gate opens, and the record says so. */
async function open(
  context: Context,
  container: Container,
  { task, sandbox }: { readonly task: Task; readonly sandbox: Sandbox },
): Promise<void> {
  const { record } = container;
  try {
    await joinPending(container, task);
    await task.start();
  } catch (error) {
    await task.dispose();
    throw error;
  }
  container.task = task;
  container.sandbox = sandbox;
  container.exitIsWanted = false;
  container.unwell = undefined;
  // Those who came while the gate was being opened.
  await joinPending(container, task);
  const started: ContainerRecord = {
    ...record,
    stoppedByUser: false,
    state: become(record.state, { status: 'running', pid: task.pid, startedAtMs: Date.now() }),
  };
  followTask(context, container, task);
  // Not waited for: should the daemon go before it is written, the shim tells the next one.
  const events = [...volumeEvents(record, 'mount'), containerEvent(record, 'start')];
  save(context, container, started, { events }).catch((error: unknown) => {
    context.log.error({ id: container.id, err: error }, 'a start could not be recorded');
  });
  beginHealth(context, container);
}

/** The image of a record; of one that was removed by force only what the record itself kept. */
function imageOf({ images }: Context, record: ContainerRecord): ContainerImage {
  const gone = {
    id: record.imageId,
    config: {},
    layers: record.layers,
    os: 'linux',
    architecture: process.arch,
  };
  return images.byId(record.imageId) ?? gone;
}

/**
 * The live processes whose namespaces `container:` modes join; `ApiError` 409 when one is not
 * live.
 */
function joinTargets(context: Context, { hostConfig }: ContainerRecord) {
  const target = (mode: string | undefined, what: string): Container | undefined => {
    if (mode?.startsWith('container:') !== true) return undefined;
    const found = context.book.resolve(mode.slice('container:'.length));
    if (isLive(found.record.state)) return found;
    throw conflict(`cannot join ${what} of a non running container: ${found.id}`);
  };
  const network = target(hostConfig.NetworkMode, 'network');
  const others = [target(hostConfig.PidMode, 'PID'), target(hostConfig.IpcMode, 'IPC'), network];
  const pids = others.flatMap((other) => {
    const state = other?.record.state;
    return other === undefined || state === undefined || !isLive(state)
      ? []
      : [[other.id, state.pid] as const];
  });
  const joined =
    network?.sandbox === undefined || network.task === undefined
      ? undefined
      : { pid: network.task.pid, sandbox: network.sandbox };
  return { network: joined, pids: Object.fromEntries(pids) };
}

async function recordFailure(
  context: Context,
  container: Container,
  error: unknown,
): Promise<void> {
  const { record } = container;
  const message = error instanceof Error ? error.message : String(error);
  const isProcess = message.startsWith('failed to create task');
  const exitCode =
    (isProcess && failureCodes.find(([pattern]) => pattern.test(message))?.[1]) || 128;
  if (!(error instanceof ApiError))
    context.log.error({ id: container.id, err: error }, 'start failed');
  const { state } = record;
  const failed =
    state.status === 'created'
      ? { status: 'created' as const, failure: { exitCode, error: message } }
      : {
          status: 'exited' as const,
          startedAtMs: 'startedAtMs' in state ? state.startedAtMs : 0,
          finishedAtMs: 'finishedAtMs' in state ? state.finishedAtMs : Date.now(),
          exitCode,
          oomKilled: false,
          error: message,
        };
  await save(context, container, { ...record, state: become(state, failed) });
  await rm(`${context.bundlePath(container.id)}/exit`, { force: true });
}
