/**
 * What lies of execs in `<exec-root>/e`, which does not outlive the machine's run: the sockets of
 * their shims, which keep their records and remove them when they go. `<name>.process` describes
 * the process to another runtime.
 */
import * as fs from 'node:fs';
import { hasCode } from '../../native/errno-error.js';

/** Absolute paths of one exec's files; any of them may be absent. */
export interface ExecPaths {
  readonly socket: string;
  readonly process: string;
}

/** As in the names of containers' sockets. */
const NAME_DIGITS = 16;

/** The paths for an exec's id, unless its shim has a socket already; makes nothing. */
export function execPaths(execRoot: string, id: string): ExecPaths {
  return pathsOf(execRoot, id.slice(0, NAME_DIGITS));
}

function pathsOf(execRoot: string, name: string): ExecPaths {
  return pathsAt(`${execRoot}/e/${name}`);
}

/** The paths of an exec whose shim had its socket before. */
export function pathsAt(socket: string): ExecPaths {
  return { socket, process: `${socket}.process` };
}

/** For another runtime: what it is to run, as in its config.json. */
export function describeProcess({ process }: ExecPaths, text: string): void {
  fs.writeFileSync(process, text, { mode: 0o600 });
}

/** Idempotent. */
export function forgetExec({ socket, process }: ExecPaths): void {
  for (const path of [socket, process]) removeIfThere(path);
}

/** `rmSync` looks at a path twice before it unlinks it. */
function removeIfThere(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/** All of which something is left. */
export function listExecs(execRoot: string): readonly ExecPaths[] {
  const names = new Set(fs.readdirSync(`${execRoot}/e`).map((name) => name.slice(0, NAME_DIGITS)));
  return [...names].map((name) => pathsOf(execRoot, name));
}
