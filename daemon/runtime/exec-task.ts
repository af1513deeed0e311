/** One more process in a live container, under a shim of its own: what the callers see of it. */
import type { Duplex } from 'node:stream';
import type { MountRecipe } from '../../storage-drivers/driver.js';
import type { ContainerRecord } from '../containers/record.js';
import type { AttachOptions, Task } from './task.js';

/** What an exec runs and how; kept beside its shim, for a daemon that comes later. */
export interface ExecRecord {
  /** 64 hex. */
  readonly id: string;
  readonly containerId: string;
  /** Program and arguments; at least one. */
  readonly command: readonly string[];
  /** Empty for the container's own. */
  readonly user: string;
  /** Added to the container's own variables. */
  readonly env: readonly string[];
  /** Absolute; empty for the container's own. */
  readonly workingDir: string;
  readonly tty: boolean;
  readonly privileged: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Started by the daemon for itself: one that comes later ends it. */
  readonly isProbe?: boolean;
  /** As the user spelled them; absent for the default. */
  readonly detachKeys?: string;
  /** In characters, `[rows, columns]`; absent when unknown. */
  readonly consoleSize?: readonly [number, number];
}

/** An exec to be run. */
export interface ExecRequest {
  readonly exec: ExecRecord;
  readonly container: ContainerRecord;
  readonly task: Task;
  /** Where the container's files are, for the look-up of users; called only when needed. */
  readonly rootfs: () => Promise<MountRecipe>;
  /** Who is attached from its first byte on. */
  readonly attach?: AttachOptions;
  /**
   * Its own connection, for the shim to speak on: its descriptor at the moment, which stays the
   * caller's; undefined where it cannot be had.
   */
  readonly client?: () => number | undefined;
}

/** A process beside a container's first one. It outlives the daemon; `recoverExecs` finds it. */
export type ExecTask = Pick<Task, 'pid' | 'signal' | 'resize' | 'exited' | 'dispose'>;

/** One that runs. */
export interface LiveExec {
  readonly task: ExecTask;
  /** Of who is attached, unless the shim speaks with them. */
  readonly stream?: Duplex;
}

/** An exec that an earlier daemon started, live or just ended. */
export interface FoundExec {
  readonly exec: ExecRecord;
  readonly task: ExecTask;
}
