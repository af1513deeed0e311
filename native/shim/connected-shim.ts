import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { errnoName } from '../errno.js';
import { ErrnoError } from '../errno-error.js';
import type { Slot } from '../launch/opcodes.js';
import { checked, inThread, tsdocker } from '../libc.js';
import { O_PATH } from '../open-flags.js';
import type { AttachRequest, Exited, LogPosition, Shim, ShimFd, ShimHello } from './client.js';
import { Connection } from './connection.js';
import type { Forward, Place } from './held-socket.js';
import type { LogBounds } from './monitor-settings.js';
import {
  attachFlags,
  decodeExit,
  encodeFrame,
  FRAME_HEADER_BYTES,
  frameTypes,
  placeBytes,
  targetBytes,
  words,
  type FrameType,
} from './protocol.js';

const CONNECT_TIMEOUT_MS = 5_000;
const FD_TIMEOUT_MS = 5_000;
/** sun_path holds 107 bytes and a NUL; Node cuts longer ones without a word. */
const MAX_SUN_PATH_BYTES = 107;
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
const afterLogFlag = 16;
const POSITION_BYTES = 16;
const fdKinds = { netns: 1, rootDir: 2, pidfd: 3, slot: 4, note: 5 } as const;

/**
 * Finds a shim of an earlier daemon again. Rejects with `ErrnoError` ENOENT or ECONNREFUSED when
 * it has gone: then the exit file says how the process ended.
 */
export async function connect(socketPath: string): Promise<Shim> {
  const connection = new Connection(await connectSocket(socketPath));
  const shim = new ConnectedShim(socketPath, connection);
  await shim.hello();
  return shim;
}

/** Of a shim that has gone, or that went while it was asked. */
const gone = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'];

/** The same, and undefined when it has gone, be it this very moment. */
export async function connectIfThere(socketPath: string): Promise<Shim | undefined> {
  try {
    return await connect(socketPath);
  } catch (error) {
    if (error instanceof ErrnoError && gone.includes(error.code)) {
      return undefined;
    }
    throw error;
  }
}

/** A shim at the other end of a connection: a new one, or the one that launched it. */
export class ConnectedShim implements Shim {
  readonly exited: Promise<Exited>;

  /** `launched`: the `wait` that went with the launch, and whether the shim goes by itself. */
  constructor(
    readonly socketPath: string,
    readonly connection: Connection,
    readonly launched?: { readonly wait: Promise<Buffer>; readonly leaves: boolean },
  ) {
    const wait = launched?.wait ?? connection.request(frameTypes.wait, words(), Infinity);
    this.exited = wait.then(
      (payload) => ({ lost: false, ...decodeExit(payload) }),
      () => ({ lost: true }),
    );
  }

  async hello(): Promise<ShimHello> {
    const payload = await this.connection.request(frameTypes.hello, words(1));
    const flags = payload.readUInt32LE(12);
    return {
      version: payload.readUInt32LE(0),
      shimPid: payload.readUInt32LE(4),
      pid: payload.readUInt32LE(8),
      started: (flags & 1) !== 0,
      ...((flags & 2) !== 0 && { exit: decodeExit(payload.subarray(16)) }),
    };
  }

  attach(request: AttachRequest): Promise<Socket> {
    return this.#attach(request, 0);
  }

  async attachAfterLog(
    request: AttachRequest,
  ): Promise<{ readonly stream: Socket; readonly position: LogPosition }> {
    const stream = await this.#attach(request, afterLogFlag);
    try {
      const bytes = await readExactly(stream, POSITION_BYTES);
      const inode = bytes.readBigUInt64LE(0);
      return { stream, position: { inode, offset: Number(bytes.readBigUInt64LE(8)) } };
    } catch (error) {
      stream.destroy();
      throw error;
    }
  }

