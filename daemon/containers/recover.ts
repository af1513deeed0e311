import { ErrnoError } from '../../native/errno-error.js';
import type { Task, TaskExit } from '../runtime/task.js';
import type { Container } from './container.js';
import { loadContainers, save } from './context.js';
import type { Context } from './context.js';
import { recoverExecs } from './exec-recover.js';
import { followTask, recordEnd } from './exit.js';
import { watchHealth } from './healthcheck.js';
import { launch } from './launch.js';
import { noteOom, oomKills } from './oom.js';
import type { ContainerRecord } from './record.js';
import { wantsStartWithDaemon } from './restart-policy.js';
import { become, isLive } from './state.js';

/** Exit code of a process of which nothing is known any more, as Docker has it. */
const unknownExitCode = 255;

/** What was found at the start of the daemon, for its log. */
export interface Recovery {
  readonly containers: number;
  readonly adopted: number;
  readonly ended: number;
  readonly swept: readonly string[];
}

/**
 * Takes up where the last daemon was, however it ended: live containers are adopted, ends that
 * nobody saw are recorded, and what belongs to no record is ended. Restart
 * policies go on in the background.
 */
export async function recover(context: Context): Promise<Recovery> {
  const found = loadContainers(context.store);
  for (const container of found) context.book.add(container);
  const unfinished = found.filter(({ record }) =>
    ['removing', 'dead'].includes(record.state.status),
  );
  const kept = found.filter((container) => !unfinished.includes(container));
  const wasLive = new Set(kept.filter(({ record }) => isLive(record.state)));

  await Promise.all(kept.map((container) => reattach(context, container)));
  await readopt(context, kept);
  await recoverExecs(context, kept);
  const swept = await context.runtime.sweep(
    new Set(found.filter(({ task }) => task !== undefined).map(({ id }) => id)),
  );
  for (const container of found) resume(context, container);
  const adopted = found.filter(({ task }) => task !== undefined).length;
  return {
    containers: found.length,
    adopted,
    ended: found.filter((container) => wasLive.has(container) && container.task === undefined)
      .length,
    swept,
  };
}

/** Compares what the record says with what is there. */
async function reattach(context: Context, container: Container): Promise<void> {
  const { record } = container;
  const found = await context.runtime.adopt(record);
  if (found !== undefined && 'task' in found) {
    container.task = found.task;
    if (!isLive(record.state)) {
      await save(context, container, ranUnseen(record, found.task.pid, Date.now()));
    }
    container.exitIsWanted = container.record.stoppedByUser;
    return;
  }
  if (isLive(record.state)) await endUnseen(context, container, found?.exit ?? lostExit());
  else if (found !== undefined && endedUnseen(record, found.exit)) {
    // The daemon went between the gate and the record: it did run.
    await save(context, container, ranUnseen(record, 0, found.exit.finishedAtMs));
    await endUnseen(context, container, found.exit);
  }
}

async function endUnseen(context: Context, container: Container, exit: TaskExit): Promise<void> {
  if (exit.oomKilled && oomKills(container.record.state) === 0) noteOom(context, container, 1);
  // A stop that was under way is one.
  container.exitIsWanted = container.record.stoppedByUser;
  await recordEnd(context, container, exit).recorded;
}

/** The record as it would be had the last daemon come so far. */
function ranUnseen(record: ContainerRecord, pid: number, startedAtMs: number): ContainerRecord {
  const state = become(record.state, { status: 'running', pid, startedAtMs });
  return { ...record, stoppedByUser: false, state };
}

function endedUnseen({ state }: ContainerRecord, exit: TaskExit): boolean {
  const lastKnownMs = 'finishedAtMs' in state ? state.finishedAtMs : 0;
  return exit.finishedAtMs > lastKnownMs;
}

function lostExit(): TaskExit {
  return {
    exitCode: unknownExitCode,
    oomKilled: false,
    finishedAtMs: Date.now(),
    error: 'the process and its shim were gone when the daemon came back',
  };
}

/** Networks of the live ones; then their ends are followed again. */
async function readopt(context: Context, kept: readonly Container[]): Promise<void> {
  const live = kept.flatMap((container) => {
    const { task, record } = container;
    return task === undefined ? [] : [{ container, task, record, pid: task.pid }];
  });
  const sandboxes = await context.networks.recover(
    live.map(({ record, pid, task }) => ({ record, pid, ports: task.ports })),
  );
  for (const { container, task } of live) {
    container.sandbox = sandboxes.get(container.id);
    followTask(context, container, task);
    watchHealth(context, container);
  }
  // A daemon that died while they were changed may not have told the shim.
  await Promise.all(live.map(({ container, task }) => retellLog(context, container, task)));
}

async function retellLog(context: Context, { record }: Container, task: Task): Promise<void> {
  try {
    await context.logs.update(record, task);
  } catch (error) {
    const isOld = error instanceof ErrnoError && error.code === 'ENOSYS';
    if (!isOld) context.log.warn({ id: record.id, err: error }, 'its log keeps its old bounds');
  }
}

/** What its policies want now that the daemon is back. */
function resume(context: Context, container: Container): void {
  const { record } = container;
  if (record.ephemeral === true) {
    removeInBackground(context, container);
    return;
  }
  if (container.task !== undefined || record.state.status === 'created') return;
  context.logs.attend(record, undefined);
  const { RestartPolicy: policy, AutoRemove: autoRemove } = record.hostConfig;
  const { stoppedByUser } = record;
  const again =
    record.state.status === 'restarting' ||
    wantsStartWithDaemon(policy, { stoppedByUser });
  if (again) relaunch(context, container);
  else if (autoRemove === true) removeInBackground(context, container);
}

function relaunch(context: Context, container: Container): void {
  const launched = container.lock.run(async () => {
    if (!isLive(container.record.state)) await launch(context, container);
  });
  launched.catch((error: unknown) => {
    context.log.error({ id: container.id, err: error }, 'restart failed');
  });
}

function removeInBackground(context: Context, container: Container): void {
  context.afterExit.remove(container).catch((error: unknown) => {
    context.log.error({ id: container.id, err: error }, 'removal failed');
  });
}
