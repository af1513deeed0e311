/**
 * Runs a test file in a network namespace of its own, so that nothing touches the machine's: the
 * file calls itself once more under `unshare -n`, and its TAP goes straight through.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const marker = 'TSDOCKER_TEST_NETNS';
const bornTimeoutMs = 5000;

/**
 * True in the private namespace, with lo up. Outside it runs the file inside, takes over its exit
 * status, and gives false: the caller does nothing more.
 */
export function inPrivateNetns(moduleUrl: string): boolean {
  if (process.env[marker] !== undefined) return true;
  const script = 'ip link set lo up && exec "$@"';
  const self = [process.execPath, ...process.execArgv, fileURLToPath(moduleUrl)];
  const { status, error } = spawnSync('unshare', ['-n', 'sh', '-c', script, 'sh', ...self], {
    stdio: 'inherit',
    env: { ...process.env, [marker]: '1' },
  });
  if (error !== undefined) throw error;
  process.exitCode = status ?? 1;
  return false;
}

/** A process that stands for a container: it sleeps in a network namespace of its own. */
export interface Sleeper {
  readonly pid: number;
  /** Kills it and waits for its end. */
  end(): Promise<void>;
}

/** Starts a sleeper; resolves when it is in its namespace. */
export async function startSleeper(): Promise<Sleeper> {
  const child = spawn('unshare', ['-n', 'sleep', '600'], { stdio: 'ignore' });
  const pid = child.pid;
  if (pid === undefined) throw new Error('unshare did not start');
  const own = readlinkSync('/proc/self/ns/net');
  const deadline = performance.now() + bornTimeoutMs;
  while (!isSettled(pid, own)) {
    if (performance.now() > deadline) throw new Error(`no namespace for ${pid}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return { pid, end: () => endOf(child) };
}

function isSettled(pid: number, own: string): boolean {
  return readlinkSync(`/proc/${pid}/ns/net`) !== own &&
    readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'sleep';
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

/** Runs a command in the namespace of `pid`; what it printed and how it ended. */
export function runInside(
  pid: number,
  ...command: readonly string[]
): Promise<{ readonly status: number | null; readonly output: string }> {
  const child = spawn('nsenter', ['-t', String(pid), '-n', ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const pieces: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  child.stderr.on('data', (piece: Buffer) => pieces.push(piece));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      resolve({ status, output: Buffer.concat(pieces).toString() });
    });
  });
}
