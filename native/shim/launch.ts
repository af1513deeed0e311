import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { abortReason } from '../abort-reason.js';
import { errnoName } from '../errno.js';
import { ErrnoError, hasCode } from '../errno-error.js';
import { LaunchError, stepError } from '../launch/encode.js';
import type { LaunchProgram } from '../launch/opcodes.js';
import { checked, tsdocker } from '../libc.js';
import { closeFds, socketPair, spawnFailure, spawnShim } from '../spawn.js';
import type { EncodedProgram, Launching, LaunchRequest, Shim, YieldAnswer } from './client.js';
import { ConnectedShim } from './connected-shim.js';
import { Connection } from './connection.js';
import {
  encodeFrame, encodeLaunch, frameTypes, GATE_TAG, MAX_ANSWER_BYTES, WAIT_TAG, words, type Frame,
} from './protocol.js';
import { reaped } from './reaping.js';

/** For how long a launch may take, but for what waits at its gate. */
export const LAUNCH_TIMEOUT_MS = 30_000;
const LEAVE_HAND_OVER = 1;
/** Between two tries to send along what a full socket does not take. */
const FULL_MS = 1;
/** A fifth of what a socket that nobody has written to takes. */
const AT_ONCE_BYTES = 32 * 1024;
const strandNames = ['host', 'init', 'shim'] as const;
/** What the shim does itself, by `enum shim_part`. */
const shimParts = [
  'launch message', 'socket', 'exit file', 'log file', 'spill folder', 'streams', 'ports',
];

/**
 * Starts a shim that carries the program out; resolves when init stands at the gate, or has passed
 * it if it `opens`. Rejects with
 * `LaunchError` (a step failed), `ProgramError` (the program is malformed), what `onYield` threw,
 * or the signal's reason; by then the shim and init are gone.
 */
export async function launch(request: LaunchRequest): Promise<Launching> {
  const passFds = [...(request.passFds ?? [])];
  const held = request.held ?? [];
  const started =
    request.started ??
    startShim(
      basename(request.monitor.socketPath),
      [...passFds.map(([, fd]) => fd), ...held.map(({ fd }) => fd)],
    );
  // Until it is looked at: a launch may fail before.
  request.unasked?.catch(() => undefined);
  let message: Buffer;
  try {
    request.signal?.throwIfAborted();
    const slots = passFds.map(([slot]) => slot);
    const { client, opens = false, onIdle } = request;
    message = encodeLaunch(request.program, request.monitor, {
      slots, held, opens, returns: onIdle !== undefined,
      ...(client === undefined ? {} : { client }),
    });
  } catch (error) {
    await dropShim(started);
    throw error;
  }
  const shim = await started;
  const { pid: shimPid } = shim;
  const conversation = new Conversation(request, shim);
  const { connection } = conversation;
  const gone = connection.closed.then(() => (connection.isLetGo ? undefined : reaped(shimPid)));
  try {
    conversation.begin(message, shim.idle === undefined ? undefined : passFds[0]?.[1]);
    const pid = await conversation.ready;
    return new AtGate(request, conversation, gone, pid);
  } catch (error) {
    connection.destroy();
    await gone;
    throw spawnFailure(shimPid) ?? error;
  }
}

/** A shim that is being executed, or idle, and waits for what to do. */
export interface StartedShim {
  readonly pid: number;
  /** Our end of the talk. */
  readonly fd: number;
  /** Of one that is idle. */
  readonly idle?: {
    /** The same end: nobody listens to it. */
    readonly socket: Socket;
    /** The name by which it is found: a launch that has it, too, is spared making one. */
    readonly socketPath: string;
  };
}

/**
 * Executes a shim that will find `fds` from its fourth on, ahead of the launch that it is for: its
 * start takes as long as compiling the program. It is `launch`'s from then on, or `dropShim`'s.
 * Rejects with `ErrnoError`.
 */
