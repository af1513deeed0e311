/** Execs of an earlier daemon: processes of containers beside their first ones. */
import { connectIfThere } from '../../native/shim/client.js';
import { forgetExec, listExecs } from './exec-files.js';
import type { ExecContext } from './exec-launch.js';
import { execTask } from './exec-live.js';
import { readNote } from './exec-note.js';
import type { FoundExec } from './exec-task.js';

/**
 * After a restart of the daemon: what of the execs of `live` containers still runs or has ended
 * meanwhile; every other one is ended and forgotten.
 */
export async function recoverExecs(
  { execRoot }: Pick<ExecContext, 'execRoot'>,
  live: ReadonlySet<string>,
): Promise<readonly FoundExec[]> {
  const found: FoundExec[] = [];
  for (const paths of listExecs(execRoot)) {
    const shim = await connectIfThere(paths.socket);
    if (shim === undefined) {
      forgetExec(paths);
      continue;
    }
    const [hello, exec] = await Promise.all([shim.hello(), readNote(shim)]);
    const task = execTask({ shim, pid: hello.pid, paths, leavesFiles: true });
    const hasRun = hello.started || hello.exit !== undefined;
    if (exec !== undefined && live.has(exec.containerId) && hasRun) found.push({ exec, task });
    else await task.dispose();
  }
  return found;
}
