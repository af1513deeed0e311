/** Filesystems and binds of a container: sources taken by the host, put in place by init. */
import { CWD, type Slot, type Step } from '../../../native/launch/opcodes.js';
import type { OciMount } from '../oci.js';
import { landing, type ProgramBuilder } from './builder.js';
import { mountCgroups, type MountContext } from './cgroup-mounts.js';
import { aboutMount, makeFilesystem } from './filesystem.js';
import * as kernel from './kernel.js';
import { parseMountOptions } from './mount-options.js';

/** The fds of what was mounted and is needed later. */
export interface MountedSlots {
  /** Of /proc, /dev and /dev/pts, as this program mounted them; absent when the user did. */
  readonly proc?: Slot;
  readonly dev?: Slot;
  readonly devpts?: Slot;
}

/**
 * The host's part, in the mount namespace of the daemon: a clone of every bind's source, so that
 * what is shared stays shared with the host. By destination.
 */
export function openSources(
  builder: ProgramBuilder,
  mounts: readonly OciMount[],
): ReadonlyMap<string, Slot> {
  const sources = new Map<string, Slot>();
  for (const mount of mounts) {
    if (mount.type !== 'bind') continue;
    const slot = builder.slot();
    builder.host.push(...openSource(builder, mount, slot), ...sourceAttrs(mount, slot));
    sources.set(mount.destination, slot);
  }
  return sources;
}

function openSource(builder: ProgramBuilder, mount: OciMount, out: Slot): Step[] {
  const about = `bind source ${mount.source}`;
  const { recursive } = parseMountOptions(mount.options);
  const flags = kernel.OPEN_TREE_CLONE | (recursive ? kernel.AT_RECURSIVE : 0);
  if (mount.subpath !== undefined) return openSubpath(builder, mount, { out, flags, about });
  const other = /^\/proc\/(\d+)\/root(\/.*)$/.exec(mount.source);
  if (other === null) return [{ op: 'openTree', out, dir: CWD, path: mount.source, flags, about }];
  // A tree of another mount namespace can only be cloned from within it.
  const [, pid = '', path = ''] = other;
  const own = builder.slot();
  const theirs = builder.slot();
  const open = (slot: Slot, name: string): Step => ({
    op: 'openat2', out: slot, dir: CWD, path: name, flags: kernel.O_RDONLY, mode: 0,
    resolve: 0, about,
  });
  return [
    open(own, '/proc/self/ns/mnt'),
    open(theirs, `/proc/${pid}/ns/mnt`),
    { op: 'setns', fd: theirs, type: kernel.CLONE_NEWNS, about },
    { op: 'openTree', out, dir: CWD, path, flags, about },
    { op: 'setns', fd: own, type: kernel.CLONE_NEWNS, about },
    { op: 'fstatfsMagic', fd: out, magic: kernel.TMPFS_MAGIC, about },
    { op: 'close', fd: own },
    { op: 'close', fd: theirs },
  ];
}

/** Links that others make in the source lead nowhere else: it is a root for them. */
function openSubpath(
  builder: ProgramBuilder,
  { source, subpath = '' }: OciMount,
  { out, flags, about }: { readonly out: Slot; readonly flags: number; readonly about: string },
): Step[] {
  const whole = builder.slot();
  const part = builder.slot();
  const resolve = kernel.INSIDE;
  const open = { op: 'openat2', flags: kernel.O_PATH, mode: 0, about } as const;
  return [
    { ...open, out: whole, dir: CWD, path: source, resolve: 0 },
    { ...open, out: part, dir: whole, path: subpath, resolve },
    { op: 'openTree', out, dir: part, path: '', flags: flags | kernel.AT_EMPTY_PATH, about },
    { op: 'close', fd: part },
    { op: 'close', fd: whole },
  ];
}

