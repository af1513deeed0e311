/** What is hidden, what is made read-only, and kernel parameters: init's last work on the root. */
import { CWD, type Slot, type Step } from '../../../native/launch/opcodes.js';
import { sysctlPath } from '../spec/sysctls.js';
import { landing, type ProgramBuilder, type SharedSlots } from './builder.js';
import { AT_EMPTY_PATH, openHostNull } from './devices.js';
import * as kernel from './kernel.js';
import { makeFilesystem } from './filesystem.js';

const clone = kernel.OPEN_TREE_CLONE | AT_EMPTY_PATH;

/** Not nodev: a device that cannot be opened would be an error in place of an empty file. */
const NULL_ATTRS =
  kernel.MOUNT_ATTR_RDONLY | kernel.MOUNT_ATTR_NOSUID | kernel.MOUNT_ATTR_NOEXEC;

/**
 * Folders get one empty read-only tmpfs, shared by all of them; files get the null device of the
 * host, which the container has no way to change. What is not there is passed over.
 */
export function maskPaths(
  builder: ProgramBuilder,
  slots: SharedSlots,
  paths: readonly string[],
): void {
  if (paths.length === 0) return;
  const nothing = builder.slot();
  builder.init.push(...openHostNull(nothing));
  const empty = makeFilesystem(builder, {
    destination: 'masks', type: 'tmpfs', source: 'tmpfs', options: ['ro', 'nr_inodes=1'],
  });
  // A detached mount cannot be cloned by kernels before 6.15, so it is put somewhere first.
  const isPlaced = builder.slot();
  for (const path of paths) maskPath(builder, slots, { path, nothing, empty, isPlaced });
  builder.init.push({ op: 'close', fd: nothing }, { op: 'close', fd: empty });
}

interface Mask {
  readonly path: string;
  readonly nothing: Slot;
  readonly empty: Slot;
  readonly isPlaced: Slot;
}

function maskPath(builder: ProgramBuilder, slots: SharedSlots, mask: Mask): void {
  const { scratch, scratch2, root } = slots;
  const { path } = mask;
  const about = `masked path ${path}`;
  const file = builder.label('mask-file');
  const done = builder.label('mask-done');
  const open = { op: 'openat2', dir: root, path, mode: 0, resolve: kernel.INSIDE } as const;
  builder.init.push(
    {
      ...open, out: scratch, flags: kernel.O_PATH, tolerate: ['ENOENT', 'ENOTDIR'], goto: done,
      about,
    },
    {
      ...open, out: scratch2, flags: kernel.O_PATH | kernel.O_DIRECTORY, tolerate: ['ENOTDIR'],
      goto: file, about,
    },
    ...maskFolder(mask, slots, builder.label('mask-first'), done),
    {
      op: 'openTree', out: scratch2, dir: mask.nothing, path: '', flags: clone, label: file, about,
    },
    {
      // It is the host's own node: read-only, or its mode and owner could be changed from inside.
      op: 'mountSetattr', dir: scratch2, path: '', flags: 0, set: NULL_ATTRS, clear: 0,
      propagation: 0, userns: CWD, about,
    },
    { op: 'moveMount', from: scratch2, to: scratch, path: '', flags: 0, about },
    landing(done),
  );
}

function maskFolder(mask: Mask, slots: SharedSlots, first: string, done: string): Step[] {
  const { scratch: target, scratch2: copy } = slots;
  const about = `masked path ${mask.path}`;
  return [
    // An empty slot is EBADF: nothing has been put in place yet.
    {
      op: 'openTree', out: copy, dir: mask.isPlaced, path: '', flags: clone, tolerate: ['EBADF'],
      goto: first,
    },
    { op: 'moveMount', from: copy, to: target, path: '', flags: 0, about },
    { op: 'jump', goto: done },
    { op: 'moveMount', from: mask.empty, to: target, path: '', flags: 0, label: first, about },
    {
      op: 'openat2', out: mask.isPlaced, dir: mask.empty, path: '.',
      flags: kernel.O_PATH | kernel.O_DIRECTORY, mode: 0, resolve: 0, about,
    },
    { op: 'jump', goto: done },
  ];
}

/** Each path becomes a mount of itself that is read-only, with all that is below. */
export function protectPaths(
  builder: ProgramBuilder,
  slots: SharedSlots,
  paths: readonly string[],
): void {
  const { scratch, scratch2, root } = slots;
  for (const path of paths) {
    const about = `read-only path ${path}`;
    const done = builder.label('protect-done');
    builder.init.push(
      {
        op: 'openat2', out: scratch, dir: root, path, flags: kernel.O_PATH, mode: 0,
        resolve: kernel.INSIDE, tolerate: ['ENOENT', 'ENOTDIR'], goto: done, about,
      },
      {
        op: 'openTree', out: scratch2, dir: scratch, path: '', flags: clone | kernel.AT_RECURSIVE,
        about,
      },
      {
        op: 'mountSetattr', dir: scratch2, path: '', flags: kernel.AT_RECURSIVE,
        set: kernel.MOUNT_ATTR_RDONLY, clear: 0, propagation: 0, userns: CWD, about,
      },
      { op: 'moveMount', from: scratch2, to: scratch, path: '', flags: 0, about },
      landing(done),
    );
  }
}

/**
 * Writes go through the procfs that this program made itself, never by the name /proc/sys, which
 * an image could have laid out as it likes. `proc` is that mount's fd.
 */
export function writeSysctls(
  builder: ProgramBuilder,
  slots: SharedSlots,
  proc: Slot,
  sysctls: Readonly<Record<string, string>>,
): void {
  const { scratch } = slots;
  for (const [name, value] of Object.entries(sysctls)) {
    const about = `sysctl ${name}`;
    builder.init.push(
      {
        op: 'openat2', out: scratch, dir: proc, path: `sys/${sysctlPath(name)}`,
        flags: kernel.O_WRONLY, mode: 0, resolve: kernel.OURS, about,
      },
      { op: 'fstatfsMagic', fd: scratch, magic: kernel.PROC_SUPER_MAGIC, about },
      { op: 'write', fd: scratch, bytes: Buffer.from(value), about },
    );
  }
}
