/**
 * What lies beside the shim of an exec, in `<exec-root>/e`, which does not outlive the machine's
 * run: `<name>.json` says whose it is, `<name>.exit` how it ended, `<name>` is its socket. The
 * first comes before the shim, so that none is ever without a record. `<name>.process` describes
 * the process to another runtime.
 */
import * as fs from 'node:fs';
import { hasCode } from '../../native/errno-error.js';
import type { ExecRecord } from './exec-task.js';

/** Absolute paths of one exec's files; any of them may be absent. */
export interface ExecPaths {
  readonly socket: string;
  readonly exit: string;
  readonly record: string;
  readonly process: string;
}

/** As in the names of containers' sockets. */
const NAME_DIGITS = 16;

const folderOf = (execRoot: string): string => `${execRoot}/e`;

/** The paths for an exec's id; makes nothing. */
export function execPaths(execRoot: string, id: string): ExecPaths {
  return pathsOf(execRoot, id.slice(0, NAME_DIGITS));
}

function pathsOf(execRoot: string, name: string): ExecPaths {
  const socket = `${folderOf(execRoot)}/${name}`;
  const [exit, record, process] = [`${socket}.exit`, `${socket}.json`, `${socket}.process`];
  return { socket, exit, record, process };
}

/** Makes the folder when it is not there yet. */
export function rememberExec({ record }: ExecPaths, exec: ExecRecord): void {
  writePrivate(record, JSON.stringify(exec));
}

/** For another runtime: what it is to run, as in its config.json. */
export function describeProcess({ process }: ExecPaths, text: string): void {
  writePrivate(process, text);
}

function writePrivate(path: string, text: string): void {
  try {
    fs.writeFileSync(path, text, { mode: 0o600 });
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    fs.mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true, mode: 0o700 });
    fs.writeFileSync(path, text, { mode: 0o600 });
  }
}

/** Idempotent. */
export function forgetExec({ socket, exit, record, process }: ExecPaths): void {
  for (const path of [socket, exit, `${exit}.draft`, record, process]) removeIfThere(path);
}

/** `rmSync` looks at a path twice before it unlinks it. */
function removeIfThere(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/** All that there are; without `exec` where the record cannot be read. */
export function listExecs(
  execRoot: string,
): readonly { readonly paths: ExecPaths; readonly exec: ExecRecord | undefined }[] {
  const folder = folderOf(execRoot);
  if (!fs.existsSync(folder)) return [];
  const names = new Set(fs.readdirSync(folder).map((name) => name.slice(0, NAME_DIGITS)));
  return [...names].map((name) => {
    const paths = pathsOf(execRoot, name);
    return { paths, exec: readRecord(paths.record) };
  });
}

/** A record that was cut by a crash belongs to no shim yet. */
function readRecord(path: string): ExecRecord | undefined {
  try {
    // Only `rememberExec` writes there.
    return JSON.parse(fs.readFileSync(path, 'utf8')) as ExecRecord;
  } catch (error) {
    const isCut = error instanceof SyntaxError;
    const isGone = hasCode(error, 'ENOENT');
    if (isCut || isGone) return undefined;
    throw error;
  }
}
