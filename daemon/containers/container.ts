import type { Task } from '../runtime/task.js';
import { Lease } from './lease.js';
import { Lock } from './lock.js';
import type { Sandbox } from './needs.js';
import type { PendingAttach } from './attach.js';
import type { ContainerHealth } from './health-schedule.js';
import type { ContainerRecord } from './record.js';
import { settledWithin } from './settled-within.js';

/** How long a client that does not read what it is sent may hold the news of the exit back. */
const maxOutputWaitMs = 500;

/**
 * A container with what is alive of it: the record is what lasts, the rest dies with the daemon.
 */
export class Container {
  /** Held for a transition only, never while a process, a disk or a client is waited for. */
  readonly lock = new Lock();
  /** Of its own folder: who writes there. */
  readonly lease = new Lease();
  /** Clients that attached before there was a task to attach to. */
  readonly pendingAttaches = new Set<PendingAttach>();
  /** Clients that are being sent the output: each ends with it. None of them rejects. */
  readonly outputs = new Set<Promise<void>>();
  readonly #exitListeners = new Set<(exitCode: number) => void>();
  readonly #removalListeners = new Set<(exitCode: number) => void>();

  /** Present exactly while the state is running or paused, and while a start is under way. */
  task: Task | undefined;
  sandbox: Sandbox | undefined;
  /** Of the last run too; undefined when it was never probed. */
  health: ContainerHealth | undefined;
  /** Present exactly while it is probed; aborted when that ends. */
  healthWatch: AbortController | undefined;
  /** Ends when everything of the last run has been given back. */
  teardown: Promise<void> = Promise.resolve();
  /** A restart that its policy has planned. */
  plannedStart: NodeJS.Timeout | undefined;
  /** The wait before the last restart by policy; 0 when there was none. */
  lastDelayMs = 0;
  /** It is being ended because it became unhealthy, after having been well for so long. */
  unwell: { readonly wellMs: number } | undefined;
  /** The next exit is somebody's wish: the policy leaves it alone. */
  exitIsWanted = false;
  /** Variables of its process that are never written down. */
  hiddenEnv: readonly string[] = [];

  constructor(public record: ContainerRecord) {}

  get id(): string {
    return this.record.id;
  }

  /** Waits for a transition that is under way, so that the state read next is one that lasts. */
  settle(): Promise<void> {
    return this.lock.run(() => Promise.resolve());
  }

  /** Calls `listener` at the next exit; the returned function takes that back. */
  onExit(listener: (exitCode: number) => void): () => void {
    this.#exitListeners.add(listener);
    return () => this.#exitListeners.delete(listener);
  }

  /** Calls `listener` once the container is removed, with its last exit code. */
  onRemoval(listener: (exitCode: number) => void): () => void {
    this.#removalListeners.add(listener);
    return () => this.#removalListeners.delete(listener);
  }

  /** Who waits for the exit has been sent the output before, as from Docker. */
  async outputsSent(): Promise<void> {
    if (this.outputs.size > 0) await settledWithin(this.outputs, maxOutputWaitMs);
  }

  tellExit(exitCode: number): void {
    callOnce(this.#exitListeners, exitCode);
  }

  tellRemoval(exitCode: number): void {
    callOnce(this.#removalListeners, exitCode);
  }
}

function callOnce(listeners: Set<(exitCode: number) => void>, exitCode: number): void {
  const told = [...listeners];
  listeners.clear();
  for (const listener of told) listener(exitCode);
}

/** What `State.ExitCode` shows: of the last run, 0 while it runs or when it never did. */
export function lastExitCode({ state }: ContainerRecord): number {
  switch (state.status) {
    case 'exited':
    case 'restarting':
      return state.exitCode;
    case 'created':
      return state.failure?.exitCode ?? 0;
    default:
      return 0;
  }
}