  async #attach(request: AttachRequest, more: number): Promise<Socket> {
    const flags = more | attachFlags(request);
    const keys = request.detachKeys;
    const payload = Buffer.concat([words(flags, keys.length), keys]);
    const socket = await connectSocket(this.socketPath);
    try {
      socket.write(encodeFrame(frameTypes.attach, 0, payload));
      const reply = await readExactly(socket, FRAME_HEADER_BYTES + 4);
      const errno = reply.readInt32LE(FRAME_HEADER_BYTES);
      if (errno !== 0) throw new ErrnoError('shim.attach', errnoName(errno), this.socketPath);
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  async signal(signal: number): Promise<boolean> {
    try {
      await this.connection.request(frameTypes.signal, words(signal));
      return true;
    } catch (error) {
      if (error instanceof ErrnoError && error.code === 'ESRCH') return false;
      throw error;
    }
  }

  logTurn(seen: bigint): Promise<bigint> {
    return this.#turn(frameTypes.logTurn, seen);
  }

  oomTurn(seen: bigint): Promise<bigint> {
    return this.#turn(frameTypes.oomTurn, seen);
  }

  /** Answered once the shim has counted further than `seen`. */
  async #turn(type: FrameType, seen: bigint): Promise<bigint> {
    const payload = Buffer.alloc(8);
    payload.writeBigUInt64LE(seen);
    return (await this.connection.request(type, payload, Infinity)).readBigUInt64LE();
  }

  async logKeep(files: number): Promise<void> {
    await this.connection.request(frameTypes.logKeep, words(files));
  }

  async logCompressed(inode: bigint): Promise<boolean> {
    const payload = Buffer.alloc(8);
    payload.writeBigUInt64LE(inode);
    try {
      await this.connection.request(frameTypes.logCompressed, payload);
      return true;
    } catch (error) {
      if (error instanceof ErrnoError && error.code === 'ENOENT') return false;
      throw error;
    }
  }

  async logSettings({ maxSizeBytes, maxFiles, attrsJson = '' }: LogBounds): Promise<void> {
    const attrs = Buffer.from(attrsJson);
    const payload = Buffer.alloc(16);
    payload.writeBigUInt64LE(BigInt(maxSizeBytes), 0);
    payload.writeUInt32LE(maxFiles, 8);
    payload.writeUInt32LE(attrs.length, 12);
    if (attrs.length === 0) {
      await this.connection.request(frameTypes.logSettings, payload);
      return;
    }
    const fd = unnamedFile(this.socketPath, attrs);
    try {
      await this.#exchange(frameTypes.logSettings, payload, fd);
    } finally {
      closeSync(fd);
    }
  }

  async portHold(fd: number): Promise<void> {
    await this.#exchange(frameTypes.portHold, words(), fd);
  }

  async portAim(place: Place, forward: Forward | undefined): Promise<void> {
    const payload = Buffer.concat([placeBytes(place), targetBytes(forward)]);
    await this.connection.request(frameTypes.portAim, payload);
  }

  async portDrop(place: Place): Promise<void> {
    await this.connection.request(frameTypes.portDrop, placeBytes(place));
  }

  async resize(rows: number, columns: number): Promise<void> {
    const payload = Buffer.alloc(4);
    payload.writeUInt16LE(rows, 0);
    payload.writeUInt16LE(columns, 2);
    await this.connection.request(frameTypes.resize, payload);
  }

  async getFd(what: ShimFd): Promise<number> {
    const slot = what.kind === 'slot' ? what.slot : 0;
    const fd = await this.#exchange(frameTypes.getFd, words(fdKinds[what.kind], slot), -1);
    if (fd < 0) throw new ErrnoError('shim.getFd', 'EBADF', what.kind);
    return fd;
  }

  async addFd(slot: Slot, fd: number): Promise<void> {
    await this.#exchange(frameTypes.addFd, words(slot), fd);
  }

  async dropFd(slot: Slot): Promise<void> {
    await this.connection.request(frameTypes.dropFd, words(slot));
  }

