/** Filesystems and binds of a container: sources taken by the host, put in place by init. */
import { CWD, type Slot, type Step } from '../../../native/launch/opcodes.js';
import type { OciMount } from '../oci.js';
import { landing, type ProgramBuilder } from './builder.js';
import { mountCgroups, type MountContext } from './cgroup-mounts.js';
import { aboutMount, filesystemOptions, makeFilesystem } from './filesystem.js';
import { mapIds } from './id-maps.js';
import * as kernel from './kernel.js';
import { parseMountOptions, type MountAttrs } from './mount-options.js';
import { mountStack } from './rootfs.js';

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
    if (mount.type === 'bind') sources.set(mount.destination, takeSource(builder, mount));
  }
  return sources;
}

/**
 * The same of stacks of layers, in the container's mount namespace, where nobody else sees them:
 * each is mounted at `folder`, taken from there and unmounted.
 */
export function openStacks(
  builder: ProgramBuilder,
  mounts: readonly OciMount[],
  folder: string,
): ReadonlyMap<string, Slot> {
  const sources = new Map<string, Slot>();
  for (const mount of mounts) {
    if (mount.stack === undefined) continue;
    const about = aboutMount(mount);
    mountStack(builder, mount.stack, { at: folder, about, maps: mount });
    sources.set(mount.destination, takeSource(builder, { ...mount, source: folder }));
    builder.host.push({ op: 'umount2', path: folder, flags: kernel.MNT_DETACH, about });
  }
  return sources;
}

function takeSource(builder: ProgramBuilder, mount: OciMount): Slot {
  const slot = builder.slot();
  builder.host.push(
    ...openSource(builder, mount, slot), ...sourceAttrs(mount, slot),
    ...mapMount(builder, mount, slot),
  );
  return slot;
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

/** A source is private unless it says otherwise. */
function sourceAttrs(mount: OciMount, dir: Slot): Step[] {
  const spreads = parseMountOptions(mount.options).propagation !== undefined;
  return changes(spreads ? mount : { ...mount, options: [...mount.options, 'rprivate'] }, dir);
}

/** What the options say of the mount at `dir`, first how it is shared. */
function changes(mount: OciMount, dir: Slot): Step[] {
  const { own, below } = parseMountOptions(mount.options);
  const about = aboutMount(mount);
  const change = ({ set, clear }: MountAttrs, recursive: boolean): Step[] =>
    (set | clear) === 0
      ? []
      : [{
          op: 'mountSetattr', dir, path: '', flags: recursive ? kernel.AT_RECURSIVE : 0,
          set, clear, propagation: 0, userns: CWD, about,
        }];
  return [...spread(mount, dir), ...change(below, true), ...change(own, false)];
}

function spread(mount: OciMount, dir: Slot): Step[] {
  const { propagation } = parseMountOptions(mount.options);
  if (propagation === undefined) return [];
  const { type, recursive } = propagation;
  return [{
    op: 'mountSetattr', dir, path: '', flags: recursive ? kernel.AT_RECURSIVE : 0, set: 0, clear: 0,
    propagation: type, userns: CWD, about: aboutMount(mount),
  }];
}

/** While nobody can see the mount yet: the kernel takes a map at no other time. */
function mapMount(builder: ProgramBuilder, mount: OciMount, dir: Slot): Step[] {
  // What a stack is made of is mapped already.
  if (mount.uidMappings === undefined || mount.stack !== undefined) return [];
  const recursive = mount.options.includes('ridmap');
  return mapIds(builder, dir, mount, { recursive, about: `id map of ${mount.source}` });
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
    if (mount.options.includes('remount')) remount(context, mount);
    else if (source !== undefined) placeBind(context, mount, source);
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
  const isFilled = mount.options.includes('tmpcopyup');
  const options = mount.options.filter((option) => !isFilled || !/^r?ro$/.test(option));
  const tree = makeFilesystem(builder, { ...mount, options });
  const isTmpfs = mount.type === 'tmpfs';
  const move = builder.label('move');
  builder.init.push(
    {
      op: 'target', out: slots.scratch, root: slots.root, path: mount.destination, kind: 0,
      mode: 0o755, about,
    },
    ...(isTmpfs ? refuseProc(builder, mount, slots.scratch, move) : []),
    ...(isFilled ? fill(mount, { from: slots.scratch, to: tree }) : []),
    { op: 'moveMount', from: tree, to: slots.scratch, path: '', flags: 0, about },
    ...spread(mount, tree),
  );
  return tree;
}

/** Begins with what it covers; only then it may be read-only. A mode that is given stays. */
function fill(mount: OciMount, { from, to }: { readonly from: Slot; readonly to: Slot }): Step[] {
  const about = `${aboutMount(mount)}: tmpcopyup`;
  const { own, below, data } = parseMountOptions(mount.options);
  const mode = data.find((option) => option.startsWith('mode='))?.slice('mode='.length);
  return [
    { op: 'copyTree', from, to, about },
    ...(mode === undefined
      ? []
      : [{ op: 'fchmodat', dir: to, path: '', mode: Number.parseInt(mode, 8), about } as const]),
    {
      op: 'mountSetattr', dir: to, path: '', flags: 0,
      set: (own.set | below.set) & kernel.MOUNT_ATTR_RDONLY, clear: 0,
      propagation: 0, userns: CWD, about,
    },
  ];
}

/** What is at its destination already is changed, and nothing mounted. */
function remount({ builder, slots }: MountContext, mount: OciMount): void {
  const { scratch: out, scratch2, root: dir } = slots;
  const about = aboutMount(mount);
  builder.init.push(
    {
      op: 'openat2', out, dir, path: mount.destination, flags: kernel.O_PATH, mode: 0,
      resolve: kernel.INSIDE, about,
    },
    ...changes(mount, out),
    ...reconfigure(mount, { of: out, fs: scratch2 }),
  );
}

/** What the filesystem itself is told; what is not said stays. */
function reconfigure(
  mount: OciMount,
  { of, fs }: { readonly of: Slot; readonly fs: Slot },
): Step[] {
  const options = filesystemOptions(mount, fs);
  if (options.length === 0) return [];
  const about = aboutMount(mount);
  return [
    { op: 'fspick', out: fs, mount: of, about },
    ...options,
    { op: 'fsReconfigure', fs, about },
    { op: 'close', fd: fs },
  ];
}
