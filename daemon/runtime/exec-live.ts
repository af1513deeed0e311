/** An exec that runs, under its shim. */
import type { Shim } from '../../native/shim/client.js';
import { endShim, toTaskExit } from './container-task.js';
import { forgetExec, type ExecPaths } from './exec-files.js';
import type { ExecTask } from './exec-task.js';
import type { TaskExit } from './task.js';

/** What it is made of. */
export interface ExecParts {
  readonly shim: Shim;
  readonly pid: number;
  readonly paths: ExecPaths;
  /** Whether there are files that the shim does not remove itself. */
  readonly leavesFiles: boolean;
}

/** Code of a process whose shim was killed. */
const UNKNOWN_EXIT = 255;

/** The task over its shim. */
export function execTask({ shim, pid, paths, leavesFiles }: ExecParts): ExecTask {
  let hasEnded = false;
  let isLost = false;
  const exited = shim.exited.then((exit): TaskExit => {
    hasEnded = true;
    if (!exit.lost) return toTaskExit(exit);
    isLost = true;
    return {
      exitCode: UNKNOWN_EXIT, oomKilled: false, finishedAtMs: Date.now(),
      error: 'the shim was killed: the exit code is not known',
    };
  });
  let disposal: Promise<void> | undefined;
  const dispose = async (): Promise<void> => {
    try {
      await endShim(shim, hasEnded);
    } finally {
      if (leavesFiles || isLost) forgetExec(paths);
    }
  };
  return {
    pid,
    signal: (signal) => shim.signal(signal),
    resize: (rows, columns) => shim.resize(rows, columns),
    exited,
    dispose: () => (disposal ??= dispose()),
  };
}
