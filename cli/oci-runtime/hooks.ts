import * as fs from 'node:fs';
import { runHooks as run, statePaths } from '../../daemon/runtime/hooks.js';
import type { OciHook } from '../../daemon/runtime/oci.js';
import { OciError } from './oci-error.js';
import { stateDocument } from './state.js';
import type { ContainerRecord, Status } from './store.js';

/** Before the process goes on to the hooks that are inside; `pid` is its own. */
export function writeStates(folder: string, record: ContainerRecord, pid: number): void {
  const paths = statePaths(folder);
  const write = (path: string, status: Status): void =>
    fs.writeFileSync(path, JSON.stringify({ ...stateDocument(record, status), pid }), {
      mode: 0o600,
    });
  if (record.hooks.createContainer.length > 0) write(paths.createContainer, 'creating');
  if (record.hooks.startContainer.length > 0) write(paths.startContainer, 'created');
}

/** All of those after the end, whatever becomes of one; each that fails is told of. */
export async function runPoststop(
  record: ContainerRecord,
  warn: (message: string) => void,
): Promise<void> {
  await run('poststop', record.hooks.poststop, stateDocument(record, 'stopped'), {
    onFailure: (error) => warn(error instanceof Error ? error.message : String(error)),
  });
}

/** As the engine runs them (`daemon/runtime/hooks.ts`); rejects with `OciError`. */
export async function runHooks(
  name: string,
  hooks: readonly OciHook[],
  state: object,
): Promise<void> {
  await run(name, hooks, state).catch((error: unknown) => {
    throw new OciError(error instanceof Error ? error.message : String(error), error);
  });
}
