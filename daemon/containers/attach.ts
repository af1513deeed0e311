import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { conflict } from '../../api-spec/errors.js';
import { ErrnoError } from '../../native/errno-error.js';
import type { AttachOptions, Task } from '../runtime/task.js';
import type { Container } from './container.js';
import { containerEvent, tell } from './context.js';
import type { Context } from './context.js';
import { parseDetachKeys } from './detach-keys.js';
import { exchange } from './exchange.js';
import { readLogs } from './read-logs.js';
import { isLive } from './state.js';

/**
 * What a client wants to see and to send; `stdcopy` frames tell stdout from stderr, `raw` does not.
 */
export interface AttachRequest {
  readonly logs: boolean;
  readonly stream: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly detachKeys?: string;
  readonly framing: 'stdcopy' | 'raw';
}

/** A client that attached before there was a task: it gets its stream, or none if a start fails. */
export interface PendingAttach {
  readonly joining: Joining;
  readonly settle: (joined: Promise<Joined | undefined>) => void;
}

interface Joining {
  readonly options: AttachOptions;
  /** Also where in the log the stream begins. */
  readonly afterLog: boolean;
}

interface Joined {
  readonly stream: Duplex;
  readonly position?: { readonly inode: bigint; readonly offset: number };
}

/** A client's connection, on which a shim may speak itself. */
export interface ClientLine {
  /** Undefined while it cannot be given away. */
  readonly fd: number | undefined;
  /** Has been given away. */
  give(): void;
}

/**
 * A client that has joined: either `run`, which ends with the output or with the client, or
 * `abandon` must be called, else the streams stay held.
 */
export interface AttachConversation {
  readonly tty: boolean;
  /** Its first word is a matter of milliseconds. */
  readonly speaksSoon?: boolean;
  run(client: Duplex, signal: AbortSignal, line?: ClientLine): Promise<void>;
  abandon(): void;
}

/**
 * Joins a container's streams, now or as soon as it is started; from the return on nothing is
 * missed. `ApiError` 409 while it is paused or restarting.
 */
export function attachContainer(
  context: Context,
  ref: string,
  request: AttachRequest,
): AttachConversation {
  // Docker reads them before it looks for the container.
  parseDetachKeys(request.detachKeys);
  const container = context.book.resolve(ref);
  const { record } = container;
  if (record.state.status === 'paused') {
    throw conflict(`container ${ref} is paused, unpause the container before attach`);
  }
  if (record.state.status === 'restarting') {
    throw conflict(`container ${ref} is restarting, wait until the container is running`);
  }
  const tty = record.config.Tty === true;
  const framed = request.framing === 'stdcopy' && !tty;
  const ended = new AbortController();
  const joining = { options: optionsOf(request, container, framed), afterLog: request.logs };
  const joined = request.stream
    ? join(container, joining, ended.signal)
    : Promise.resolve(undefined);
  const hold = holdExit(container, joined);
  return {
    tty,
    abandon: () => {
      ended.abort();
      hold.release();
      void joined.then((found) => found?.stream.destroy(), ignoreUntilRun);
    },
    run: async (client, signal) => {
      signal.addEventListener('abort', () => ended.abort(), { once: true });
      try {
        if (request.logs) {
          await replay(context, container, { request, client, framed, signal, joined });
        }
        await tell(context, containerEvent(container.record, 'attach'));
        const found = await joined;
        if (found === undefined) return;
        await exchange(found.stream, client, { stdin: request.stdin, signal });
        hold.release();
        const detached = request.stdin && !signal.aborted && (await isAlive(container));
        if (detached) await tell(context, containerEvent(container.record, 'detach'));
      } finally {
        ended.abort();
        hold.release();
      }
    },
  };
}

/** The news of an exit waits, for a while, until a client that has joined was sent the output. */
function holdExit(
  container: Container,
  joined: Promise<Joined | undefined>,
): { readonly release: () => void } {
  let release = (): void => undefined;
  const sent = new Promise<void>((resolve) => (release = resolve));
  joined.then(
    (found) => {
      if (found === undefined) return;
      container.outputs.add(sent);
      void sent.then(() => container.outputs.delete(sent));
    },
    // Whoever runs the conversation gets the failure; until then it is nobody's.
    ignoreUntilRun,
  );
  return { release: () => release() };
}

/** Its process still runs: the record of an exit comes a moment after the end of the output. */
async function isAlive({ task, record }: Container): Promise<boolean> {
  if (task === undefined || !isLive(record.state)) return false;
  try {
    return await task.signal(0);
  } catch (error) {
    if (error instanceof ErrnoError && error.code === 'EPIPE') return false;
    throw error;
  }
}

function ignoreUntilRun(): void {
  // See its use.
}

function optionsOf(request: AttachRequest, { record }: Container, framed: boolean): AttachOptions {
  const detachKeys = parseDetachKeys(request.detachKeys);
  return {
    stdin: request.stdin && record.config.OpenStdin === true,
    stdout: request.stdout,
    stderr: request.stderr,
    framed,
    detachKeys:
      record.config.Tty === true || request.detachKeys !== undefined
        ? detachKeys
        : new Uint8Array(),
  };
}

function join(
  container: Container,
  joining: Joining,
  signal: AbortSignal,
): Promise<Joined | undefined> {
  if (container.task !== undefined && isLive(container.record.state)) {
    return joinTask(container.task, joining);
  }
  return new Promise((resolve) => {
    const pending: PendingAttach = { joining, settle: resolve };
    container.pendingAttaches.add(pending);
    signal.addEventListener('abort', () => {
      container.pendingAttaches.delete(pending);
      resolve(undefined);
    });
  });
}

async function joinTask(task: Task, { options, afterLog }: Joining): Promise<Joined> {
  return afterLog ? task.attachAfterLog(options) : { stream: await task.attach(options) };
}

/** Gives every waiting client its stream of `task`, before the gate opens. */
export async function joinPending(container: Container, task: Task): Promise<void> {
  const waiting = [...container.pendingAttaches];
  container.pendingAttaches.clear();
  await Promise.all(
    waiting.map(async ({ joining, settle }) => {
      const joined = joinTask(task, joining);
      settle(joined);
      await joined;
    }),
  );
}

/** Ends the wait of clients whose container will not be started. */
export function dropPending(container: Container): void {
  for (const { settle } of container.pendingAttaches) settle(Promise.resolve(undefined));
  container.pendingAttaches.clear();
}

interface Replay {
  readonly request: AttachRequest;
  readonly client: Duplex;
  readonly framed: boolean;
  readonly signal: AbortSignal;
  readonly joined: Promise<Joined | undefined>;
}

/** The log up to where the stream begins, or all of it where the stream has not begun. */
async function replay(context: Context, container: Container, run: Replay): Promise<void> {
  const { request, client, framed, signal, joined } = run;
  let found: Joined | undefined;
  const noted = joined.then((value) => {
    found = value;
  });
  // Nothing is written before a start that is still to come: only a live one is waited for.
  if (container.task !== undefined) await noted;
  else noted.catch(ignoreUntilRun);
  const bytes = readLogs(context, container, {
    follow: false,
    stdout: request.stdout,
    stderr: request.stderr,
    timestamps: false,
    details: false,
    framing: framed ? 'stdcopy' : 'raw',
    stopAt: () => found?.position,
    signal,
  });
  await pipeline(bytes, client, { end: false, signal });
}