export async function startShim(name: string, fds: readonly number[]): Promise<StartedShim> {
  const [ours, theirs] = socketPair();
  try {
    return { pid: await spawnShim([theirs, ...fds], name), fd: ours };
  } catch (error) {
    closeFds([ours]);
    throw error;
  } finally {
    closeSync(theirs);
  }
}

/** Ends a shim that got no launch, and reaps it; one that could not be started is as good. */
export async function dropShim(started: Promise<StartedShim>): Promise<void> {
  const [outcome] = await Promise.allSettled([started]);
  if (outcome.status === 'rejected') return;
  const { pid, fd, idle } = outcome.value;
  if (idle === undefined) closeFds([fd]);
  else idle.socket.destroy();
  await reaped(pid);
}

/** The launching side's half of the talk: yields are answered, failures understood. */
class Conversation {
  readonly connection: Connection;
  /** The pid of init, once that stands at the gate, or has passed it if it does not stop there. */
  readonly ready: Promise<number>;
  /** The answer to the `wait` that went with the launch. */
  readonly ended: Promise<Buffer>;
  /** Settles (rejects) only when the launch has failed. */
  readonly failed: Promise<never>;
  #isReady = false;
  #reportReady: (pid: number) => void = () => undefined;
  #reportFailure: (error: Error) => void = () => undefined;

  constructor(
    readonly request: LaunchRequest,
    readonly started: StartedShim,
  ) {
    const { fd } = started;
    const socket = started.idle?.socket ??
      new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    this.connection = new Connection(socket, (frame) => this.#take(frame));
    this.failed = new Promise((_, reject) => {
      this.#reportFailure = reject;
    });
    // Whoever awaits it sees the failure; when nobody does any more, it is of no interest.
    this.failed.catch(() => undefined);
    this.ended = this.connection.expect(frameTypes.wait, WAIT_TAG, Infinity);
    // Of a launch that has failed it is of no interest.
    this.ended.catch(() => undefined);
    const standing = new Promise<number>((resolve) => {
      this.#reportReady = resolve;
    });
    this.ready = this.#withinTime(request.opens === true ? this.#opened() : standing);
    void this.connection.closed.then(() => {
      // An error costs as much as all the rest of an end.
      if (!this.#isReady) this.#reportFailure(new LaunchError('shim', 'EPIPE', 'shim'));
    });
  }

  /** `passed` goes along with the message. */
  begin(message: Uint8Array, passed: number | undefined): void {
    const frame = encodeFrame(frameTypes.launch, 0, message);
    // Beside no more than is taken at once, for the shim reads as soon as there is something.
    const beside = passed === undefined ? 0 : Math.min(frame.length, AT_ONCE_BYTES);
    if (passed !== undefined) this.#sendWith(passed, frame.subarray(0, beside));
    const rest = frame.subarray(beside);
    const sent = rest.length === 0 ? undefined : new Promise<void>((resolve) => {
      // What went wrong is told by the connection's end.
      this.connection.socket.write(rest, () => resolve());
    });
    const { unasked } = this.request;
    if (unasked === undefined) return;
    void this.#answer(sent === undefined ? unasked : sent.then(() => unasked));
  }

  /** An `open` that went with the launch is answered with the pid. */
  async #opened(): Promise<number> {
    const answer = this.connection.expect(frameTypes.open, GATE_TAG, Infinity);
    const pid = (await answer.catch(unlessGone)).readUInt32LE(0);
    this.#isReady = true;
    return pid;
  }

  async #withinTime(ready: Promise<number>): Promise<number> {
    const { signal, timeoutMs = LAUNCH_TIMEOUT_MS } = this.request;
    const timer = setTimeout(() => {
      this.#reportFailure(new LaunchError('shim', 'ETIMEDOUT', 'launch'));
    }, timeoutMs);
    const onAbort = (): void => this.#reportFailure(abortReason(signal));
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([ready, this.failed]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #take({ type, payload }: Frame): void {
    if (type === frameTypes.yield) {
      void this.#answer(
        this.request.onYield?.(payload.readUInt32LE(0), payload.readUInt32LE(4)),
      );
    } else if (type === frameTypes.ready) {
      this.#reportReady(payload.readUInt32LE(0));
    } else if (type === frameTypes.failed) {
      this.#reportFailure(launchError(this.request.program, payload));
    } else if (type === frameTypes.idle) {
      // It may come together with the word that the gate has opened, which is heard later.
      this.#isReady = true;
      const { monitor: { socketPath }, onIdle } = this.request;
      const { pid, fd } = this.started;
      onIdle?.({ pid, fd, idle: { socket: this.connection.release(), socketPath } });
    }
  }

