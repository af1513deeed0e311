/** A daemon of its own for a test: its roots, bridge and addresses are shared with nobody. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
  openSync,
  closeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { EngineApi } from './engine-api.js';
import { engineApi } from './engine-api.js';
import { leaks, removeLeaks, rootIdOf } from './leaks.js';

const program = fileURLToPath(new URL('../../daemon/tsdockerd.cjs', import.meta.url));
const startTimeoutMs = 100_000;
const stopTimeoutMs = 20_000;

/** The part of tap's test that is needed here. */
export interface Test {
  teardown(run: () => unknown): void;
  readonly passing: () => boolean;
  comment(text: string): void;
}

/** How the daemon differs from the usual one. */
export interface DaemonOptions {
  readonly flags?: readonly string[];
  readonly daemonJson?: object;
  readonly environment?: Readonly<Record<string, string>>;
  /** A command that becomes the one after it: in a mount namespace of its own, say. */
  readonly through?: readonly string[];
  /** The folder below the data root that the daemon makes its own. */
  readonly ownFolder?: string;
  /** No default bridge. */
  readonly isBridgeless?: true;
  /** A folder of the test's own, on a disk of its own. */
  readonly dataRoot?: string;
  /** Whose the roots are: an ordinary user's, who gets there. */
  readonly owner?: number;
  /** The test leaves something on purpose: it is removed, and not told of. */
  readonly mayLeak?: boolean;
}

/** A daemon under test. */
export interface TestDaemon {
  readonly socket: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly rootId: string;
  readonly bridge: string;
  /** Of the default bridge, as CIDR. */
  readonly address: string;
  readonly api: EngineApi;
  /** The program with its flags, to be run once more. */
  readonly command: readonly string[];
  /** Of the daemon that runs now; throws when none does. */
  pid(): number;
  log(): string;
  /** SIGTERM; resolves to the exit status. */
  stop(): Promise<number | null>;
  /** SIGKILL; resolves when it has gone. */
  kill9(): Promise<void>;
  /** Starts it again on the same roots, with these flags more. */
  start(...flags: readonly string[]): Promise<void>;
  /** What is left in the kernel of containers. */
  leaks(): readonly string[];
}

/** A /20 of 10.128.0.0/9 at random: its lower half for the bridge, the upper for networks. */
function randomRange(): { readonly bip: string; readonly pool: string } {
  const second = randomInt(128, 256);
  const third = randomInt(0, 16) * 16;
  return { bip: `10.${second}.${third}.1/24`, pool: `base=10.${second}.${third + 8}.0/21,size=26` };
}

async function untilAnswers(api: EngineApi, child: ChildProcess, log: () => string): Promise<void> {
  const deadlineMs = Date.now() + startTimeoutMs;
  while (Date.now() < deadlineMs) {
    if (!isAlive(child)) break;
    try {
      if ((await api.get('/_ping', { timeoutMs: 1000 })).status === 200) return;
    } catch (error) {
      if (!(error instanceof Error)) throw error; // not there yet
    }
    await sleep(10);
  }
  throw new Error(`the daemon does not answer:\n${log()}`);
}

