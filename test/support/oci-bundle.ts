/** Bundles of busybox, and an OCI runtime on a root of its own: for tests as root. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { defaultConfig } from '../../cli/oci-runtime/default-bundle.js';
import { KEPT_FOLDER } from '../../cli/oci-runtime/kept-programs.js';

/** A runtime's program, and what it needs around it. */
export interface OciProgram {
  /** argv up to the global flags. */
  readonly command: readonly string[];
  /** Beside the test's own. */
  readonly environment?: NodeJS.ProcessEnv;
}

const built = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The runtime of this project: the program that others are given. */
export const ownRuntime: OciProgram = { command: [built('native/tsdocker-runtime')] };

/** The same by Node alone. */
export const nodeRuntime: OciProgram = {
  command: [process.execPath, built('cli/oci-runtime/main.cjs')],
};
const applets = ['sh', 'cat', 'sleep', 'id', 'tty', 'stty', 'ls', 'grep', 'readlink', 'trap'];
const TIMEOUT_MS = 20_000;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A bundle, a `--root`, and the runtime's command line. */
export interface OciWorld {
  readonly folder: string;
  readonly bundle: string;
  readonly root: string;
  /** A container id that no other test has. */
  readonly id: string;
  /** Rewrites config.json: what `spec` gave, without a terminal, changed by the caller. */
  readonly configure: (change: (config: Config) => void) => void;
  /** argv up to the command. */
  readonly command: readonly string[];
  readonly start: (args: readonly string[], stdio?: number | 'pipe' | 'ignore') => ChildProcess;
  /** Runs any argv in the bundle to its end, its input empty. */
  readonly run: (argv: readonly string[], environment?: NodeJS.ProcessEnv) => Promise<Ended>;
  /** Runs a command to its end, its input empty. */
  readonly call: (...args: readonly string[]) => Promise<Ended>;
  /** What is below its root, but launch programs. */
  readonly containers: () => readonly string[];
  readonly state: () => Promise<Readonly<Record<string, unknown>>>;
  /** Waits until the container's status is this. */
  readonly reach: (status: string) => Promise<boolean>;
}

/** The parts of config.json that tests change; what they do not is as `spec` writes it. */
export interface Config {
  process: Record<string, unknown>;
  mounts: unknown[];
  linux: Record<string, unknown>;
  hooks?: Record<string, unknown>;
  [name: string]: unknown;
}

/** Whether it becomes true within a time that is long for any machine. */
export async function soon(holds: () => boolean | Promise<boolean>): Promise<boolean> {
  for (const until = Date.now() + TIMEOUT_MS; Date.now() < until; await sleep(20)) {
    if (await holds()) return true;
  }
  return holds();
}

/** Removes the control groups that have such a name, unless somebody is in there. */
export function removeGroups(name: string): void {
  const command = ['/sys/fs/cgroup', '-depth', '-type', 'd', '-path', `*/${name}*`];
  spawnSync('find', [...command, '-exec', 'rmdir', '{}', ';'], { timeout: TIMEOUT_MS });
}

/** Everything of it is gone when the test ends. */
export async function ociWorld(t: Test, runtime: OciProgram = ownRuntime): Promise<OciWorld> {
  const folder = fs.mkdtempSync(join(tmpdir(), 'tsdocker-oci-'));
  const bundle = join(folder, 'bundle');
  const root = join(folder, 'root');
  const id = basename(folder);
  t.teardown(async () => {
    await world.call('delete', '--force', id);
    // crun leaves them when a create fails; of ours a test looks whether it does.
    if (runtime !== ownRuntime && runtime !== nodeRuntime) removeGroups(id);
    fs.rmSync(folder, { recursive: true, force: true });
  });
  const bin = join(bundle, 'rootfs', 'bin');
  fs.mkdirSync(bin, { recursive: true });
  fs.copyFileSync('/usr/bin/busybox', join(bin, 'busybox'));
  for (const applet of applets) fs.symlinkSync('busybox', join(bin, applet));
  const command = [...runtime.command, '--root', root];
  const spawned = (
    [program = '', ...words]: readonly string[],
    stdio: number | 'pipe' | 'ignore',
    environment = runtime.environment,
  ): ChildProcess =>
    spawn(program, words, {
      cwd: bundle, stdio: ['pipe', stdio, stdio], timeout: TIMEOUT_MS,
      env: { ...process.env, ...environment },
    });
  const start: OciWorld['start'] = (args, stdio = 'pipe') => spawned([...command, ...args], stdio);
  const world: OciWorld = {
    folder, bundle, root, id, command, start,
    configure: (change) => configure(bundle, change),
    call: (...args) => {
      const child = start(args);
      child.stdin?.end();
      return ended(child);
    },
    run: (argv, environment) => {
      const child = spawned(argv, 'pipe', environment);
      child.stdin?.end();
      return ended(child);
    },
    containers: () => fs.readdirSync(root).filter((name) => name !== KEPT_FOLDER),
    // The document's shape is what tests look at.
    state: async () =>
      JSON.parse((await world.call('state', id)).stdout) as Readonly<Record<string, unknown>>,
    reach: (status) => soon(async () => (await world.state())['status'] === status),
  };
  const text = JSON.stringify(defaultConfig());
  await fs.promises.writeFile(join(bundle, 'config.json'), text, { flag: 'wx' });
  world.configure(() => undefined);
  return world;
}

function configure(bundle: string, change: (config: Config) => void): void {
  const path = join(bundle, 'config.json');
  // Written by `spec`, or by this function.
  const config = JSON.parse(fs.readFileSync(path, 'utf8')) as Config;
  config.process['terminal'] = false;
  change(config);
  fs.writeFileSync(path, JSON.stringify(config));
}

/** What a child wrote until its pipes closed, and its exit code. */
export function ended(child: ChildProcess): Promise<Ended> {
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => (texts[name] += text));
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code) => resolve({ code, ...texts }));
  });
}

/** Everything below a path becomes this user's and this group's of the same number. */
export function giveTree(path: string, id: number): void {
  fs.lchownSync(path, id, id);
  if (!fs.lstatSync(path).isDirectory()) return;
  for (const name of fs.readdirSync(path)) giveTree(join(path, name), id);
}
