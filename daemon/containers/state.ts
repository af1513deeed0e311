/**
 * The life of a container as a table. Pure: `become` is the only way from one state to the next,
 * and refuses what the table does not list. Docker's booleans are derived where they are shown.
 */
import { conflict } from '../../api-spec/errors.js';

/**
 * Where a container is in its life, with the facts that only that state has. Times in ms since the
 * epoch.
 */
export type ContainerState =
  | {
      readonly status: 'created';
      /** Why its last start came to nothing; it never ran. */
      readonly failure?: { readonly exitCode: number; readonly error: string };
    }
  | {
      readonly status: 'running' | 'paused';
      readonly pid: number;
      readonly startedAtMs: number;
      /** Processes of this run that were killed because memory ran out, as far as is told. */
      readonly oomKills?: number;
    }
  | {
      readonly status: 'restarting';
      readonly startedAtMs: number;
      readonly finishedAtMs: number;
      readonly exitCode: number;
      readonly oomKilled: boolean;
    }
  | ExitedState
  | { readonly status: 'removing' }
  | { readonly status: 'dead'; readonly error: string };

/** Ended, or never started in spite of a try; kept until the removal or the next start. */
export interface ExitedState {
  readonly status: 'exited';
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** Why it could not be started, or why the exit code is not its own; empty for none. */
  readonly error: string;
}

/** Docker's word for a state. */
export type Status = ContainerState['status'];

/** Which states may follow which. */
export const transitions: Readonly<Record<Status, readonly Status[]>> = {
  created: ['created', 'running', 'removing'],
  running: ['paused', 'restarting', 'exited'],
  paused: ['running', 'restarting', 'exited'],
  restarting: ['running', 'restarting', 'exited', 'removing'],
  exited: ['running', 'exited', 'removing'],
  removing: ['dead'],
  dead: ['removing'],
};

/**
 * The next state, or a refusal (`ApiError` 409). A start that came to nothing leaves `created` and
 * `exited` as they are, with the reason, as Docker has it.
 */
export function become(from: ContainerState, to: ContainerState): ContainerState {
  if (!transitions[from.status].includes(to.status)) {
    throw conflict(`a container that is ${from.status} cannot become ${to.status}`);
  }
  return to;
}

/** Whether a process of it exists. */
export function isLive(
  state: ContainerState,
): state is Extract<ContainerState, { status: 'running' | 'paused' }> {
  return state.status === 'running' || state.status === 'paused';
}
