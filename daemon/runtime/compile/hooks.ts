/** Hooks that run in the container's namespaces: init runs them where it stands in its launch. */
import { CWD, type Slot, type Step } from '../../../native/launch/opcodes.js';
import type { OciHook } from '../oci.js';
import type { ProgramBuilder } from './builder.js';
import * as kernel from './kernel.js';

/** By the point at which they run. */
export interface InnerHooks {
  /** Before the pivot: with the host's files, in the container's namespaces. */
  readonly createContainer: readonly OciHook[];
  /** Right before the program, and as it: after the gate. */
  readonly startContainer: readonly OciHook[];
  /** Files of the host with the state that they get; written before `CREATED` is answered. */
  readonly states: Readonly<Record<Point, string>>;
}

/** The name of a list of hooks, as OCI has it. */
export type Point = 'createContainer' | 'startContainer';

const points = ['createContainer', 'startContainer'] as const;
const FIRST_STATE = 32;

/** No hooks at all. */
export const noHooks: InnerHooks = {
  createContainer: [], startContainer: [], states: { createContainer: '', startContainer: '' },
};

/** Host, after `CREATED`: hands the states over that are asked for. */
export function sendStates(builder: ProgramBuilder, hooks: InnerHooks): void {
  const file = builder.slot();
  for (const [index, point] of points.entries()) {
    if (hooks[point].length === 0) continue;
    const about = `state of ${point} hooks`;
    builder.host.push(
      {
        op: 'openat2', out: file, dir: CWD, path: hooks.states[point], flags: kernel.O_RDONLY,
        mode: 0, resolve: 0, about,
      },
      { op: 'notifyFd', token: FIRST_STATE + index, fd: file, about },
      { op: 'close', fd: file },
    );
  }
}

/** Init: runs those of one point. What is `before` them happens only when there are any. */
export function runHooks(
  builder: ProgramBuilder,
  hooks: InnerHooks,
  point: Point,
  before: readonly Step[] = [],
): void {
  const list = hooks[point];
  if (list.length === 0) return;
  const input: Slot = builder.slot();
  builder.init.push(
    { op: 'awaitFd', token: FIRST_STATE + points.indexOf(point), out: input },
    ...before,
    ...list.map((hook, index): Step => ({
      op: 'hook', input, timeoutMs: (hook.timeoutSeconds ?? 0) * 1000, path: hook.path,
      argv: hook.args, env: hook.env, about: `hook ${point}[${index}] ${hook.path}`,
    })),
    { op: 'close', fd: input },
  );
}
