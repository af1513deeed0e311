/**
 * Execs that are launched before they are started: who creates one will most likely start it next,
 * and in the time in which the client turns round its shim comes up, and does all that can be done
 * outside of the container. It ends with this process, and after a while by itself.
 */
import { ApiError } from '../../api-spec/errors.js';
import { LaunchError } from '../../native/launch/encode.js';
import { isForeign } from './context.js';
import { launchExec, type ExecContext } from './exec-launch.js';
import type { ExecRequest, LiveExec } from './exec-task.js';
import type { Task } from './task.js';

/** The execs that wait to be started. */
export interface AheadExecs {
  /** A start with just this request is to be expected; makes no promise. */
  expect(request: ExecRequest): void;
  /** Starts the one that was expected if the request is the same, else another; as `launchExec`. */
  run(request: ExecRequest): Promise<LiveExec>;
}

interface Waiting {
  readonly task: Task;
  readonly key: string;
  readonly live: Promise<LiveExec>;
  readonly go: (client: ExecRequest['client']) => void;
  readonly drop: () => void;
}

/** How many wait at once: those who start many at a time are not served faster by more. */
const MOST = 4;
/** For how long one waits. */
const KEPT_MS = 2000;

/** None is made before the first is expected. */
export function aheadExecs(context: ExecContext): AheadExecs {
  const waiting = new Map<string, Waiting>();
  const watched = new WeakSet<Task>();
  const watch = (task: Task): void => {
    if (watched.has(task)) return;
    watched.add(task);
    void task.exited.then(() => {
      for (const each of waiting.values()) if (each.task === task) each.drop();
    });
  };
  return {
    expect: (request) => {
      const { id, user } = request.exec;
      // Who a name is may change until it is started; another runtime's program is all in one.
      if (user !== '' || isForeign(context, request.container)) return;
      if (waiting.size >= MOST) return;
      const made = wait(context, request);
      waiting.set(id, made);
      watch(request.task);
      const timer = setTimeout(made.drop, KEPT_MS).unref();
      // What goes wrong ahead goes wrong once more, and is told then, when it is started.
      const end = (): void => {
        clearTimeout(timer);
        if (waiting.get(id) === made) waiting.delete(id);
      };
      made.live.then(end, end);
    },
    run: async (request) => {
      const found = waiting.get(request.exec.id);
      waiting.delete(request.exec.id);
      if (found?.key === keyOf(request)) found.go(request.client);
      else found?.drop();
      try {
        const live = await found?.live;
        if (live !== undefined) return live;
      } catch (error) {
        if (!isStale(error)) throw error;
      }
      const { attach, client, container } = request;
      const isPlain = attach === undefined || isForeign(context, container);
      return launchExec(context, request, isPlain ? undefined : Promise.resolve(client));
    },
  };
}

/**
 * Dropped, or by now wrong in a step before its execve, and not by the user's doing: nothing has
 * run, and the name of its socket is free again.
 */
function isStale(error: unknown): boolean {
  if (!(error instanceof ApiError)) return error instanceof NotStarted;
  const { kind, cause } = error;
  return kind === 'System' && cause instanceof LaunchError && cause.step !== undefined;
}

class NotStarted extends Error {}

function wait(context: ExecContext, request: ExecRequest): Waiting {
  let go: Waiting['go'] = () => undefined;
  let drop = (): void => undefined;
  const going = new Promise<ExecRequest['client']>((resolve, reject) => {
    go = resolve;
    drop = () => reject(new NotStarted('an exec that was not started'));
  });
  going.catch(() => undefined);
  const live = launchExec(context, request, going);
  return { task: request.task, key: keyOf(request), live, go, drop };
}

/** What of a request a start may say otherwise than was expected. */
function keyOf({ exec, attach }: ExecRequest): string {
  const { framed, stdin, detachKeys } = attach ?? {};
  return [exec.stdin, exec.consoleSize, attach === undefined, framed, stdin, detachKeys].join(' ');
}
