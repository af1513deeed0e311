/** How init comes to be: the host's `clone`, and init's first steps, into groups and namespaces. */
import { CWD, type Slot, type Step } from '../../../native/launch/opcodes.js';
import { LAUNCH_TIMEOUT_MS } from '../../../native/shim/launch.js';
import type { CgroupEntry } from '../cgroup/index.js';
import type { OciConfig } from '../oci.js';
import { hasOwn } from '../spec/namespaces.js';
import type { ProgramBuilder } from './builder.js';
import * as kernel from './kernel.js';
import {
  joinNamespaces, namespaceFlags, timeNamespace, type JoinSlots,
} from './namespaces.js';
import { oomScore } from './process.js';
import { enterUserns } from './userns.js';

/** What it depends on. */
export interface BirthParts {
  readonly builder: ProgramBuilder;
  readonly slots: { readonly scratch: Slot };
  readonly config: OciConfig;
  readonly plan: { readonly cgroup: CgroupEntry; readonly netnsIsPassed?: boolean };
  /** Init lives in the shim's memory until it executes; no strand may wait for the other. */
  readonly borrows: boolean;
  /** What the new process enters its groups by. */
  readonly entry: readonly Slot[];
  /** Absent when that is the host's. */
  readonly userns: Slot | undefined;
}

/** Adds these steps; the slot where init looks for a network namespace that is passed on. */
export function makeInit(parts: BirthParts): Slot | undefined {
  const { builder, config: { linux }, plan: { netnsIsPassed = false } } = parts;
  const netns = netnsIsPassed ? builder.slot() : undefined;
  const joins = joinNamespaces(builder, linux.namespaces, netns);
  clone(parts, netns);
  enterNamespaces(parts, joins);
  return netns;
}

/** Of a user namespace's the rest is init's. */
function clone(
  { builder, config: { linux }, plan: { cgroup }, entry, userns, borrows }: BirthParts,
  netns: Slot | undefined,
): void {
  const [folder = CWD] = entry;
  const time = timeNamespace(builder, linux);
  const made = linux.namespaces.filter(({ type }) => type !== 'network' || netns === undefined);
  builder.host.push(
    ...time.before,
    cloneStep({
      flags: userns === undefined ? namespaceFlags(made, cgroup.kind) : 0,
      cgroup: cgroup.kind === 'clone' ? folder : CWD, about: 'namespaces',
    }, borrows),
    ...time.after,
    ...(netns === undefined ? [] : [{ op: 'close', fd: netns } as const]),
  );
}

/**
 * The step that makes init. One that borrows the shim's memory spares the kernel a copy of it,
 * which costs more than all else of a small process, and the faults of who writes to it afterwards.
 */
export function cloneStep(
  born: { readonly flags: number; readonly cgroup: Slot; readonly about: string },
  borrows: boolean,
): Step {
  return borrows
    ? { op: 'cloneVm', ...born, limitMs: LAUNCH_TIMEOUT_MS }
    : { op: 'clone', ...born };
}

function enterNamespaces(parts: BirthParts, joins: JoinSlots): void {
  const { builder: { init }, config: { process, linux }, plan, slots, userns } = parts;
  if (plan.cgroup.kind === 'tasks') {
    for (const fd of parts.entry) {
      init.push({ op: 'write', fd, bytes: Buffer.from('0'), about: 'cgroup' });
    }
  }
  // While the host's files are still within reach.
  init.push(...oomScore(process, slots.scratch), ...joins.init);
  if (userns !== undefined) {
    init.push(...enterUserns(userns, linux));
  } else if (plan.cgroup.kind === 'tasks' && hasOwn(linux.namespaces, 'cgroup')) {
    // After the entry: else the container's root would be the shim's group.
    init.push({ op: 'unshare', flags: kernel.CLONE_NEWCGROUP, about: 'cgroup namespace' });
  }
}
