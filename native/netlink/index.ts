/**
 * The kernel's network, asked for in batches: a worker thread carries them out one after the other,
 * for a single call may be stalled by the kernel for 78 ms when many namespaces die.
 */
import { Worker } from 'node:worker_threads';
import { ErrnoError } from '../errno-error.js';
import type { Answer, Step, StepFailure, WorkerReply, WorkerRequest } from './steps.js';

export type { Answer, OpenedSocket, Step } from './steps.js';
export type { Link, LinkAddress, Neighbour, Route } from './rtnetlink.js';
export { addressBytes, addressText } from './ip-address.js';
export { openInetSocket } from './inet-socket.js';

/** How many batches may wait for the worker before new ones are refused (EBUSY). */
const maxPending = 10_000;

/** The worker, as its users see it. It works in the namespace of the process. */
export interface Netlink {
  /**
   * Carries out a batch in order, in one round trip, and resolves with an answer for each step.
   * Rejects with the `ErrnoError` of the first that failed; what came before it stays done.
   */
  run<const Steps extends readonly Step[]>(
    steps: Steps,
  ): Promise<{ readonly [I in keyof Steps]: Answer<Steps[I]> }>;
  /** Lets what was asked finish, then ends the thread. */
  close(): Promise<void>;
}

interface Pending {
  readonly resolve: (answers: readonly unknown[]) => void;
  readonly reject: (error: Error) => void;
}

/** Starts the worker; it keeps the process alive only while a batch is under way. */
export function openNetlink(): Netlink {
  const worker = new Worker(new URL('./worker.js', import.meta.url));
  worker.unref();
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let idle: (() => void) | undefined;
  const failAll = (error: Error): void => {
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
    idle?.();
  };
  worker.on('message', (reply: WorkerReply) => {
    const waiting = pending.get(reply.id);
    pending.delete(reply.id);
    if (pending.size === 0) {
      worker.unref();
      idle?.();
    }
    if ('failure' in reply) waiting?.reject(stepError(reply.failure));
    else waiting?.resolve(reply.answers);
  });
  worker.on('error', failAll);
  worker.on('exit', () => failAll(new ErrnoError('netlink', 'ESHUTDOWN', 'worker ended')));
  const ask = (steps: readonly Step[]): Promise<readonly unknown[]> =>
    new Promise((resolve, reject) => {
      if (pending.size >= maxPending) {
        reject(new ErrnoError('netlink', 'EBUSY', `${maxPending} batches wait`));
        return;
      }
      const request: WorkerRequest = { id: ++lastId, steps };
      pending.set(request.id, { resolve, reject });
      worker.ref();
      worker.postMessage(request);
    });
  return {
    // The worker answers each step with the type that `Answers` declares for it.
    run: ask as Netlink['run'],
    close: async () => {
      if (pending.size > 0) await new Promise<void>((resolve) => (idle = resolve));
      await worker.terminate();
    },
  };
}

/** An `ErrnoError` again, on this side. */
function stepError(failure: StepFailure): ErrnoError {
  return new ErrnoError(failure.syscall, failure.code, failure.about);
}
