/** Shims whose exec has ended, for the next one: to start one takes as long as all that it does. */
import { dropShim, type StartedShim } from '../../native/shim/client.js';
import { forgetExec, pathsAt } from './exec-files.js';

/** Those that wait. */
export interface IdleShims {
  /** The one that came last; undefined when there is none. Whoever takes it ends it. */
  take(): StartedShim | undefined;
  /** Keeps it for a while, or ends it. */
  give(shim: StartedShim): void;
  /** Ends all, now and from now on; resolves when they have gone. */
  close(): Promise<void>;
}

/** How many wait at once. */
const MOST = 4;
/** For how long one waits. */
const KEPT_MS = 8000;

/** None is there before the first is given. `warn` is told of what one leaves behind. */
export function idleShims(warn: (message: string, cause: unknown) => void): IdleShims {
  const waiting = new Map<StartedShim, () => void>();
  let isClosed = false;
  /** One that dies by itself is reaped by the same call. */
  const drop = (shim: StartedShim): Promise<void> => {
    leave(shim);
    return end(shim).catch((error: unknown) => warn('an idle shim has left its socket', error));
  };
  const leave = (shim: StartedShim): void => {
    waiting.get(shim)?.();
    waiting.delete(shim);
  };
  return {
    take: () => {
      const shim = [...waiting.keys()].at(-1);
      if (shim !== undefined) leave(shim);
      return shim;
    },
    give: (shim) => {
      const socket = shim.idle?.socket;
      const onEnd = (): void => void drop(shim);
      if (socket === undefined || socket.destroyed) return onEnd();
      if (isClosed || waiting.size >= MOST) return onEnd();
      // It says nothing unasked: whatever comes is its end.
      const events = ['end', 'close'] as const;
      for (const event of events) socket.on(event, onEnd);
      const timer = setTimeout(onEnd, KEPT_MS).unref();
      waiting.set(shim, () => {
        clearTimeout(timer);
        for (const event of events) socket.off(event, onEnd);
      });
    },
    close: async () => {
      isClosed = true;
      await Promise.all([...waiting.keys()].map(drop));
    },
  };
}

async function end(shim: StartedShim): Promise<void> {
  await dropShim(Promise.resolve(shim));
  // One that was killed has left it.
  if (shim.idle !== undefined) forgetExec(pathsAt(shim.idle.socketPath));
}
