import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { ApiError } from '../../api-spec/errors.js';
import type { Task, TaskExit } from '../runtime/task.js';
import type { Container } from './container.js';
import { containerEvent, save } from './context.js';
import type { Context } from './context.js';
import { failuresOf } from './failures.js';
import { endHealth } from './healthcheck.js';
import { noteOom, oomKills, watchOom } from './oom.js';
import type { ContainerRecord } from './record.js';
import { nextDelayMs, wantsRestart } from './restart-policy.js';
import { become, isLive } from './state.js';
import { volumeEvents } from './volume-events.js';

/** How long ports and addresses may take to be free again before the exit is told all the same. */
const maxReleaseWaitMs = 3_000;

/** Sees to it that the end of `task` is recorded, told and cleaned up after, whenever it comes. */
export function followTask(context: Context, container: Container, task: Task): void {
  context.logs.attend(container.record, task);
  watchOom(context, container, task);
  void task.exited
    .then((exit) => container.lock.run(() => recordExit(context, container, { task, exit })))
    .catch((error: unknown) => {
      context.log.error({ id: container.id, err: error }, 'an exit could not be recorded');
    });
}

interface End {
  readonly task: Task;
  readonly exit: TaskExit;
}

async function recordExit(context: Context, container: Container, end: End): Promise<void> {
  if (container.task !== end.task || !isLive(container.record.state)) return;
  // The order of these calls is that of their events, as in Docker: the network's end is told
  // before the container's. None is waited for to be written: should the daemon go before it is,
  // the next one reads the exit file.
  if (end.exit.oomKilled && oomKills(container.record.state) === 0) noteOom(context, container, 1);
  const givenBack = giveBack(context, container, end.task);
  const { again, recorded } = recordEnd(context, container, end.exit);
  recorded.catch((error: unknown) => {
    context.log.error({ id: container.id, err: error }, 'an exit could not be recorded');
  });
  await givenBack;
  const { record } = container;
  const startedAtMs = 'startedAtMs' in record.state ? record.state.startedAtMs : 0;
  // One that is never well for long waits longer each time, however long it runs.
  const wellMs = container.unwell?.wellMs ?? end.exit.finishedAtMs - startedAtMs;
  if (again) planRestart(context, container, wellMs);
  await container.outputsSent();
  container.tellExit(end.exit.exitCode);
  if (!again && record.hostConfig.AutoRemove === true) removeLater(context, container);
}

/** The end of a live container, as its record has it already. */
export interface RecordedEnd {
  /** Its policy wants it to run again. */
  readonly again: boolean;
  /** The record has been written, with its events. */
  readonly recorded: Promise<void>;
}

/** Writes the end of a live container down, with its events. */
export function recordEnd(context: Context, container: Container, exit: TaskExit): RecordedEnd {
  const { record } = container;
  if (!isLive(record.state)) return { again: false, recorded: Promise.resolve() };
  endHealth(context, container);
  const { startedAtMs } = record.state;
  const isUnwell = container.unwell !== undefined && !container.exitIsWanted;
  const again = isUnwell || wantsRestart(record.hostConfig.RestartPolicy, {
    exitCode: exit.exitCode,
    ranMs: exit.finishedAtMs - startedAtMs,
    stoppedByUser: container.exitIsWanted,
    restartCount: record.restartCount,
  });
  const events = endEvents(record, exit, startedAtMs);
  return { again, recorded: save(context, container, ended(record, exit, again), {
    durability: 'soon', events,
  }) };
}

/** Frees names in the kernel now, and what nobody waits for afterwards. */
async function giveBack(context: Context, container: Container, task: Task): Promise<void> {
  const { sandbox } = container;
  const released = sandbox === undefined ? Promise.resolve() : context.networks.release(sandbox.id);
  container.task = undefined;
  container.sandbox = undefined;
  // Who waits for the exit hears of it before groups and sockets are removed.
  const disposed = nextTurn().then(() => task.dispose());
  const rest = Promise.allSettled([released, disposed]);
  container.teardown = rest.then((results) => {
    const failed = failuresOf(results);
    if (failed.length > 0)
      context.log.error({ id: container.id, failed }, 'teardown left something');
  });
  await Promise.race([
    released.catch(() => undefined),
    delay(maxReleaseWaitMs, undefined, { ref: false }),
  ]);
}

function ended(record: ContainerRecord, exit: TaskExit, again: boolean): ContainerRecord {
  const { state } = record;
  const startedAtMs = 'startedAtMs' in state ? state.startedAtMs : exit.finishedAtMs;
  const { exitCode, finishedAtMs } = exit;
  // Once said of a run it stays so, whoever it was that was killed.
  const oomKilled = exit.oomKilled || oomKills(state) > 0;
  if (again) {
    const restarting = { startedAtMs, finishedAtMs, exitCode, oomKilled };
    return {
      ...record,
      restartCount: record.restartCount + 1,
      state: become(state, { status: 'restarting', ...restarting }),
    };
  }
  return {
    ...record,
    state: become(state, {
      status: 'exited',
      startedAtMs,
      finishedAtMs,
      exitCode,
      oomKilled,
      error: exit.error ?? '',
    }),
  };
}

function endEvents(record: ContainerRecord, exit: TaskExit, startedAtMs: number) {
  const seconds = Math.max(0, Math.floor((exit.finishedAtMs - startedAtMs) / 1000));
  const die = containerEvent(record, 'die', {
    exitCode: String(exit.exitCode),
    execDuration: String(seconds),
  });
  return [...volumeEvents(record, 'unmount'), die];
}

function planRestart(context: Context, container: Container, ranMs: number): void {
  container.lastDelayMs = nextDelayMs(container.lastDelayMs, ranMs);
  container.plannedStart = setTimeout(() => {
    container.plannedStart = undefined;
    void container.lock
      .run(async () => {
        if (container.record.state.status === 'restarting') {
          await context.afterExit.relaunch(container);
        }
      })
      .catch((error: unknown) => {
        context.log.warn({ id: container.id, err: error }, 'a restart by policy failed');
      });
  }, container.lastDelayMs);
}

function removeLater(context: Context, container: Container): void {
  context.afterExit.remove(container).catch((error: unknown) => {
    // Who ended it by force removes it too.
    if (error instanceof ApiError && container.record.state.status === 'removing') return;
    context.log.error({ id: container.id, err: error }, 'removal after exit failed');
  });
}
