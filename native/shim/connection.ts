import type { Socket } from 'node:net';
import { errnoName } from '../errno.js';
import { ErrnoError } from '../errno-error.js';
import {
  encodeFrame,
  FrameSplitter,
  frameTypes,
  REPLY,
  type Frame,
  type FrameType,
} from './protocol.js';

/** A shim answers within microseconds, unless its disk makes it wait. */
const REQUEST_TIMEOUT_MS = 10_000;

const ignore = (): void => undefined;

interface Pending {
  readonly type: FrameType;
  readonly resolve: (payload: Buffer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout | undefined;
}

/** Requests and answers over one socket to a shim; what is not an answer goes to `onFrame`. */
export class Connection {
  /** Settles when the socket has closed, for whatever reason. */
  readonly closed: Promise<void>;
  /** Set by who leaves on purpose: the shim at the other end lives on. */
  isLetGo = false;
  readonly #pending = new Map<number, Pending>();
  readonly #splitter = new FrameSplitter();
  #lastTag = 0;
  #isGone = false;
  #reportClosed: () => void = () => undefined;
  readonly #onClose = (): void => this.#close();
  readonly #onData = (chunk: Buffer): void => this.#receive(chunk);
  readonly #onEnd = (): void => this.destroy();

  constructor(
    readonly socket: Socket,
    readonly onFrame: (frame: Frame) => void = () => undefined,
  ) {
    this.closed = new Promise((resolve) => {
      this.#reportClosed = resolve;
    });
    socket.once('close', this.#onClose).on('data', this.#onData).on('end', this.#onEnd);
    // The reason is in `close` for us: a shim that dies is EOF or ECONNRESET, and both mean gone.
    if (!socket.listeners('error').includes(ignore)) socket.on('error', ignore);
    // One that was idle may have died before anybody listened.
    if (socket.destroyed) this.#close();
    else if (socket.readableEnded) socket.destroy();
  }

  /** Nothing can be asked any more: the shim has gone, or is about something else. */
  get isGone(): boolean {
    return this.#isGone || this.socket.destroyed;
  }

  /** The end of the socket, if it is still ours. */
  destroy(): void {
    if (!this.#isGone) this.socket.destroy();
  }

  /**
   * The socket is the caller's, its errors need no listener; to who still asks here it is as if it
   * had been closed.
   */
  release(): Socket {
    const { socket } = this;
    this.isLetGo = true;
    socket.off('close', this.#onClose).off('data', this.#onData).off('end', this.#onEnd);
    this.#close();
    return socket;
  }

  #close(): void {
    this.#isGone = true;
    this.#failAll();
    this.#reportClosed();
  }

  /** Rejects with `ErrnoError`: the shim's no, ETIMEDOUT, or EPIPE when it has gone. */
  request(type: FrameType, payload: Uint8Array, timeoutMs = REQUEST_TIMEOUT_MS): Promise<Buffer> {
    const tag = this.#freeTag();
    const answer = this.expect(type, tag, timeoutMs);
    if (!this.isGone) this.socket.write(encodeFrame(type, tag, payload));
    return answer;
  }

  /** The answer to a request that reaches the shim by another way; rejects as `request` does. */
  expect(type: FrameType, tag: number, timeoutMs: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.isGone) {
        reject(new ErrnoError(callName(type), 'EPIPE', 'the shim has gone'));
        return;
      }
      const isBounded = Number.isFinite(timeoutMs);
      const timer = isBounded ? setTimeout(() => this.#expire(tag), timeoutMs) : undefined;
      this.#pending.set(tag, { type, resolve, reject, timer });
    });
  }

  /** Without an answer. */
  send(type: FrameType, payload: Uint8Array): void {
    this.socket.write(encodeFrame(type, 0, payload));
  }

  #freeTag(): number {
    do this.#lastTag = (this.#lastTag + 1) & 0xffff;
    while (this.#pending.has(this.#lastTag));
    return this.#lastTag;
  }

  #receive(chunk: Buffer): void {
    let frames: Frame[];
    try {
      frames = this.#splitter.push(chunk);
    } catch {
      // Not a shim: everything that waits learns it by the close.
      this.destroy();
      return;
    }
    for (const frame of frames) {
      if ((frame.type & REPLY) === 0) this.onFrame(frame);
      else this.#settle(frame);
    }
  }

  #settle({ type, tag, payload }: Frame): void {
    const pending = this.#take(tag);
    if (pending === undefined || pending.type !== (type & ~REPLY)) return;
    const errno = payload.readInt32LE(0);
    if (errno === 0) pending.resolve(payload.subarray(4));
    else pending.reject(new ErrnoError(callName(pending.type), errnoName(errno), 'shim'));
  }

  #take(tag: number): Pending | undefined {
    const pending = this.#pending.get(tag);
    this.#pending.delete(tag);
    clearTimeout(pending?.timer);
    return pending;
  }

  #expire(tag: number): void {
    const pending = this.#take(tag);
    pending?.reject(new ErrnoError(callName(pending.type), 'ETIMEDOUT', 'the shim is silent'));
  }

  #failAll(): void {
    for (const tag of [...this.#pending.keys()]) {
      const pending = this.#take(tag);
      pending?.reject(new ErrnoError(callName(pending.type), 'EPIPE', 'the shim has gone'));
    }
  }
}

function callName(type: FrameType): string {
  const entry = Object.entries(frameTypes).find(([, number]) => number === type);
  return `shim.${entry?.[0] ?? type}`;
}
