/** Other kernels for tests: see kernel.sh beside, which does the work. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../../test/support/kernel.sh', import.meta.url));

/** The script's word for a kernel that cannot be had on this machine. */
const unavailableStatus = 77;

/** How a command under another kernel ended. */
export type KernelRun =
  | { readonly kind: 'ended'; readonly status: number; readonly output: string }
  /** There is no such kernel here; the test is skipped with the reason. */
  | { readonly kind: 'unavailable'; readonly reason: string };

/** Runs a script that knows the word: `kernel.sh`, or one for another part of the machine. */
export function runScript(
  path: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<KernelRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
    let output = '';
    let complaint = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
    child.once('error', reject).once('close', (status) => {
      if (status === unavailableStatus) resolve({ kind: 'unavailable', reason: complaint.trim() });
      else resolve({ kind: 'ended', status: status ?? -1, output: output + complaint });
    });
  });
}

/** Runs a command under Debian's user-mode kernel: cgroup v2, this machine's files, no nftables. */
export function underUserModeKernel(
  command: readonly string[],
  timeoutMs = 180_000,
): Promise<KernelRun> {
  return runScript(script, ['uml', ...command], timeoutMs);
}

/** A machine whose power can be cut. */
export interface PoweredMachine {
  /** What it prints, line by line; ends with the machine. */
  readonly lines: AsyncIterable<string>;
  /** `kill -9` of the kernel: what it had not given to its disk is gone. */
  readonly cut: () => void;
  readonly ended: Promise<KernelRun>;
}

/**
 * Boots the user-mode kernel with a disk of its own (a file; `/dev/ubda` inside) and runs a command
 * there. `pidPath` is a file of the caller's that the kernel's process id is written to.
 */
export function poweredMachine(
  disk: { readonly path: string; readonly pidPath: string },
  command: readonly string[],
): PoweredMachine {
  const args = ['uml', '-d', disk.path, '-p', disk.pidPath, ...command];
  const child = spawn(script, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const ended = new Promise<KernelRun>((resolve, reject) => {
    child.once('error', reject).once('close', (status) => {
      if (status === unavailableStatus) resolve({ kind: 'unavailable', reason: complaint.trim() });
      else resolve({ kind: 'ended', status: status ?? -1, output: complaint });
    });
  });
  return {
    lines: createInterface({ input: child.stdout }),
    cut: () => process.kill(Number(readFileSync(disk.pidPath, 'utf8')), 'SIGKILL'),
    ended,
  };
}

/**
 * Boots Debian 12's or 13's cloud kernel under QEMU with the files of a folder and busybox, and
 * runs a command there. The folder's file `modules` names kernel modules to be loaded before.
 */
export function underCloudKernel(
  version: '6.1' | '6.12',
  root: string,
  command: readonly string[],
  timeoutMs = 300_000,
): Promise<KernelRun> {
  return runScript(script, ['qemu', version, root, ...command], timeoutMs);
}

/**
 * The same kernels with a disk that holds Node and this project as it is built; the command starts
 * in the project's folder.
 */
export function projectUnderCloudKernel(
  version: '6.1' | '6.12',
  command: readonly string[],
  timeoutMs = 300_000,
): Promise<KernelRun> {
  return runScript(script, ['cloud', version, ...command], timeoutMs);
}
