/** A pidfd of a container's first process, asked of its shim once and shared by its execs. */
import { closeSync } from 'node:fs';
import type { Task } from './task.js';

interface Shared {
  readonly fd: Promise<number>;
  users: number;
  hasEnded: boolean;
}

const known = new WeakMap<Task, Shared>();

/**
 * The fd stays open until `release`, which each who takes it calls once: after a close its number
 * could be another container's. Rejects with `ErrnoError` when the process has ended.
 */
export async function takePidFd(
  task: Task,
): Promise<{ readonly pidFd: number; readonly release: () => void }> {
  const shared = known.get(task) ?? share(task);
  shared.users += 1;
  const pidFd = await shared.fd;
  return {
    pidFd,
    release: () => {
      shared.users -= 1;
      closeIfUnused(shared, pidFd);
    },
  };
}

function share(task: Task): Shared {
  const shared: Shared = { fd: task.pidFd(), users: 0, hasEnded: false };
  known.set(task, shared);
  const end = async (): Promise<void> => {
    const fd = await shared.fd;
    await task.exited;
    known.delete(task);
    shared.hasEnded = true;
    closeIfUnused(shared, fd);
  };
  // Who takes it is told of the failure; the next one asks again.
  end().catch(() => known.delete(task));
  return shared;
}

function closeIfUnused({ users, hasEnded }: Shared, fd: number): void {
  if (hasEnded && users === 0) closeSync(fd);
}
