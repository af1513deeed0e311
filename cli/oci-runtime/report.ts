import * as fs from 'node:fs';

/** Where `--log`, `--log-format` and `--debug` send messages. */
export interface LogTarget {
  /** A file; stderr only when absent. */
  readonly path?: string;
  readonly format: 'text' | 'json';
  /** Whether what is of use for finding faults is written too. */
  readonly debug: boolean;
}

/** As containerd and podman read it. */
export type Level = 'debug' | 'warning' | 'error';

/**
 * Adds a line to the log file, as containerd and podman read it, and tells errors on stderr.
 * Synchronous: Node's own streams would make pipes that the container inherits non-blocking.
 */
export function report(target: LogTarget, level: Level, message: string): void {
  if (level === 'debug' && !target.debug) return;
  const time = new Date().toISOString();
  const line =
    target.format === 'json'
      ? JSON.stringify({ level, msg: message, time })
      : `time="${time}" level=${level} msg=${JSON.stringify(message)}`;
  if (target.path !== undefined) fs.appendFileSync(target.path, `${line}\n`, { mode: 0o600 });
  if (level === 'error' || target.path === undefined) {
    fs.writeSync(2, target.format === 'json' ? `${line}\n` : `${message}\n`);
  }
}
