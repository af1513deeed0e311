/** /sys/fs/cgroup inside: one filesystem (version 2), or a folder of hierarchies (version 1). */
import { CWD, type Slot, type Step } from '../../../native/launch/opcodes.js';
import type { CgroupEntry, CgroupView } from '../cgroup/index.js';
import type { OciMount } from '../oci.js';
import type { ProgramBuilder, SharedSlots } from './builder.js';
import * as kernel from './kernel.js';
import { parseMountOptions } from './mount-options.js';
import { makeFilesystem } from './filesystem.js';

/** What the steps of any mount need to know. */
export interface MountContext {
  readonly builder: ProgramBuilder;
  readonly slots: SharedSlots;
  readonly cgroup: CgroupEntry;
  /** The container has a cgroup namespace of its own. */
  readonly ownCgroupNamespace: boolean;
}

/** Where the host has its hierarchies, for a container without a cgroup namespace on version 2. */
const HOST_CGROUPS = '/sys/fs/cgroup';

/** Adds the steps for a mount of type `cgroup`, whatever that is on this machine. */
export function mountCgroups(context: MountContext, mount: OciMount): void {
  if (context.cgroup.kind === 'clone') mountUnified(context, mount);
  else mountHierarchies(context, mount, context.cgroup.views);
}

function place({ builder, slots }: MountContext, mount: OciMount, tree: Slot): void {
  const about = `mount ${mount.destination}`;
  const { root, scratch } = slots;
  builder.init.push(
    { op: 'target', out: scratch, root, path: mount.destination, kind: 0, mode: 0o755, about },
    { op: 'moveMount', from: tree, to: scratch, path: '', flags: 0, about },
  );
}

function mountUnified(context: MountContext, mount: OciMount): void {
  const { builder } = context;
  if (context.ownCgroupNamespace) {
    place(context, mount, makeFilesystem(builder, { ...mount, type: 'cgroup2', source: 'cgroup' }));
    return;
  }
  const tree = builder.slot();
  builder.init.push(...cloneTree(tree, HOST_CGROUPS, mount));
  place(context, mount, tree);
}

/** A clone of a host's folder with the mount's own flags; in init, before the pivot. */
function cloneTree(out: Slot, path: string, mount: OciMount): Step[] {
  const { set, clear } = parseMountOptions(mount.options).own;
  const about = `mount ${mount.destination}`;
  return [
    { op: 'openTree', out, dir: CWD, path, flags: kernel.OPEN_TREE_CLONE, about },
    {
      op: 'mountSetattr', dir: out, path: '', flags: 0, set, clear,
      propagation: kernel.MS_PRIVATE, userns: CWD, about,
    },
  ];
}

function mountHierarchies(
  context: MountContext,
  mount: OciMount,
  views: readonly CgroupView[],
): void {
  const { builder } = context;
  const { set } = parseMountOptions(mount.options).own;
  const writable = mount.options.filter((option) => option !== 'ro');
  const folder = makeFilesystem(builder, {
    ...mount, type: 'tmpfs', source: 'cgroup', options: [...writable, 'mode=755'],
  });
  place(context, mount, folder);
  for (const view of views) mountHierarchy(context, mount, view, folder);
  if ((set & kernel.MOUNT_ATTR_RDONLY) !== 0) {
    builder.init.push({
      op: 'mountSetattr', dir: folder, path: '', flags: 0, set: kernel.MOUNT_ATTR_RDONLY, clear: 0,
      propagation: 0, userns: CWD, about: `mount ${mount.destination}`,
    });
  }
}

function mountHierarchy(
  context: MountContext,
  mount: OciMount,
  view: CgroupView,
  folder: Slot,
): void {
  const { builder, slots } = context;
  const about = `mount ${mount.destination}/${view.name}`;
  const tree = context.ownCgroupNamespace
    ? makeFilesystem(builder, hierarchyMount(mount, view))
    : builder.slot();
  if (!context.ownCgroupNamespace) builder.init.push(...cloneTree(tree, view.source, mount));
  builder.init.push(
    { op: 'mkdirat', dir: folder, path: view.name, mode: 0o755, about },
    {
      op: 'openat2', out: slots.scratch, dir: folder, path: view.name,
      flags: kernel.O_PATH | kernel.O_DIRECTORY, mode: 0, resolve: kernel.OURS, about,
    },
    { op: 'moveMount', from: tree, to: slots.scratch, path: '', flags: 0, about },
    ...view.aliases.map((alias): Step => ({
      op: 'symlinkat', target: view.name, dir: folder, path: alias, tolerate: ['EEXIST'], about,
    })),
    { op: 'close', fd: tree },
  );
}

function hierarchyMount(mount: OciMount, view: CgroupView): OciMount {
  const named = view.controllers.some((controller) => controller.startsWith('name='));
  return {
    ...mount, type: 'cgroup', source: 'cgroup',
    options: [...mount.options, ...(named ? ['none'] : []), ...view.controllers],
  };
}
