import { openGate } from '../../native/index.js';
import { runHooks } from './hooks.js';
import { launchWords } from './launch-words.js';
import { OciError } from './oci-error.js';
import { stateDocument } from './state.js';
import { readRecord, socketOf, statusOf, withLock, type ContainerRecord } from './store.js';

/**
 * Opens the gate of a created container. Throws `OciError` when it is not created (and changes
 * nothing), or when its program cannot be executed (then it is stopped).
 */
export async function start(root: string, id: string): Promise<void> {
  await withLock(root, id, async () => {
    const record = readRecord(root, id);
    const status = await statusOf(root, record);
    if (status !== 'created') throw new OciError(`cannot start a container that is ${status}`);
    try {
      await openGate(socketOf(root, id), record.command);
    } catch (error) {
      throw launchWords(error);
    }
    await afterStart(record);
  });
}

/** The hooks that follow a start. */
export function afterStart(record: ContainerRecord): Promise<void> {
  return runHooks('poststart', record.hooks.poststart, stateDocument(record, 'running'));
}
