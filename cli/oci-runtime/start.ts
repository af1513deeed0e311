import { errnoName, LaunchError, openGate } from '../../native/index.js';
import { runHooks } from './hooks.js';
import { launchWords } from './launch-words.js';
import { OciError } from './oci-error.js';
import { stateDocument } from './state.js';
import {
  groupOf, readRecord, socketOf, statusOf, withLock, type ContainerRecord,
} from './store.js';

/**
 * Opens the gate of a created container. Throws `OciError` when it is not created (and changes
 * nothing), or when its program cannot be executed (then it is stopped).
 */
export async function start(root: string, id: string): Promise<void> {
  await withLock(root, id, async () => {
    const record = readRecord(root, id);
    const status = await statusOf(root, record);
    if (status !== 'created') throw new OciError(`cannot start a container that is ${status}`);
    if (record.command === '') throw new OciError('config.json: $.process is missing: no start');
    try {
      await openGate(socketOf(root, id), record.command);
    } catch (error) {
      throw launchWords(error);
    }
    await afterStart(record);
  });
}

/**
 * Throws what a start throws whose gate the program without Node (`native/oci-door/`) opened:
 * execve failed with this errno.
 */
export function failedStart(root: string, id: string, errno: string): never {
  const { command } = readRecord(root, id);
  throw launchWords(new LaunchError('init', errnoName(Number(errno)), command));
}

/** The hooks that follow a start; one that fails ends the container, and is thrown. */
export async function afterStart(record: ContainerRecord): Promise<void> {
  try {
    await runHooks('poststart', record.hooks.poststart, stateDocument(record, 'running'));
  } catch (error) {
    await groupOf(record).kill();
    throw error;
  }
}
