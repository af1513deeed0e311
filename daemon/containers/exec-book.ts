import { setImmediate as nextTurn } from 'node:timers/promises';
import { notFound } from '../../api-spec/errors.js';
import { settledWithin } from './settled-within.js';
import type { Container } from './container.js';
import type { ExecRecord, ExecTask } from '../runtime/exec-task.js';

/** Where an exec is in its life. */
export type ExecState =
  | { readonly status: 'created' }
  | { readonly status: 'starting' }
  | { readonly status: 'running'; readonly task: ExecTask }
  /** `pid` is 0 when it was never started. */
  | { readonly status: 'ended'; readonly pid: number; readonly exitCode: number };

/** How long the end of an exec can be asked about: its starter asks right after its output. */
const KEPT_AFTER_END_MS = 5 * 60_000;
/** Of all containers; the oldest that do not run go first. */
const MAX_EXECS = 10_000;

/** How long the end of an exec is not told because a client still reads its output. */
const MAX_UNHEARD_MS = 100;

/** An exec and who waits for it. Its record never changes; its state goes one way. */
export class Exec {
  #state: ExecState = { status: 'created' };
  readonly #listeners = new Set<() => void>();
  readonly #talks = new Set<Promise<void>>();

  constructor(readonly record: ExecRecord) {}

  get state(): ExecState {
    return this.#state;
  }

  become(state: ExecState): void {
    this.#state = state;
    for (const look of [...this.#listeners]) look();
  }

  /** Whether it has come so far, or does within `timeoutMs`. */
  async reaches(is: (state: ExecState) => boolean, timeoutMs: number): Promise<boolean> {
    const timeout = AbortSignal.timeout(timeoutMs);
    await this.#until(is, timeout);
    return is(this.#state);
  }

  /** A client's conversation with it, which `heard` waits for. */
  async talk(conversation: Promise<void>): Promise<void> {
    this.#talks.add(conversation);
    try {
      await conversation;
    } finally {
      this.#talks.delete(conversation);
    }
  }

  /** Once its clients have been told of its end; a slow one is waited for a while only. */
  async heard(): Promise<void> {
    if (this.#talks.size > 0) await settledWithin(this.#talks, MAX_UNHEARD_MS);
    // The last words of a conversation go out when it has returned.
    await nextTurn();
  }

  /** Resolves when it has ended, or when `signal` aborts. */
  ended(signal: AbortSignal): Promise<void> {
    return this.#until(({ status }) => status === 'ended', signal);
  }

  #until(is: (state: ExecState) => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!is(this.#state) && !signal.aborted) return;
        this.#listeners.delete(look);
        signal.removeEventListener('abort', look);
        resolve();
      };
      this.#listeners.add(look);
      signal.addEventListener('abort', look);
      look();
    });
  }
}

/** All execs, in memory only: what runs is found again by its shim. */
export class ExecBook {
  readonly #execs = new Map<string, Exec>();
  /** Containers whose end is listened for. */
  readonly #watched = new Set<string>();
  /** When those that have ended are forgotten, the first at the front. */
  readonly #ended: { readonly id: string; readonly dueMs: number }[] = [];
  #sweep: NodeJS.Timeout | undefined;

  /** `keptMs`: for how long the end of one can be asked about. */
  constructor(readonly keptMs = KEPT_AFTER_END_MS) {}

  /** `ApiError` 404 in Docker's words; execs have no names and no short ids. */
  resolve(id: string): Exec {
    const exec = this.#execs.get(id);
    if (exec === undefined) throw notFound(`No such exec instance: ${id}`);
    return exec;
  }

  add(exec: Exec, container: Container): void {
    this.#execs.set(exec.record.id, exec);
    this.#watch(container);
    if (this.#execs.size <= MAX_EXECS) return;
    for (const [id, { state }] of this.#execs) {
      if (state.status !== 'created' && state.status !== 'ended') continue;
      this.#execs.delete(id);
      return;
    }
  }

  /** Those of a container that have not ended: what inspect shows. */
  openIds(containerId: string): readonly string[] {
    return [...this.#of(containerId)]
      .filter(({ state }) => state.status !== 'ended')
      .map(({ record }) => record.id);
  }

  /** Forgets one that has ended, after a while; a probe at once, as nobody asks about it. */
  dropLater(exec: Exec): void {
    if (exec.record.isProbe === true) {
      this.#execs.delete(exec.record.id);
      return;
    }
    this.#ended.push({ id: exec.record.id, dueMs: performance.now() + this.keptMs });
    this.#sweep ??= setTimeout(() => this.#dropEnded(), this.keptMs).unref();
  }

  /** One timer for all: they end in the order in which they are dropped. */
  #dropEnded(): void {
    const nowMs = performance.now();
    const kept = this.#ended.findIndex(({ dueMs }) => dueMs > nowMs);
    const due = this.#ended.splice(0, kept < 0 ? this.#ended.length : kept);
    for (const { id } of due) this.#execs.delete(id);
    const [next] = this.#ended;
    this.#sweep = next === undefined
      ? undefined : setTimeout(() => this.#dropEnded(), next.dueMs - nowMs).unref();
  }

  /** With the container's process goes what was not started, with the container all. */
  #watch(container: Container): void {
    const { id } = container;
    if (this.#watched.has(id)) return;
    this.#watched.add(id);
    const drop = (which: (state: ExecState) => boolean) => (): void => {
      this.#watched.delete(id);
      for (const { record, state } of this.#of(id)) if (which(state)) this.#execs.delete(record.id);
    };
    container.onExit(drop(({ status }) => status === 'created'));
    container.onRemoval(drop(() => true));
  }

  *#of(containerId: string): Generator<Exec> {
    for (const exec of this.#execs.values()) {
      if (exec.record.containerId === containerId) yield exec;
    }
  }
}
