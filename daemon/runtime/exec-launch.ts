/** The launch of one exec, at once or as far as can be before it is wanted. */
import { basename } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  dropShim, launch, startShim, type LaunchRequest, type StartedShim,
} from '../../native/shim/client.js';
import type { AttachLimits } from '../../native/shim/monitor-settings.js';
import { isForeign } from './context.js';
import { execFailure } from './exec-error.js';
import { execPaths, forgetExec, pathsAt, type ExecPaths } from './exec-files.js';
import { ExecLine } from './exec-line.js';
import { execTask } from './exec-live.js';
import { noteBytes } from './exec-note.js';
import { execProgram, type EncodedExec, type ExecProgramContext } from './exec-program.js';
import type { ExecRequest, ExecTask, LiveExec } from './exec-task.js';
import type { IdleShims } from './idle-shims.js';
import { takePidFd } from './pid-fd.js';
import type { AttachOptions, Task } from './task.js';

/** What all execs of a daemon share. */
export interface ExecContext extends ExecProgramContext {
  readonly attach: AttachLimits;
  readonly idleShims: IdleShims;
}

/** As for a container: how long output is read while others hold the pipes. */
const DRAIN_MS = 2000;
/** Most commands that are executed by programs are over in it. */
const OPEN_WAIT_MS = 5;

/**
 * Starts a shim for it, which makes the process once `going` has resolved (at once if undefined),
 * to the client of the request that it came with; until then nothing of it is in the container. If
 * `going` rejects, so does this. Resolves once execve has succeeded. Rejects with `ApiError` 400 in
 * the words that clients know from `docker exec`; then nothing is left.
 */
export async function launchExec(
  context: ExecContext,
  request: ExecRequest,
  going?: Promise<ExecRequest['client']>,
): Promise<LiveExec> {
  const idle = mayReuse(context, request, going) ? context.idleShims.take() : undefined;
  const paths = idle?.idle === undefined
    ? execPaths(context.execRoot, request.exec.id) : pathsAt(idle.idle.socketPath);
  const line = new ExecLine();
  try {
    const task = await launchOn(context, request, { paths, line, going, idle });
    const stream = line.takeStream();
    return { task, ...(stream === undefined ? {} : { stream }) };
  } catch (error) {
    forgetExec(paths);
    throw execFailure(error);
  } finally {
    line.close();
  }
}

/** It is passed one descriptor at most, which is the container's. */
function mayReuse(
  context: ExecContext,
  { attach, container }: ExecRequest,
  going: Promise<unknown> | undefined,
): boolean {
  return !isForeign(context, container) && (attach === undefined || going !== undefined);
}

async function launchOn(
  context: ExecContext,
  request: ExecRequest,
  { paths, line, going, idle }: {
    readonly paths: ExecPaths;
    readonly line: ExecLine;
    readonly going: Promise<ExecRequest['client']> | undefined;
    readonly idle: StartedShim | undefined;
  },
): Promise<ExecTask> {
  const { exec, attach } = request;
  const waits = going !== undefined;
  const client = attach === undefined || waits ? undefined : line.connect();
  const isOwn = !isForeign(context, request.container);
  const { started, pidFd, release } = await startExecShim(request.task, {
    name: basename(paths.socket), client, idle,
  });
  // The shim comes up meanwhile; whoever is to be answered first is.
  if (waits) await nextTurn();
  const compiled = await execProgram(context, request, { paths, waits })
    .catch(async (error: unknown) => {
      await dropShim(started);
      // Not before: a shim that is still being started would inherit another fd by this number.
      release();
      throw error;
    });
  const { shim, pid } = await launch({
    program: compiled.program,
    monitor: {
      socketPath: paths.socket, note: noteBytes(exec), stdio: compiled.stdio, leaves: true,
      log: { kind: 'none' }, attach: context.attach, drainMs: DRAIN_MS, oomFiles: [],
      killAtExit: [], keep: [],
      // Its head is out, and its output on its way, without our hearing of it.
      ...(attach?.stdin === false ? { openWaitMs: OPEN_WAIT_MS } : {}),
    },
    passFds: new Map([
      [compiled.pidFd, pidFd],
      ...(compiled.client === undefined || client === undefined
        ? [] : [[compiled.client, client] as const]),
    ]),
    ...clientOf(compiled, attach),
    opens: true,
    started,
    ...(isOwn ? { onIdle: (idle) => context.idleShims.give(idle) } : {}),
    ...(going === undefined ? {} : {
      unasked: going.then((own) =>
        attach === undefined ? undefined : { fd: line.connect(own?.()) }),
    }),
  }).finally(release);
  return execTask({ shim, pid, paths, leavesFiles: compiled.leavesFiles });
}

/** A new shim is executed while its program is compiled. `release` once it has the pidfd. */
async function startExecShim(
  task: Task,
  { name, client, idle }: {
    readonly name: string;
    readonly client: number | undefined;
    readonly idle: StartedShim | undefined;
  },
) {
  const { pidFd, release } = await takePidFd(task).catch(async (error: unknown) => {
    if (idle !== undefined) await dropShim(Promise.resolve(idle));
    throw error;
  });
  const started = idle === undefined
    ? startShim(name, client === undefined ? [pidFd] : [pidFd, client])
    : Promise.resolve(idle);
  // Its failure is `launch`'s to tell.
  started.catch(() => undefined);
  return { started, pidFd, release };
}

function clientOf(
  { client: slot }: EncodedExec,
  attach: AttachOptions | undefined,
): Pick<LaunchRequest, 'client'> {
  if (slot === undefined || attach === undefined) return {};
  return { client: { slot, ...attach } };
}
