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
import type { LogPiece } from './needs.js';
import { readLogs } from './read-logs.js';
import { frame } from './stdcopy.js';
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
  readonly options: AttachOptions;
  readonly settle: (stream: Promise<Duplex | undefined>) => void;
}

/**
 * A client that has joined: either `run`, which ends with the output or with the client, or
 * `abandon` must be called, else the streams stay held.
 */
export interface AttachConversation {
  readonly tty: boolean;
  run(client: Duplex, signal: AbortSignal): Promise<void>;
  abandon(): void;
}

/**
 * Joins a container's streams, now or as soon as it is started; from the return on nothing is
 * missed. `ApiError` 409 while it is paused or restarting.
 */
export function attachContainer(
  context: Context,
  container: Container,
  request: AttachRequest,
): AttachConversation {
  const { record } = container;
  const name = record.name;
  if (record.state.status === 'paused') {
    throw conflict(`container ${name} is paused, unpause the container before attach`);
  }
  if (record.state.status === 'restarting') {
    throw conflict(`container ${name} is restarting, wait until the container is running`);
  }
  const tty = record.config.Tty === true;
  const framed = request.framing === 'stdcopy' && !tty;
  const ended = new AbortController();
  const joined = request.stream
    ? join(container, optionsOf(request, container, framed), ended.signal)
    : Promise.resolve(undefined);
  // Whoever runs the conversation gets the failure; until then it is nobody's.
  joined.catch(ignoreUntilRun);
  return {
    tty,
    abandon: () => {
      ended.abort();
      void joined.then((stream) => stream?.destroy(), ignoreUntilRun);
    },
    run: async (client, signal) => {
      signal.addEventListener('abort', () => ended.abort(), { once: true });
      try {
        if (request.logs) await replay(context, container, { request, client, framed, signal });
        await tell(context, containerEvent(container.record, 'attach'));
        const stream = await joined;
        if (stream === undefined) return;
        await exchange(stream, client, { stdin: request.stdin, signal });
        const detached = request.stdin && !signal.aborted && (await isAlive(container));
        if (detached) await tell(context, containerEvent(container.record, 'detach'));
      } finally {
        ended.abort();
      }
    },
  };
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
  options: AttachOptions,
  signal: AbortSignal,
): Promise<Duplex | undefined> {
  if (container.task !== undefined && isLive(container.record.state)) {
    return container.task.attach(options);
  }
  return new Promise((resolve) => {
    const pending: PendingAttach = { options, settle: resolve };
    container.pendingAttaches.add(pending);
    signal.addEventListener('abort', () => {
      container.pendingAttaches.delete(pending);
      resolve(undefined);
    });
  });
}

/** Gives every waiting client its stream of `task`, before the gate opens. */
export async function joinPending(container: Container, task: Task): Promise<void> {
  const waiting = [...container.pendingAttaches];
  container.pendingAttaches.clear();
  await Promise.all(
    waiting.map(async ({ options, settle }) => {
      const stream = task.attach(options);
      settle(stream);
      await stream;
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
}

async function replay(context: Context, container: Container, run: Replay): Promise<void> {
  const { request, client, framed, signal } = run;
  const batches = readLogs(context, container, {
    follow: false,
    stdout: request.stdout,
    stderr: request.stderr,
    timestamps: false,
    details: false,
    signal,
  });
  await pipeline(framedBytes(batches, framed), client, { end: false, signal });
}

async function* framedBytes(
  batches: AsyncIterable<readonly LogPiece[]>,
  framed: boolean,
): AsyncGenerator<Uint8Array> {
  for await (const batch of batches) {
    for (const { stream, bytes } of batch) {
      if (framed) yield frame(stream, bytes.length);
      yield bytes;
    }
  }
}
