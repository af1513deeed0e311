import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { removeLeaks } from '../test/support/leaks.js';
import { openClient } from './client.js';

const startTimeoutMs = 20_000;
const stopTimeoutMs = 20_000;

/** A tsdockerd that the bench started. */
export interface LocalEngine {
  readonly socket: string;
  readonly pid: number;
  /** Ends it and removes its roots, and what it has in the kernel. */
  readonly stop: () => Promise<void>;
}

/** Starts tsdockerd on roots of its own, in `parent` or the system's folder for temporary files. */
export async function startLocalEngine(parent = tmpdir()): Promise<LocalEngine> {
  const folder = mkdtempSync(join(parent, 'tsb-'));
  const socket = join(folder, 's');
  const logPath = join(folder, 'log');
  const [second, third] = [randomInt(128, 256), randomInt(0, 16) * 16];
  for (const name of ['data', 'x']) mkdirSync(join(folder, name));
  const log = openSync(logPath, 'a');
  const program = fileURLToPath(new URL('../daemon/tsdockerd.cjs', import.meta.url));
  const child = spawn(
    process.execPath,
    [
      program,
      ...['-H', `unix://${socket}`, '--data-root', join(folder, 'data')],
      ...['--exec-root', join(folder, 'x'), '--pidfile', join(folder, 'pid')],
      ...['--bridge', `tsb${folder.slice(-6)}`, '--bip', `10.${second}.${third}.1/22`],
      ...['--default-address-pool', `base=10.${second}.${third + 8}.0/21,size=26`],
    ],
    { stdio: ['ignore', log, log], detached: true },
  );
  closeSync(log);
  try {
    await untilAnswers(socket, child);
  } catch (problem) {
    process.stderr.write(readFileSync(logPath, 'utf8'));
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
    throw problem;
  }
  return {
    socket,
    pid: child.pid ?? 0,
    stop: async () => {
      await end(child);
      // A daemon leaves its bridge and table for its successor; this one has none.
      removeLeaks({ dataRoot: join(folder, 'data'), execRoot: join(folder, 'x') });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilAnswers(socket: string, child: ChildProcess): Promise<void> {
  const client = openClient(socket);
  const deadlineMs = Date.now() + startTimeoutMs;
  let last: unknown;
  try {
    while (Date.now() < deadlineMs && child.exitCode === null) {
      try {
        await client.text('GET', '/_ping');
        return;
      } catch (problem) {
        last = problem; // Not there yet: told if it stays so.
      }
      await pause(20);
    }
  } finally {
    client.close();
  }
  throw new Error('tsdockerd does not answer', { cause: last });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  await ended;
  clearTimeout(timer);
}
