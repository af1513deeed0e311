/** The launch of one exec, at once or as far as can be before it is wanted. */
import { Socket } from 'node:net';
import { basename } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { dropShim, launch, startShim, type LaunchRequest } from '../../native/shim/client.js';
import type { AttachLimits } from '../../native/shim/monitor-settings.js';
import { closeFds, socketPair } from '../../native/spawn.js';
import { GO } from './compile/exec.js';
import { execFailure } from './exec-error.js';
import { execPaths, forgetExec } from './exec-files.js';
import { execTask } from './exec-live.js';
import { noteBytes } from './exec-note.js';
import { execProgram, type EncodedExec, type ExecProgramContext } from './exec-program.js';
import type { ExecRequest, LiveExec } from './exec-task.js';
import { takePidFd } from './pid-fd.js';
import type { AttachOptions } from './task.js';

/** What all execs of a daemon share. */
export interface ExecContext extends ExecProgramContext {
  readonly attach: AttachLimits;
}

/** As for a container: how long output is read while others hold the pipes. */
const DRAIN_MS = 2000;

/**
 * Starts a shim for it, which makes the process once `going` has resolved (at once if undefined);
 * until then nothing of it is in the container. If `going` rejects, so does this. Resolves once
 * execve has succeeded. Rejects with `ApiError` 400 in the words that clients know from `docker
 * exec`; then nothing is left.
 */
export async function launchExec(
  context: ExecContext,
  request: ExecRequest,
  going?: Promise<void>,
): Promise<LiveExec> {
  const { exec, attach } = request;
  const paths = execPaths(context.execRoot, exec.id);
  const { started, pidFd, ours, theirs } = await startExecShim(request, basename(paths.socket));
  // The shim comes up meanwhile; whoever is to be answered first is.
  if (going !== undefined) await nextTurn();
  try {
    const compiled = await execProgram(context, request, { paths, waits: going !== undefined })
      .catch(async (error: unknown) => {
        await dropShim(started);
        throw error;
      });
    const { shim, pid } = await launch({
      program: compiled.program,
      monitor: {
        socketPath: paths.socket, note: noteBytes(exec), stdio: compiled.stdio, leaves: true,
        log: { kind: 'none' }, attach: context.attach, drainMs: DRAIN_MS, oomFiles: [],
        killAtExit: [], keep: [],
      },
      passFds: new Map([
        [compiled.pidFd, pidFd],
        ...(compiled.client === undefined ? [] : [[compiled.client, theirs] as const]),
      ]),
      ...clientOf(compiled, attach),
      opens: true,
      started,
      onYield: async (token) => {
        if (token === GO) await going;
        return undefined;
      },
    });
    return {
      task: execTask({ shim, pid, paths, leavesFiles: compiled.leavesFiles }),
      ...(ours < 0 ? {} : { stream: new Socket({ fd: ours, allowHalfOpen: true }) }),
    };
  } catch (error) {
    closeFds([ours]);
    forgetExec(paths);
    throw execFailure(error);
  }
}

/** The shim is executed while its program is compiled; `ours` is the caller's, or -1. */
async function startExecShim({ task, attach }: ExecRequest, name: string) {
  const { pidFd, release } = await takePidFd(task);
  const [ours = -1, theirs = -1] = attach === undefined ? [] : socketPair();
  const started = startShim(name, theirs < 0 ? [pidFd] : [pidFd, theirs]);
  const end = (): void => {
    closeFds([theirs]);
    release();
  };
  // Its failure is `launch`'s to tell.
  started.then(end, end);
  return { started, pidFd, ours, theirs };
}

function clientOf(
  { client: slot }: EncodedExec,
  attach: AttachOptions | undefined,
): Pick<LaunchRequest, 'client'> {
  if (slot === undefined || attach === undefined) return {};
  return { client: { slot, ...attach } };
}
