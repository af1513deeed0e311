import { setTimeout as sleep } from 'node:timers/promises';
import { ErrnoError } from '../../native/errno-error.js';
import { abandonGate } from '../../native/index.js';
import { runPoststop } from './hooks.js';
import { OciError } from './oci-error.js';
import {
  findRecord, forget, groupOf, isAlive, readRecord, socketOf, statusOf, withLock,
  type ContainerRecord,
} from './store.js';

/** Which container goes, and whether by force. */
export interface DeleteRequest {
  readonly root: string;
  readonly id: string;
  /** Kills what still lives; no such container is fine. */
  readonly force: boolean;
  /** Told of hooks that fail: the deletion goes on. */
  readonly warn: (message: string) => void;
}

const END_TIMEOUT_MS = 10_000;

/** Throws `OciError` when it has not stopped, and changes nothing then, unless forced. */
export async function deleteContainer(request: DeleteRequest): Promise<void> {
  const { root, id, force } = request;
  if (force && findRecord(root, id) === undefined) {
    forget(root, id);
    return;
  }
  await withLock(root, id, async () => {
    const record = readRecord(root, id);
    const status = await statusOf(root, record);
    if (status !== 'stopped' && !force) {
      throw new OciError(`cannot delete container ${id} that is not stopped: ${status}`);
    }
    if (status === 'created') await abandon(socketOf(root, id));
    await remove(request, record);
  });
}

async function abandon(socket: string): Promise<void> {
  try {
    await abandonGate(socket);
  } catch (error) {
    // It has been opened, or has gone, meanwhile: what is in the group is killed all the same.
    if (!(error instanceof ErrnoError)) throw error;
  }
}

/** The group, the process, the folder, the hooks; for a process that may still live. */
export async function remove(
  { root, id, warn }: Omit<DeleteRequest, 'force'>,
  record: ContainerRecord,
): Promise<void> {
  const cgroup = groupOf(record);
  await cgroup.kill();
  const untilMs = Date.now() + END_TIMEOUT_MS;
  while (isAlive(record)) {
    if (Date.now() > untilMs) throw new OciError(`the process of ${id} does not end`);
    await sleep(5);
  }
  await cgroup.remove();
  forget(root, id);
  await runPoststop(record, warn);
}
