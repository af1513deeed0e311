/** The OCI runtime's program beside Debian's crun: what podman and containerd wait for. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { defaultConfig } from '../../cli/oci-runtime/default-bundle.js';
import { create, removeAll } from '../container.js';
import type { Measure, Plan, Subject } from '../subject.js';

const busybox = '/bin/busybox';
const restMs = 50;
const endMs = 10_000;
const commands = ['create', 'state', 'start', 'kill', 'delete'] as const;

interface Runtime {
  readonly program: string;
  readonly environment: NodeJS.ProcessEnv;
}

/** How long each command took, in milliseconds. */
type Life = Readonly<Record<(typeof commands)[number], number>>;

const own: Runtime = {
  program: fileURLToPath(new URL('../../native/tsdocker-runtime', import.meta.url)),
  environment: {},
};

/** The one that the tests' set-up unpacked, or one that is installed; undefined for neither. */
function findCrun(): Runtime | undefined {
  const cache = process.env['TSDOCKER_TEST_CACHE'] ??
    join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'tsdocker-test');
  const unpacked = join(cache, 'crun');
  if (fs.existsSync(join(unpacked, 'usr/bin/crun'))) {
    const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
    const libraries = ['usr/lib', 'lib'].map((folder) => join(unpacked, folder, triplet));
    return {
      program: join(unpacked, 'usr/bin/crun'),
      environment: { LD_LIBRARY_PATH: libraries.join(delimiter) },
    };
  }
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const program = folders.map((each) => join(each, 'crun')).find((each) => fs.existsSync(each));
  return program === undefined ? undefined : { program, environment: {} };
}

const runtimeOf = ({ name }: Subject): Runtime | undefined =>
  name === 'tsdocker' ? own : findCrun();

/** Each command of a container's life, and a start in the daemon beside crun's two commands. */
export function runtimeMeasures(plan: Plan): readonly Measure[] {
  const rounds = plan.isQuick ? 5 : 20;
  const lives = new Map<string, Life[]>();
  const row = (command: (typeof commands)[number]): Measure => {
    const turns = new Map<string, number>();
    return {
      name: `OCI runtime: ${command}, beside crun`, unit: 'ms', better: 'lower', rounds,
      rival: 'crun',
      // Twice crun's time is what was asked for.
      ...(command === 'create' ? {} : { target: { ratio: 0.5 } }),
      run: async (subject) => {
        const known = lives.get(subject.name) ?? [];
        const turn = turns.get(subject.name) ?? 0;
        turns.set(subject.name, turn + 1);
        const life = known[turn] ?? (await live(subject));
        if (life === undefined) return undefined;
        known[turn] = life;
        lives.set(subject.name, known);
        return life[command];
      },
    };
  };
  return [
    ...commands.map(row),
    {
      name: 'start in the daemon, no network, beside crun create and start', unit: 'ms',
      better: 'lower', rounds, rival: 'crun', target: { ratio: 1 },
      run: async (subject) => {
        if (subject.name === 'tsdocker') return startInDaemon(subject, plan);
        const life = await live(subject);
        return life === undefined ? undefined : life.create + life.start;
      },
    },
  ];
}

async function startInDaemon({ client }: Subject, { image }: Plan): Promise<number> {
  const id = await create(client, { image, command: ['/bin/sleep', '1000'], network: 'none' });
  try {
    await pause(restMs);
    const from = performance.now();
    await client.text('POST', `/containers/${id}/start`);
    return performance.now() - from;
  } finally {
    await removeAll(client, [id]);
  }
}

/** A container from its creation to its removal; undefined when there is no such runtime. */
async function live(subject: Subject): Promise<Life | undefined> {
  const runtime = runtimeOf(subject);
  if (runtime === undefined) return undefined;
  const folder = fs.mkdtempSync(join(tmpdir(), 'tsbench-oci-'));
  try {
    return await liveIn(folder, runtime);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function liveIn(folder: string, runtime: Runtime): Promise<Life> {
  const id = folder.slice(folder.lastIndexOf('/') + 1);
  makeBundle(folder);
  const call = async (...args: readonly string[]): Promise<{ ms: number; told: string }> => {
    await pause(restMs);
    return run(folder, runtime, args);
  };
  try {
    const created = await call('create', id);
    const state = await call('state', id);
    const started = await call('start', id);
    const killed = await call('kill', id, 'KILL');
    // Both runtimes write it as JSON, pid included.
    await ended((JSON.parse(state.told) as { readonly pid: number }).pid);
    const deleted = await call('delete', id);
    return {
      create: created.ms, state: state.ms, start: started.ms, kill: killed.ms, delete: deleted.ms,
    };
  } catch (problem) {
    run(folder, runtime, ['delete', '--force', id]);
    throw problem;
  }
}

function makeBundle(folder: string): void {
  const bin = join(folder, 'rootfs/bin');
  fs.mkdirSync(bin, { recursive: true });
  fs.copyFileSync(busybox, join(bin, 'busybox'));
  fs.symlinkSync('busybox', join(bin, 'sleep'));
  const config = defaultConfig() as { readonly process: object };
  const process = { ...config.process, terminal: false, args: ['/bin/sleep', '1000'] };
  // Debian's crun knows no later version.
  const text = JSON.stringify({ ...config, ociVersion: '1.0.2', process });
  fs.writeFileSync(join(folder, 'config.json'), text);
}

function run(
  cwd: string,
  { program, environment }: Runtime,
  args: readonly string[],
): { readonly ms: number; readonly told: string } {
  const words = ['--root', join(cwd, 'root'), ...args];
  const isState = args[0] === 'state';
  const from = performance.now();
  const { status } = spawnSync(program, words, {
    cwd, env: { ...process.env, ...environment }, stdio: 'ignore',
  });
  const ms = performance.now() - from;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: exit status ${status}`);
  if (!isState) return { ms, told: '' };
  const told = spawnSync(program, words, {
    cwd, env: { ...process.env, ...environment }, encoding: 'utf8',
  });
  return { ms, told: told.stdout };
}

/** Whoever has to reap it may take its time. */
async function ended(pid: number): Promise<void> {
  for (const until = performance.now() + endMs; performance.now() < until; await pause(1)) {
    const path = `/proc/${pid}/stat`;
    if (!fs.existsSync(path) || / Z /.test(fs.readFileSync(path, 'utf8'))) return;
  }
  throw new Error(`process ${pid} does not end`);
}
