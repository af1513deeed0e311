/** The directories that belong to one daemon, and its sole right to them. */
import { chmodSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeOf } from '../native/errno-error.js';
import { tryLockFile } from '../native/file-lock.js';
import type { DaemonConfig } from './config/config.js';

/** Held for the daemon's life; `release` gives it up and removes the pid file. Idempotent. */
export interface DataRootClaim {
  release(): void;
}

function runningDaemon(pidfile: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(pidfile, 'utf8'), 10);
    // The number may have gone to a stranger since: only a daemon's command line counts.
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return pid !== process.pid && command.includes('tsdockerd') ? pid : undefined;
  } catch (error) {
    if (codeOf(error) !== '') return undefined;
    throw error;
  }
}

function claimPidfile(pidfile: string): () => void {
  const pid = runningDaemon(pidfile);
  if (pid !== undefined) {
    throw new Error(`process with PID ${pid} is still running; its pid file is ${pidfile}`);
  }
  mkdirSync(dirname(pidfile), { recursive: true });
  writeFileSync(pidfile, String(process.pid));
  return () => {
    rmSync(pidfile, { force: true });
  };
}

function makeDirectory(path: string, mode: number): void {
  mkdirSync(path, { recursive: true, mode });
  // mkdir leaves the mode of what exists and cuts it by the umask otherwise.
  chmodSync(path, mode);
}

/**
 * Makes the data root (0710) and the exec root (0700) and takes the lock on both: two daemons never
 * share one. Throws with a sentence for the user when another daemon has it.
 */
export function claimDataRoot(
  config: Pick<DaemonConfig, 'dataRoot' | 'execRoot' | 'pidfile'>,
): DataRootClaim {
  makeDirectory(config.dataRoot, 0o710);
  makeDirectory(config.execRoot, 0o700);
  const undo: (() => void)[] = [];
  const release = (): void => {
    for (const step of undo.splice(0).reverse()) step();
  };
  try {
    for (const root of new Set(
      [config.dataRoot, config.execRoot].map((path) => realpathSync(path)),
    )) {
      const lock = tryLockFile(join(root, 'lock'));
      if (lock === undefined)
        throw new Error(`${root} belongs to another tsdockerd that is running`);
      undo.push(() => lock.release());
    }
    if (config.pidfile !== undefined) undo.push(claimPidfile(config.pidfile));
  } catch (error) {
    release();
    throw error;
  }
  return { release };
}
