import { ByteWriter } from '../launch/byte-writer.js';
import { encodeProgram } from '../launch/encode.js';
import { CWD, type LaunchProgram, type Slot } from '../launch/opcodes.js';
import { addressBytes } from '../netlink/ip-address.js';
import type { AttachRequest, EncodedProgram, FirstClient } from './client.js';
import type { Forward, HeldSocket, Place } from './held-socket.js';
import type { ExitStatus, MonitorSettings, StdioSettings } from './monitor-settings.js';

/** Numbers and layouts of PROTOCOL.md; `protocol.h` is its other reader. */
export const PROTOCOL_VERSION = 1;
/** Set in the type of an answer. */
export const REPLY = 0x8000;
export const FRAME_HEADER_BYTES = 8;
/** Largest answer to a yield, as in shim.h. */
export const MAX_ANSWER_BYTES = 64 * 1024;
/** Of an `open` and a `wait` that come with the launch; no request takes them while they wait. */
export const GATE_TAG = 0xffff;
export const WAIT_TAG = 0xfffe;
/** Largest frame that a shim sends. */
export const MAX_REPLY_BYTES = 4096;

/**
 * Numbers of the wire: below 32 on a monitor's socket, from 32 on in a launch. They never change
 * their meaning.
 */
export const frameTypes = {
  hello: 1,
  attach: 2,
  resize: 3,
  signal: 4,
  wait: 5,
  getFd: 6,
  addFd: 7,
  dropFd: 8,
  bye: 9,
  logTurn: 10,
  logCompressed: 11,
  logKeep: 12,
  portHold: 13,
  portAim: 14,
  portDrop: 15,
  logSettings: 16,
  oomTurn: 17,
  portBind: 18,
  launch: 32,
  answer: 33,
  open: 34,
  abort: 35,
  leave: 36,
  yield: 48,
  ready: 49,
  failed: 50,
  idle: 51,
} as const;

/** Any of the numbers that we send or understand. */
export type FrameType = (typeof frameTypes)[keyof typeof frameTypes];

/** `enum leaving` of protocol.h. */
const LEAVES = 1;
const RETURNS = 2;
const LAUNCH_MAGIC = 0x314d5354;
const MAX_MESSAGE_BYTES = 9 * 1024 * 1024;
const forwardProtocols = { tcp: 1, udp: 2 } as const;
/** IPPROTO_… */
const transportNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;
const stdioKinds = { none: 0, pipes: 1, pty: 2 } as const;

/** One message; a reply carries its request's `tag`. */
export interface Frame {
  readonly type: number;
  readonly tag: number;
  readonly payload: Buffer;
}

/** The bytes of a frame: length, type, tag (little-endian), payload. */
export function encodeFrame(type: FrameType, tag: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt16LE(type, 4);
  frame.writeUInt16LE(tag, 6);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** Little-endian 32-bit words, the payload of most requests. */
export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value >>> 0, 4 * index);
  return bytes;
}

/** The payload that names a held socket. */
export function placeBytes({ protocol, address, port }: Place): Buffer {
  const bytes = addressBytes(address);
  return Buffer.concat([words(transportNumbers[protocol], port, bytes.length), bytes]);
}

/** The payload that says where what comes to it goes; nowhere without a forward. */
export function targetBytes(forward: Forward | undefined): Buffer {
  if (forward === undefined) return words(0);
  const bytes = addressBytes(forward.address);
  const { port, protocol } = forward;
  return Buffer.concat([words(forwardProtocols[protocol], port, bytes.length), bytes]);
}

/** Cuts a byte stream into frames. Throws RangeError at one that no shim would send. */
export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    for (;;) {
      if (this.#rest.length < FRAME_HEADER_BYTES) return frames;
      const size = this.#rest.readUInt32LE(0);
      if (size > MAX_REPLY_BYTES) throw new RangeError(`a frame of ${size} bytes`);
      const whole = FRAME_HEADER_BYTES + size;
      if (this.#rest.length < whole) return frames;
      frames.push({
        type: this.#rest.readUInt16LE(4),
        tag: this.#rest.readUInt16LE(6),
        payload: this.#rest.subarray(FRAME_HEADER_BYTES, whole),
      });
      this.#rest = this.#rest.subarray(whole);
    }
  }
}

