/** What is done with another runtime's program for one container: its words, and its removal. */
import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { invalidParameter, systemError } from '../../../api-spec/errors.js';
import { findProgram } from '../../../native/find-program.js';
import { LaunchError } from '../../../native/launch/encode.js';
import { builtFile } from '../../../native/libc.js';
import type { BundlePaths } from '../bundle.js';
import type { CompiledLaunch, LaunchPlan } from '../compile.js';
import { CREATE_FAILED, launchFailure } from '../launch-error.js';
import type { OciConfig } from '../oci.js';
import { INIT_PATH } from '../spec.js';
import { compileForeign, START_TIMEOUT_MS } from './compile.js';

/** A runtime as the daemon's configuration names it. */
export interface ForeignRuntime {
  /** Absolute, or a name that is found in PATH. */
  readonly path: string;
  readonly runtimeArgs: readonly string[];
}

/** One container of another runtime. */
export interface ForeignContainer {
  /** What its config.json says: what our own program has besides OCI is put into OCI's words. */
  readonly config: (own: OciConfig) => OciConfig;
  readonly compile: (config: OciConfig, plan: LaunchPlan) => CompiledLaunch;
  /** A failed launch in Docker's words, with the runtime's own. */
  readonly failure: (error: unknown) => unknown;
  /**
   * The command, and its environment, for one more process of the container, described in `file`,
   * where `pid`, its first process, is the runtime's own program: the container's processes are
   * then not the host's. Undefined otherwise: its namespaces can be entered.
   */
  readonly execCommand: (pid: number, file: string) => ForeignCommand | undefined;
  /** Whatever the runtime keeps of it is gone. Idempotent. */
  readonly remove: () => Promise<void>;
}

/** A program with its words, the first absolute. */
export interface ForeignCommand {
  readonly command: readonly string[];
  readonly env: readonly string[];
}

/** The newest version that Debian's crun takes. */
const SPEC_VERSION = '1.0.2';
const DELETE_TIMEOUT_MS = 20_000;

/** `name` is the runtime's, which has a state folder of its own below `execRoot`. */
export function foreignContainer(
  name: string,
  { path, runtimeArgs }: ForeignRuntime,
  { id, execRoot, paths }: {
    readonly id: string;
    readonly execRoot: string;
    readonly paths: BundlePaths;
  },
): ForeignContainer {
  const log = join(paths.bundle, 'runtime.log');
  const root = join(execRoot, 'r', name);
  const env = [`PATH=${process.env['PATH'] ?? ''}`];
  const flags = ['--log', log, '--log-format', 'json', '--root', root];
  const program = programOf(path);
  const command = [program, ...runtimeArgs, ...flags];
  return {
    config: foreignConfig,
    compile: (config, plan) => {
      fs.rmSync(log, { force: true });
      fs.mkdirSync(root, { recursive: true, mode: 0o700 });
      return compileForeign(config, {
        ...plan, command, env, containerId: id, pidFile: join(paths.bundle, 'runtime.pid'),
        consoleSocket: `${paths.socket}.tty`,
      });
    },
    failure: (error) => foreignFailure(error, log),
    execCommand: (pid, file) => isSameFile(`/proc/${pid}/exe`, program)
      ? { command: [...command, 'exec', '--process', file, id], env }
      : undefined,
    remove: async () => {
      fs.rmSync(`${paths.socket}.tty`, { force: true });
      await removeKept(root, id, command);
    },
  };
}

/** What sweeping is told. */
export interface ForeignSweep {
  readonly runtimes: Readonly<Record<string, ForeignRuntime>>;
  readonly execRoot: string;
  readonly known: ReadonlySet<string>;
  readonly warn: (message: string, cause: unknown) => void;
}

/**
 * Everything that this daemon's runtimes keep of containers that are not `known` is gone; what one
 * cannot remove, its program perhaps no longer being there, is told and stays.
 */
export async function sweepForeign(
  { runtimes, execRoot, known, warn }: ForeignSweep,
): Promise<void> {
  for (const [name, { path, runtimeArgs }] of Object.entries(runtimes)) {
    const root = join(execRoot, 'r', name);
    const command = [programOf(path), ...runtimeArgs, '--root', root];
    for (const id of [...keptBy(root)].filter((each) => !known.has(each))) {
      await removeKept(root, id, command).catch((error: unknown) => {
        warn(`what runtime ${name} keeps of ${id} is not removed`, error);
      });
    }
  }
}

/** Somebody else may remove it meanwhile: a container that ends while the daemon starts. */
async function removeKept(root: string, id: string, command: readonly string[]): Promise<void> {
  if (!keptBy(root).has(id)) return;
  const [program = '', ...args] = command;
  try {
    await run(program, [...args, 'delete', '--force', id]);
  } catch (error) {
    if (keptBy(root).has(id)) throw error;
  }
}

/** The containers that a runtime keeps something of: folders of their ids, or files with these. */
function keptBy(root: string): ReadonlySet<string> {
  const names = fs.existsSync(root) ? fs.readdirSync(root) : [];
  return new Set(names.map((name) => /[0-9a-f]{64}/.exec(name)?.[0] ?? name));
}

function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => fs.statSync(path, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

function programOf(path: string): string {
  if (path.includes('/')) return path;
  return findProgram(path) ?? path;
}

function run(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: DELETE_TIMEOUT_MS }, (error, _stdout, stderr) => {
      if (error === null) resolve();
      else reject(new Error(`${program}: ${stderr.trim()}`, { cause: error }));
    });
  });
}

/** `--init` is our own program, which others know only as a file. */
function foreignConfig(own: OciConfig): OciConfig {
  if (own.linux.uidMappings !== undefined) {
    throw invalidParameter('remapped users are not supported with other runtimes');
  }
  const special = own.mounts.find(({ subpath, stack }) => (subpath ?? stack) !== undefined);
  if (special !== undefined) {
    throw invalidParameter(
      `mount ${special.destination}: subpaths and images are not supported with other runtimes`,
    );
  }
  const init = {
    destination: INIT_PATH, type: 'bind', source: builtFile('tsdocker-shim'),
    options: ['bind', 'ro'],
  };
  const mounts = own.process.args[0] === INIT_PATH ? [...own.mounts, init] : own.mounts;
  return { ...own, ociVersion: SPEC_VERSION, mounts };
}

const askedWrongly = /not found|no such file|permission denied/i;

function foreignFailure(error: unknown, log: string): unknown {
  if (error instanceof LaunchError && error.step?.op === 'spawnAtGate' &&
    error.code === 'ETIMEDOUT') {
    const late = `start took longer than ${START_TIMEOUT_MS / 1000} s: unknown`;
    return systemError(CREATE_FAILED + late, error);
  }
  const isIts = error instanceof LaunchError && error.code === 'EPROTO';
  const said = isIts ? lastWord(log) : undefined;
  if (said === undefined) return launchFailure(error);
  const text = `${CREATE_FAILED}${said}: unknown`;
  return askedWrongly.test(said) ? invalidParameter(text, error) : systemError(text, error);
}

/** Of the log's last line the message; undefined when there is none. */
function lastWord(log: string): string | undefined {
  if (!fs.existsSync(log)) return undefined;
  const line = fs.readFileSync(log, 'utf8').trimEnd().split('\n').at(-1) ?? '';
  try {
    const entry: unknown = JSON.parse(line);
    const isEntry = typeof entry === 'object' && entry !== null && 'msg' in entry;
    return isEntry ? String(entry.msg) : line;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return line === '' ? undefined : line; // not every runtime writes JSON
  }
}