function ended(child: ChildProcess, timeoutMs: number): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the daemon did not end in ${timeoutMs} ms`));
    }, timeoutMs);
    child.once('exit', (code) => {
      clearTimeout(timer);
      resolve(code);
    });
  });
}

function isAlive(child: ChildProcess | undefined): child is ChildProcess {
  return child !== undefined && child.exitCode === null && child.signalCode === null;
}

/** Removes what the test made, through the API: what is left after that is a leak. */
async function empty(api: EngineApi): Promise<void> {
  const containers: unknown = (await api.get('/containers/json?all=1')).json;
  for (const { Id } of Array.isArray(containers) ? containers : []) {
    await api.delete(`/containers/${String(Id)}?force=1&v=1`);
  }
  await api.post('/networks/prune');
}

/**
 * Starts a daemon and waits until it answers. At the test's end everything is removed, and what its
 * containers left in the kernel is a failure, and so is a warning of Node's; its log is shown when
 * the test has failed.
 */
export async function startDaemon(t: Test, options: DaemonOptions = {}): Promise<TestDaemon> {
  const directory = mkdtempSync(join(tmpdir(), 'tsd-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const base = options.dataRoot ?? join(directory, 'data');
  const dataRoot = join(base, options.ownFolder ?? '');
  const roots = { dataRoot, execRoot: join(directory, 'x') };
  const logPath = join(directory, 'log');
  const socket = join(directory, 's');
  const configFile = join(directory, 'daemon.json');
  mkdirSync(dataRoot, { recursive: true });
  mkdirSync(roots.execRoot);
  writeFileSync(configFile, JSON.stringify(options.daemonJson ?? {}));
  if (options.owner !== undefined) {
    chmodSync(directory, 0o755);
    for (const path of [directory, base, roots.execRoot]) {
      chownSync(path, options.owner, options.owner);
    }
  }
  const rootId = rootIdOf(roots.dataRoot);
  const bridge = `tsd${rootId}`;
  const range = randomRange();
  const flags = [
    '-H', `unix://${socket}`, '--data-root', base, '--exec-root', roots.execRoot,
    '--pidfile', join(directory, 'pid'), '--config-file', configFile,
    ...(options.isBridgeless ? ['--bridge', 'none'] : ['--bridge', bridge, '--bip', range.bip]),
    '--default-address-pool', range.pool, ...(options.flags ?? []),
  ];
  const api = engineApi(socket);
  const log = (): string => readFileSync(logPath, 'utf8');
  let child: ChildProcess | undefined;
  const start = async (...more: readonly string[]): Promise<void> => {
    if (isAlive(child)) throw new Error('the daemon runs already');
    const out = openSync(logPath, 'a');
    const argv = [...(options.through ?? []), process.execPath, program, ...flags, ...more];
    child = spawn(argv[0] ?? process.execPath, argv.slice(1), {
      stdio: ['ignore', out, out],
      detached: true,
      env: { ...process.env, ...options.environment },
    });
    closeSync(out);
    await untilAnswers(api, child, log);
  };
  const running = (): ChildProcess => {
    if (!isAlive(child)) throw new Error('the daemon does not run');
    return child;
  };
  const finish = async (signal: NodeJS.Signals): Promise<number | null> => {
    const now = running();
    now.kill(signal);
    return ended(now, stopTimeoutMs);
  };
  t.teardown(async () => {
    try {
      if (isAlive(child)) {
        await empty(api);
        const left = await settled(() => leaks(roots, running().pid));
        await finish('SIGTERM');
        // Assertions have ended by now: what is thrown here fails the test all the same.
        if (options.mayLeak !== true && left.length > 0)
          throw new Error(`left: ${left.join(', ')}`);
      }
      const warning = /^\(node:\d+\) .*/m.exec(log())?.[0];
      if (warning !== undefined) throw new Error(`Node has warned: ${warning}`);
    } finally {
      if (isAlive(child)) child.kill('SIGKILL');
      removeLeaks(roots);
      if (!t.passing()) t.comment(log());
    }
  });
  await start();
  return {
    ...roots,
    command: [process.execPath, program, ...flags],
    socket,
    rootId,
    bridge,
    address: range.bip,
    api,
    log,
    start,
    pid: () => running().pid ?? 0,
    stop: () => finish('SIGTERM'),
    kill9: async () => {
      await finish('SIGKILL');
    },
    leaks: () => leaks(roots, child?.pid),
  };
}

/** The kernel removes links and cgroups a moment later: waits for that, at most a second. */
async function settled(look: () => readonly string[]): Promise<readonly string[]> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const left = look();
    if (left.length === 0) return left;
    await sleep(100);
  }
  return look();
}