/** What a shim is passed from fd 4 on: those of slots first, then those that it only keeps. */
export interface PassedFds {
  readonly slots: readonly Slot[];
  readonly held: readonly HeldSocket[];
  readonly client?: FirstClient;
  /** The gate opens at once; the answer comes with `GATE_TAG`. */
  readonly opens?: boolean;
  /** It says that it is idle when it could leave. */
  readonly returns?: boolean;
}

/** The launch message. Throws ProgramError. */
export function encodeLaunch(
  program: LaunchProgram | EncodedProgram,
  monitor: MonitorSettings,
  { slots, held, client, opens = false, returns = false }: PassedFds,
): Buffer {
  const writer = new ByteWriter(8192, MAX_MESSAGE_BYTES);
  writer.u32(LAUNCH_MAGIC);
  writeSlots(writer, slots);
  writer.u32(held.length);
  writer.text(monitor.socketPath);
  writer.text(monitor.exitPath ?? '');
  writeStdio(writer, monitor.stdio);
  writeLog(writer, monitor);
  writer.text(monitor.attach.spillDir);
  writer.u64(monitor.attach.spillBytes);
  writer.u32(monitor.attach.stallMs);
  writer.u32(monitor.drainMs);
  writeTexts(writer, monitor.oomFiles);
  writeTexts(writer, monitor.killAtExit);
  writer.u32(monitor.rootDir ?? CWD);
  writeSlots(writer, monitor.keep);
  writeClient(writer, client);
  writer.u32(opens ? GATE_TAG : 0);
  writer.u32(WAIT_TAG);
  writer.u32(returns ? RETURNS : monitor.leaves === true ? LEAVES : 0);
  writer.u32(monitor.openWaitMs ?? 0);
  writer.blob(monitor.note ?? new Uint8Array());
  writeForwards(writer, held);
  writer.blob('bytes' in program ? program.bytes : encodeProgram(program));
  return writer.bytes();
}

function writeClient(writer: ByteWriter, client: FirstClient | undefined): void {
  writer.u32(client?.slot ?? CWD);
  writer.u32(client === undefined ? 0 : attachFlags(client));
  writer.blob(client?.detachKeys ?? new Uint8Array());
}

/** The flags of `attach`. */
export function attachFlags({ stdin, stdout, stderr, framed }: AttachRequest): number {
  return (stdin ? 1 : 0) | (stdout ? 2 : 0) | (stderr ? 4 : 0) | (framed ? 8 : 0);
}

function writeStdio(writer: ByteWriter, stdio: StdioSettings): void {
  writer.u32(stdioKinds[stdio.kind]);
  const pipes = stdio.kind === 'pipes' ? stdio : undefined;
  writer.u32(pipes?.stdin ?? CWD);
  writer.u32(stdio.kind === 'pty' ? stdio.controller : (pipes?.stdout ?? CWD));
  writer.u32(pipes?.stderr ?? CWD);
  writer.u32(pipes?.stdinOnce === true ? 1 : 0);
}

function writeLog(writer: ByteWriter, { log }: MonitorSettings): void {
  const file = log.kind === 'json-file' ? log : undefined;
  writer.u32(file === undefined ? 0 : 1);
  writer.text(file?.path ?? '');
  writer.u64(file?.maxSizeBytes ?? 0);
  writer.u32(file?.maxFiles ?? 1);
  writer.text(file?.attrsJson ?? '');
}

function writeSlots(writer: ByteWriter, slots: readonly Slot[]): void {
  writer.u32(slots.length);
  for (const slot of slots) writer.u32(slot);
}

function writeForwards(writer: ByteWriter, held: readonly HeldSocket[]): void {
  const forwards = [...held.entries()].flatMap(([index, { forward }]) =>
    forward === undefined ? [] : [{ index, ...forward }]);
  writer.u32(forwards.length);
  for (const { index, protocol, address, port } of forwards) {
    writer.u32(index);
    writer.u32(forwardProtocols[protocol]);
    writer.u32(port);
    writer.blob(addressBytes(address));
  }
}

function writeTexts(writer: ByteWriter, texts: readonly string[]): void {
  writer.u32(texts.length);
  for (const text of texts) writer.text(text);
}

/** The status in answers to `wait` and `hello`. */
export function decodeExit(bytes: Buffer): ExitStatus {
  return {
    exitCode: bytes.readInt32LE(0),
    signal: bytes.readUInt32LE(4),
    oomKilled: bytes.readUInt32LE(8) !== 0,
    finishedAtMs: Number(bytes.readBigUInt64LE(12)),
    logBytesLost: Number(bytes.readBigUInt64LE(20)),
  };
}
