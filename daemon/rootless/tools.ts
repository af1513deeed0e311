/** Programs of others that a daemon without privileges needs: setuid ones, and pasta. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findProgram } from '../../native/find-program.js';

const run = promisify(execFile);

/** How long one of them may take. */
const timeoutMs = 30_000;
/** What it says is read so far. */
const maxOutputBytes = 64 * 1024;

const packages = { newuidmap: 'uidmap', newgidmap: 'uidmap', pasta: 'passt' } as const;

/** A program that is looked up. */
export type Tool = keyof typeof packages;

/** Its path. Throws with what to install. */
export function findTool(name: Tool, path = process.env['PATH'] ?? ''): string {
  const found = findProgram(name, ['/usr/bin', '/bin'], path);
  if (found !== undefined) return found;
  throw new Error(`--rootless needs ${name}, which is not installed: install the package ` +
    `${packages[name]} (apt-get install ${packages[name]})`);
}

/** Runs it to its end. Rejects with what it said. */
export async function runTool(path: string, args: readonly string[]): Promise<void> {
  try {
    await run(path, args, { timeout: timeoutMs, maxBuffer: maxOutputBytes });
  } catch (error) {
    throw new Error(`${[path, ...args].join(' ')}: ${wordsOf(error)}`, { cause: error });
  }
}

function wordsOf(error: unknown): string {
  const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  return stderr === '' ? String(error) : stderr;
}
