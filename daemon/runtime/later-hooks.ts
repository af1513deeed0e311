/**
 * Hooks that are due when a container's process runs, and when it has ended. Which of them have
 * begun is in a file from before the gate opens until the last has run: a daemon that finds one
 * goes on there, so that each begins once, whatever becomes of the daemons.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { systemError } from '../../api-spec/errors.js';
import { hasCode } from '../../native/errno-error.js';
import { hooksAt, hookState, runHooks, type HookedContainer } from './hooks.js';
import { CREATE_FAILED } from './launch-error.js';
import type { OciHook } from './oci.js';

type Point = 'poststart' | 'poststop';

interface Due {
  readonly state: object;
  readonly hooks: Readonly<Record<Point, readonly OciHook[]>>;
  /** How many of each have begun. */
  readonly begun: Readonly<Record<Point, number>>;
}

/** Such hooks of all containers. */
export interface LaterHooks {
  /** What is to follow; before the gate of `pid` opens. */
  note(container: HookedContainer, pid: number): void;
  /** Runs what is left after the start; rejects at the first that fails (`ApiError` 500). */
  afterStart(id: string): Promise<void>;
  /** Runs what is left after the end, whatever becomes of one: an operator is told. */
  afterEnd(id: string): Promise<void>;
  /** Resolves when none of its hooks is running; rejects with the signal's reason. */
  settled(id: string, signal: AbortSignal): Promise<void>;
  /** Those of containers whose end no daemon has followed run in the background. */
  resume(live: ReadonlySet<string>): void;
}

/** Reads what is left of an earlier daemon; `folder` need not exist. */
export function laterHooks(folder: string, warn: (message: string) => void): LaterHooks {
  const noted = new Set(leftIn(folder));
  const running = new Map<string, Promise<void>>();
  /** One after the other for each container. */
  const inTurn = (id: string, work: () => Promise<void>): Promise<void> => {
    if (!noted.has(id)) return Promise.resolve();
    const turn = (running.get(id) ?? Promise.resolve()).then(work);
    const done = turn.catch(() => undefined).then(() => {
      if (running.get(id) === done) running.delete(id);
    });
    running.set(id, done);
    return turn;
  };
  const path = (id: string): string => `${folder}/${id}`;
  const hooks: LaterHooks = {
    note: (container, pid) => {
      const due = dueOf(container, pid);
      if (due.hooks.poststart.length + due.hooks.poststop.length === 0) return;
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      write(path(container.id), due);
      noted.add(container.id);
    },
    afterStart: (id) => inTurn(id, () => runPoststart(path(id))),
    afterEnd: (id) => inTurn(id, async () => {
      await runPoststop(path(id), (error) => warn(`${id}: ${words(error)}`));
      rmSync(path(id), { force: true });
      noted.delete(id);
    }),
    settled: (id, signal) => untilDone(running.get(id), signal),
    resume: (live) => {
      for (const id of [...noted].filter((each) => !live.has(each))) {
        hooks.afterEnd(id).catch((error: unknown) => warn(`${id}: ${words(error)}`));
      }
    },
  };
  return hooks;
}

function leftIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => !name.includes('.'));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function dueOf(container: HookedContainer, pid: number): Due {
  const { config } = container;
  return {
    state: hookState(container, 'running', pid),
    hooks: { poststart: hooksAt(config, 'poststart'), poststop: hooksAt(config, 'poststop') },
    begun: { poststart: 0, poststop: 0 },
  };
}

async function runPoststart(path: string): Promise<void> {
  const due = read(path);
  await run(path, due, { point: 'poststart', state: due.state }).catch((error: unknown) => {
    throw systemError(CREATE_FAILED + words(error), error);
  });
}

async function runPoststop(path: string, onFailure: (error: unknown) => void): Promise<void> {
  const due = read(path);
  const state = { ...due.state, status: 'stopped', pid: undefined };
  await run(path, due, { point: 'poststop', state, onFailure });
}

interface Run {
  readonly point: Point;
  readonly state: object;
  readonly onFailure?: (error: unknown) => void;
}

function run(path: string, { state: noted, hooks, begun }: Due, of: Run): Promise<void> {
  const { point, state, ...rest } = of;
  return runHooks(point, hooks[point], state, {
    ...rest,
    from: begun[point],
    onBegin: (index) => {
      write(path, { state: noted, hooks, begun: { ...begun, [point]: index + 1 } });
    },
  });
}

async function untilDone(done: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  if (done === undefined) return;
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  await Promise.race([done, aborted]);
}

function write(path: string, due: Due): void {
  writeFileSync(`${path}.new`, JSON.stringify(due), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

// Written whole, by rename, by `write`.
const read = (path: string): Due => JSON.parse(readFileSync(path, 'utf8')) as Due;

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));