function sourceAttrs(mount: OciMount, dir: Slot): Step[] {
  const { attrs, recursiveAttrs, propagation } = parseMountOptions(mount.options);
  const about = aboutMount(mount);
  const change = (set: number, type: number, recursive: boolean): Step => ({
    op: 'mountSetattr', dir, path: '', flags: recursive ? kernel.AT_RECURSIVE : 0,
    set, clear: 0, propagation: type, userns: CWD, about,
  });
  const { type, recursive } = propagation ?? { type: kernel.MS_PRIVATE, recursive: true };
  const steps = [change(0, type, recursive)];
  if (attrs !== 0) steps.push(change(attrs, 0, false));
  if (recursiveAttrs !== 0) steps.push(change(recursiveAttrs, 0, true));
  return steps;
}

/** Init's part: everything in order, each target resolved inside the root. */
export function placeMounts(
  context: MountContext,
  mounts: readonly OciMount[],
  sources: ReadonlyMap<string, Slot>,
): MountedSlots {
  const placed = new Map<string, Slot>();
  for (const mount of mounts) {
    const source = sources.get(mount.destination);
    if (mount.type === 'bind' && source !== undefined) placeBind(context, mount, source);
    else if (mount.type === 'cgroup' || mount.type === 'cgroup2') mountCgroups(context, mount);
    else placed.set(`${mount.type} ${mount.destination}`, placeFilesystem(context, mount));
  }
  const [proc, dev, devpts] = ['proc /proc', 'tmpfs /dev', 'devpts /dev/pts'].map((key) =>
    placed.get(key),
  );
  return {
    ...(proc === undefined ? {} : { proc }),
    ...(dev === undefined ? {} : { dev }),
    ...(devpts === undefined ? {} : { devpts }),
  };
}

/** A file goes on a file and a folder on a folder; which it is, only the source knows. */
function placeBind({ builder, slots }: MountContext, mount: OciMount, source: Slot): void {
  const { root, scratch } = slots;
  const about = aboutMount(mount);
  const file = builder.label('file');
  const move = builder.label('move');
  const path = mount.destination;
  builder.init.push(
    {
      op: 'openat2', out: scratch, dir: source, path: '.',
      flags: kernel.O_PATH | kernel.O_DIRECTORY, mode: 0, resolve: 0,
      tolerate: ['ENOTDIR'], goto: file, about,
    },
    { op: 'target', out: scratch, root, path, kind: 0, mode: 0o755, about },
    { op: 'jump', goto: move },
    { op: 'target', out: scratch, root, path, kind: 1, mode: 0o644, label: file, about },
    ...refuseProc(builder, mount, scratch, move),
    { op: 'moveMount', from: source, to: scratch, path: '', flags: 0, about },
    { op: 'close', fd: source },
  );
}

/** A link in the image may lead a mount into /proc, whose files are trusted by name. */
function refuseProc(
  builder: ProgramBuilder,
  mount: OciMount,
  target: Slot,
  label: string,
): Step[] {
  if (mount.destination.startsWith('/proc/')) return [landing(label)];
  const fine = builder.label('not-proc');
  const about = `mount ${mount.destination}: it leads into /proc`;
  return [
    {
      op: 'fstatfsMagic', fd: target, magic: kernel.PROC_SUPER_MAGIC, label,
      tolerate: ['EACCES'], goto: fine,
    },
    { op: 'fstatfsMagic', fd: target, magic: 0, about },
    landing(fine),
  ];
}

function placeFilesystem(context: MountContext, mount: OciMount): Slot {
  const { builder, slots } = context;
  const about = aboutMount(mount);
  const tree = makeFilesystem(builder, mount);
  const isTmpfs = mount.type === 'tmpfs';
  const move = builder.label('move');
  builder.init.push(
    {
      op: 'target', out: slots.scratch, root: slots.root, path: mount.destination, kind: 0,
      mode: 0o755, about,
    },
    ...(isTmpfs ? refuseProc(builder, mount, slots.scratch, move) : []),
    { op: 'moveMount', from: tree, to: slots.scratch, path: '', flags: 0, about },
  );
  return tree;
}