  /** Past Node's own queue, which is empty: all that was sent before is at least in the socket. */
  #sendWith(fd: number, bytes: Uint8Array): void {
    if (this.connection.isGone) throw new ErrnoError('sendmsg', 'EPIPE', 'shim');
    const sent = checked(
      tsdocker().tsd_send_fd(this.started.fd, bytes, bytes.length, fd), 'sendmsg', 'shim',
    );
    if (sent < bytes.length) throw new ErrnoError('sendmsg', 'EMSGSIZE', 'shim');
  }

  /** A shim that was not asked may not have read a large launch yet: its socket is full. */
  async #sendSoon(fd: number, bytes: Uint8Array): Promise<void> {
    for (;;) {
      try {
        this.#sendWith(fd, bytes);
        return;
      } catch (error) {
        if (!hasCode(error, 'EAGAIN')) throw error;
      }
      await sleep(FULL_MS);
    }
  }

  async #answer(given: Promise<YieldAnswer | undefined> | undefined): Promise<void> {
    try {
      const { bytes = new Uint8Array(0), fd } = (await given) ?? {};
      if (bytes.length > MAX_ANSWER_BYTES) throw new RangeError('too long an answer to a yield');
      if (fd === undefined) this.connection.send(frameTypes.answer, bytes);
      else await this.#sendSoon(fd, encodeFrame(frameTypes.answer, 0, bytes));
    } catch (error) {
      this.#reportFailure(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

class AtGate implements Launching {
  readonly shim: Shim;

  constructor(
    request: LaunchRequest,
    readonly conversation: Conversation,
    readonly gone: Promise<void>,
    readonly pid: number,
  ) {
    const { socketPath, leaves = false } = request.monitor;
    const { connection, ended } = conversation;
    this.shim = new ConnectedShim(socketPath, connection, { wait: ended, leaves });
  }

  async open(): Promise<void> {
    const { connection, failed, request } = this.conversation;
    if (request.opens === true) return;
    try {
      const opened = connection.request(frameTypes.open, words(), LAUNCH_TIMEOUT_MS);
      await Promise.race([failed, opened.catch(unlessGone)]);
    } catch (error) {
      connection.destroy();
      await this.gone;
      throw error;
    }
  }

  async abort(): Promise<void> {
    this.conversation.connection.destroy();
    await this.gone;
  }

  async leave({ handOver }: { readonly handOver: boolean }): Promise<void> {
    const flags = handOver ? LEAVE_HAND_OVER : 0;
    await this.conversation.connection.request(frameTypes.leave, words(flags));
    this.shim.disconnect();
  }
}

/** A shim that goes says why in a frame of its own, which `failed` waits for. */
function unlessGone(error: unknown): Promise<never> {
  if (error instanceof ErrnoError && error.code === 'EPIPE') {
    return new Promise(() => undefined);
  }
  throw error;
}

function launchError(
  program: LaunchProgram | EncodedProgram,
  payload: Buffer,
): LaunchError {
  const strand = strandNames[payload.readUInt32LE(0)] ?? 'shim';
  const index = payload.readUInt32LE(4);
  const errno = payload.readInt32LE(8);
  const code = errnoName(errno);
  if (strand === 'shim') return new LaunchError(strand, code, shimParts[index] ?? 'shim');
  const source = 'bytes' in program ? program.source() : program;
  return stepError(source, strand, index, errno);
}
