/**
 * The kernel's network, asked for in batches: a worker thread carries them out one after the other,
 * for a single call may be stalled by the kernel for 78 ms when many namespaces die.
 */
import { Worker } from 'node:worker_threads';
import { ErrnoError } from '../errno-error.js';
import type { Answer, Step, StepFailure, WorkerReply, WorkerRequest } from './steps.js';

export type { NftElement, NftElementChange } from './nft-elements.js';
export type { Answer, OpenedSocket, Step } from './steps.js';
export type { Netns } from '../netns.js';
export type { Link, LinkAddress, Neighbour, Route } from './rtnetlink.js';
export { addressBytes, addressText } from './ip-address.js';
export { openInetSocket, type SocketPlace } from './inet-socket.js';

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

/**
 * Starts the worker; it keeps the process alive only while a batch is under way. Should it die, the
 * batches under way fail and the next one gets a new worker.
 */
export function openNetlink(): Netlink {
  const pending = new Map<number, Pending>();
  let worker: Worker | undefined;
  let lastId = 0;
  let isClosed = false;
  let idle: (() => void) | undefined;

  const settle = (reply: WorkerReply): void => {
    const waiting = pending.get(reply.id);
    pending.delete(reply.id);
    if ('failure' in reply) waiting?.reject(stepError(reply.failure));
    else waiting?.resolve(reply.answers);
    if (pending.size > 0) return;
    worker?.unref();
    idle?.();
  };
  const failAll = (error: Error): void => {
    worker = undefined;
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
    idle?.();
  };
  const start = (): Worker => {
    // Namespaces and sockets that it opens are for us, who close them: their numbers come again.
    const started = new Worker(new URL('./worker.js', import.meta.url), {
      trackUnmanagedFds: false,
    });
    started.on('message', settle);
    started.on('error', failAll);
    started.on('exit', () => {
      if (worker === started) failAll(new ErrnoError('netlink', 'ESHUTDOWN', 'worker ended'));
    });
    started.unref();
    return started;
  };
  const ask = (steps: readonly Step[]): Promise<readonly unknown[]> =>
    new Promise((resolve, reject) => {
      if (isClosed || pending.size >= maxPending) {
        reject(new ErrnoError('netlink', isClosed ? 'ESHUTDOWN' : 'EBUSY', 'worker'));
        return;
      }
      worker ??= start();
      const request: WorkerRequest = { id: ++lastId, steps };
      pending.set(request.id, { resolve, reject });
      worker.ref();
      worker.postMessage(request);
    });
  worker = start();
  return {
    // The worker answers each step with the type that `Answers` declares for it.
    run: ask as Netlink['run'],
    close: async () => {
      isClosed = true;
      if (pending.size > 0) await new Promise<void>((resolve) => (idle = resolve));
      await worker?.terminate();
    },
  };
}

/** An `ErrnoError` again, on this side. */
function stepError(failure: StepFailure): ErrnoError {
  return new ErrnoError(failure.syscall, failure.code, failure.about);
}
