/** New namespaces by `clone`, others joined: by the host where it must, else by init. */
import { CWD, type Slot, type Step } from '../../../native/launch/opcodes.js';
import type { NamespaceType, OciLinux, OciNamespace } from '../oci.js';
import { hasOwn } from '../spec/namespaces.js';
import type { ProgramBuilder } from './builder.js';
import * as kernel from './kernel.js';

/** OCI's words for namespaces as clone(2)'s flags. */
export const cloneFlags: Readonly<Record<NamespaceType, number>> = {
  mount: kernel.CLONE_NEWNS,
  pid: kernel.CLONE_NEWPID,
  ipc: kernel.CLONE_NEWIPC,
  uts: kernel.CLONE_NEWUTS,
  network: kernel.CLONE_NEWNET,
  cgroup: kernel.CLONE_NEWCGROUP,
  user: kernel.CLONE_NEWUSER,
  time: kernel.CLONE_NEWTIME,
};

/**
 * Steps around `clone`. A time namespace is for the children of who makes it, and its clocks can
 * be set until there are any: so the host makes it, and then goes back to its own.
 */
export function timeNamespace(
  builder: ProgramBuilder,
  { namespaces, timeOffsets = {} }: OciLinux,
): { readonly before: readonly Step[]; readonly after: readonly Step[] } {
  if (!hasOwn(namespaces, 'time')) return { before: [], after: [] };
  const about = 'time namespace';
  const own = builder.slot();
  const offsets = builder.slot();
  const open = { op: 'openat2', dir: CWD, mode: 0, resolve: 0, about } as const;
  return {
    before: [
      { ...open, out: own, path: '/proc/self/ns/time', flags: kernel.O_RDONLY },
      { op: 'unshare', flags: kernel.CLONE_NEWTIME, about },
      { ...open, out: offsets, path: '/proc/self/timens_offsets', flags: kernel.O_WRONLY },
      ...Object.entries(timeOffsets).map(([clock, { secs, nanosecs }]): Step => ({
        op: 'write', fd: offsets, bytes: Buffer.from(`${clock} ${secs} ${nanosecs}\n`),
        about: `time offset ${clock}`,
      })),
      { op: 'close', fd: offsets },
    ],
    after: [
      { op: 'setns', fd: own, type: kernel.CLONE_NEWTIME, about }, { op: 'close', fd: own },
    ],
  };
}

/**
 * For clone3. With version 2 init is born in its group, so a cgroup namespace in the same call has
 * the right root; with version 1 it enters later, and unshares then.
 */
export function namespaceFlags(
  namespaces: readonly OciNamespace[],
  entry: 'tasks' | 'clone',
): number {
  return namespaces
    .filter(({ path }) => path === undefined)
    .filter(({ type }) => type !== 'time' && (type !== 'cgroup' || entry === 'clone'))
    .reduce((flags, { type }) => flags | cloneFlags[type], 0);
}

/** What is left for init to do. */
export interface JoinSlots {
  /** Steps of init that enter the namespaces which the host has opened. */
  readonly init: readonly Step[];
}

/**
 * Adds the host's steps: it opens all of them, and enters the pid namespace itself. A new network
 * namespace may have been passed on, in the slot `netns`.
 */
export function joinNamespaces(
  builder: ProgramBuilder,
  namespaces: readonly OciNamespace[],
  netns?: Slot,
): JoinSlots {
  const init: Step[] = netns === undefined ? [] : [
    { op: 'setns', fd: netns, type: kernel.CLONE_NEWNET, about: 'network namespace' },
    { op: 'close', fd: netns },
  ];
  for (const { type, path } of namespaces) {
    // A user namespace changes what may be done: it is entered apart, after these.
    if (path === undefined || type === 'user') continue;
    const fd: Slot = builder.slot();
    const about = `${type} namespace ${path}`;
    builder.host.push({
      op: 'openat2', out: fd, dir: CWD, path, flags: kernel.O_RDONLY, mode: 0, resolve: 0, about,
    });
    const join: Step = { op: 'setns', fd, type: cloneFlags[type], about };
    // A pid namespace is entered by the next child only: by init, when the host has joined.
    if (type === 'pid') builder.host.push(join);
    else init.push(join);
  }
  return { init };
}
