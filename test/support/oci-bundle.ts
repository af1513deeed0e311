/** Bundles of busybox, and our OCI runtime on a root of its own: for tests as root. */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

const program = fileURLToPath(new URL('../../cli/oci-runtime/main.js', import.meta.url));
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
  readonly start: (args: readonly string[], stdio?: number | 'pipe') => ChildProcess;
  /** Runs a command to its end, its input empty. */
  readonly call: (...args: readonly string[]) => Promise<Ended>;
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

/** Everything of it is gone when the test ends. */
export async function ociWorld(t: Test): Promise<OciWorld> {
  const folder = fs.mkdtempSync(join(tmpdir(), 'tsdocker-oci-'));
  const bundle = join(folder, 'bundle');
  const root = join(folder, 'root');
  const id = basename(folder);
  t.teardown(async () => {
    await world.call('delete', '--force', id);
    fs.rmSync(folder, { recursive: true, force: true });
  });
  const bin = join(bundle, 'rootfs', 'bin');
  fs.mkdirSync(bin, { recursive: true });
  fs.copyFileSync('/usr/bin/busybox', join(bin, 'busybox'));
  for (const applet of applets) fs.symlinkSync('busybox', join(bin, applet));
  const command = [process.execPath, program, '--root', root];
  const start = (args: readonly string[], stdio: number | 'pipe' = 'pipe'): ChildProcess =>
    spawn(process.execPath, [...command.slice(1), ...args], {
      cwd: bundle, stdio: ['pipe', stdio, stdio], timeout: TIMEOUT_MS,
    });
  const world: OciWorld = {
    folder, bundle, root, id, command, start,
    configure: (change) => configure(bundle, change),
    call: (...args) => {
      const child = start(args);
      child.stdin?.end();
      return ended(child);
    },
    // The document's shape is what tests look at.
    state: async () =>
      JSON.parse((await world.call('state', id)).stdout) as Readonly<Record<string, unknown>>,
    reach: async (status) => {
      for (let i = 0; i < 50; i++) {
        if ((await world.state())['status'] === status) return true;
        await sleep(50);
      }
      return false;
    },
  };
  await world.call('spec', '--bundle', bundle);
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
