import { OciError } from './oci-error.js';
import { groupOf, readRecord, statusOf, withLock } from './store.js';

/** Every process of it stands still. Throws `OciError` unless it is created or running. */
export async function pause(root: string, id: string): Promise<void> {
  await withLock(root, id, async () => {
    const record = readRecord(root, id);
    const status = await statusOf(root, record);
    if (status !== 'running' && status !== 'created') {
      throw new OciError(`cannot pause a container that is ${status}`);
    }
    await groupOf(record).freeze();
  });
}

/** They go on. Throws `OciError` unless it is paused. */
export async function resume(root: string, id: string): Promise<void> {
  await withLock(root, id, async () => {
    const record = readRecord(root, id);
    const status = await statusOf(root, record);
    // A created one that is paused stands at its gate all the same.
    if (status !== 'paused' && !groupOf(record).isFrozen()) {
      throw new OciError(`cannot resume a container that is ${status}`);
    }
    await groupOf(record).thaw();
  });
}
