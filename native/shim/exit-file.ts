import { readFile } from 'node:fs/promises';
import type { ExitStatus } from './monitor-settings.js';

/**
 * What the shim wrote when its process had ended; undefined when there is no such file: it still
 * runs, or the shim was killed. Throws when the file is not a shim's.
 */
export async function readExitFile(path: string): Promise<ExitStatus | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    // Node's errors carry a code; anything else is not ours to judge.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  // Checked field by field below.
  const status = JSON.parse(text) as Partial<ExitStatus>;
  const { exitCode, signal, oomKilled, finishedAtMs, logBytesLost } = status;
  const isWhole =
    typeof exitCode === 'number' &&
    typeof signal === 'number' &&
    typeof oomKilled === 'boolean' &&
    typeof finishedAtMs === 'number' &&
    typeof logBytesLost === 'number';
  if (!isWhole) throw new Error(`${path} is not an exit file`);
  return { exitCode, signal, oomKilled, finishedAtMs, logBytesLost };
}