  async bye(): Promise<void> {
    if (this.launched?.leaves === true) return this.#gone();
    try {
      await this.connection.request(frameTypes.bye, words());
    } catch (error) {
      // It went before it could answer, which is what was asked for.
      if (!(error instanceof ErrnoError && error.code === 'EPIPE')) throw error;
    }
    await this.#gone();
  }

  async #gone(): Promise<void> {
    const timer = setTimeout(() => this.connection.destroy(), CONNECT_TIMEOUT_MS);
    await this.connection.closed;
    clearTimeout(timer);
  }

  disconnect(): void {
    this.connection.isLetGo = true;
    this.connection.destroy();
  }

  /** A request that carries an fd either way: on a connection of its own, in a pool thread. */
  async #exchange(type: FrameType, payload: Buffer, fd: number): Promise<number> {
    const request = encodeFrame(type, 0, payload);
    const answer = Buffer.alloc(FRAME_HEADER_BYTES + 4);
    const got = new Int32Array(1);
    const size = await inThread(
      tsdocker().tsd_exchange, this.socketPath, request, request.length, fd,
      answer, answer.length, got, FD_TIMEOUT_MS,
    );
    checked(size, 'shim.exchange', this.socketPath);
    if (size < answer.length) throw new ErrnoError('shim.exchange', 'EPIPE', this.socketPath);
    const errno = answer.readInt32LE(FRAME_HEADER_BYTES);
    if (errno !== 0) throw new ErrnoError('shim.exchange', errnoName(errno), this.socketPath);
    return got[0] ?? -1;
  }
}

/** A file with these bytes and no name, beside the sockets. */
function unnamedFile(socketPath: string, bytes: Uint8Array): number {
  const fd = openSync(dirname(socketPath), O_TMPFILE | constants.O_RDWR, 0o600);
  try {
    writeSync(fd, bytes, 0, bytes.length, 0);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A connected socket of a path of any length. Rejects with `ErrnoError`. */
export async function connectSocket(path: string): Promise<Socket> {
  if (Buffer.byteLength(path) <= MAX_SUN_PATH_BYTES) return openSocket(path, path);
  const dir = openFolder(dirname(path));
  try {
    return await openSocket(`/proc/self/fd/${dir}/${basename(path)}`, path);
  } finally {
    closeSync(dir);
  }
}

function openFolder(path: string): number {
  try {
    return openSync(path, O_PATH | constants.O_DIRECTORY);
  } catch (error) {
    // Node's errors carry a code; without one it is no answer of the kernel's.
    throw new ErrnoError('open', (error as NodeJS.ErrnoException).code ?? 'EIO', path);
  }
}

function openSocket(address: string, path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path: address, allowHalfOpen: true });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new ErrnoError('connect', 'ETIMEDOUT', path));
    }, CONNECT_TIMEOUT_MS);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(new ErrnoError('connect', error.code ?? 'EIO', path));
    });
  });
}

/** The first bytes of a stream, leaving the rest in it. Rejects when it ends or fails before. */
function readExactly(socket: Socket, size: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const onTimeout = (): void => finish(new ErrnoError('read', 'ETIMEDOUT', 'shim'));
    const timer = setTimeout(onTimeout, FD_TIMEOUT_MS);
    const onEnd = (): void => finish(new ErrnoError('read', 'EPIPE', 'shim'));
    const onReadable = (): void => {
      // Without an encoding, read() gives a Buffer.
      const bytes = socket.read(size) as Buffer | null;
      if (bytes !== null) finish(bytes);
    };
    const finish = (outcome: Buffer | Error): void => {
      clearTimeout(timer);
      socket.off('readable', onReadable).off('end', onEnd).off('error', onEnd).off('close', onEnd);
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    socket.on('readable', onReadable).on('end', onEnd).on('error', onEnd).on('close', onEnd);
  });
}
