import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import type { Test } from 'tap';
import {
  launch, type HeldSocket, type Launching, type MonitorSettings,
} from '../../native/index.js';
import { containerProgram, monitorIn, type Container } from './launch-programs.js';

export interface Started {
  readonly dir: string;
  readonly launching: Launching;
  readonly log: () => readonly LogLine[];
}

export interface LogLine {
  readonly log: string;
  readonly stream: string;
  readonly time: string;
}

/** A folder with room for a root; it goes when the test ends. */
export function containerDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'tsdocker-shim-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, 'root'));
  return dir;
}

/** What a test adds to a container. */
export interface Wishes {
  readonly dir?: string;
  readonly held?: readonly HeldSocket[];
}

/** A container at the gate; when the test ends it is killed and its shim gone. */
export async function atGate(
  t: Test,
  container: Omit<Container, 'rootfs'>,
  settings: Partial<MonitorSettings> = {},
  { dir = containerDir(t), held = [] }: Wishes = {},
): Promise<Started> {
  const launching = await launch({
    program: containerProgram({ ...container, rootfs: join(dir, 'root') }),
    monitor: monitorIn(dir, container, settings),
    held,
  });
  t.teardown(() => end(launching));
  return { dir, launching, log: () => readLog(join(dir, 'log.json')) };
}

async function end({ shim }: Launching): Promise<void> {
  try {
    await shim.signal(9);
    await shim.exited;
    await shim.bye();
  } catch {
    // Gone already, or still at the gate: that ends when its launcher lets go.
    shim.disconnect();
  }
}

export function readLog(path: string): readonly LogLine[] {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  // The shape is what the tests look at.
  return lines.map((line) => JSON.parse(line) as LogLine);
}

/** Everything that the other side sends until it ends. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  // A socket without an encoding gives buffers.
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The payloads of stdcopy frames, by stream type. */
export function unframe(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const streams = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const type = bytes.readUInt8(at);
    const size = bytes.readUInt32BE(at + 4);
    const payload = bytes.subarray(at + 8, at + 8 + size);
    if (payload.length !== size) throw new Error('a torn frame');
    streams.set(type, Buffer.concat([streams.get(type) ?? Buffer.alloc(0), payload]));
    at += 8 + size;
  }
  return streams;
}
