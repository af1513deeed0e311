/**
 * Mounts, typed: the old calls and the new ones. Fast unless it says slow. In the daemon they are
 * for the few mounts that belong to the host's view (volumes with a type) and for asking the kernel
 * what it can; a container's mounts are made by its shim. Everything throws `ErrnoError`.
 */
import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';

/** Flags of mount(2), by the names that `o=` of a volume uses. */
export const mountFlags = {
  ro: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  sync: 16,
  remount: 32,
  mand: 64,
  dirsync: 128,
  noatime: 1024,
  nodiratime: 2048,
  bind: 4096,
  rbind: 4096 | 16384,
  silent: 32768,
  relatime: 1 << 21,
  strictatime: 1 << 24,
  lazytime: 1 << 25,
} as const;

/** Detaches at once and frees when the last user is gone. */
export const MNT_DETACH = 2;

const SYS_OPEN_TREE = 428;
const SYS_MOVE_MOUNT = 429;
const SYS_FSOPEN = 430;
const SYS_FSCONFIG = 431;
const SYS_FSMOUNT = 432;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const AT_RECURSIVE = 0x8000;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const AT_FDCWD = -100;

const libc = koffi.load(null);
const mountCall = libc.func('mount', 'int', ['str', 'str', 'str', 'ulong', 'str']);
const umountCall = libc.func('umount2', 'int', ['str', 'int']);
const fsopenCall = libc.func('syscall', 'long', ['long', 'str', 'uint']);
const fsconfigCall = libc.func('syscall', 'long', ['long', 'int', 'uint', 'str', 'str', 'int']);
const fsmountCall = libc.func('syscall', 'long', ['long', 'int', 'uint', 'uint']);
const openTreeCall = libc.func('syscall', 'long', ['long', 'int', 'str', 'uint']);
const moveMountCall = libc.func('syscall', 'long', ['long', 'int', 'str', 'int', 'str', 'uint']);

function check(result: unknown, syscall: string, about: string): number {
  // Every call above is declared with an integer result.
  const number = result as number;
  if (number < 0) throw new ErrnoError(syscall, errnoName(koffi.errno()), about);
  return number;
}

/** The five arguments of mount(2). */
export interface MountCall {
  readonly source: string;
  /** A path that no container can change. */
  readonly target: string;
  /** Empty for a bind or a remount. */
  readonly type: string;
  /** Of `mountFlags`, joined. */
  readonly flags: number;
  /** What the filesystem itself understands, `key=value,…`. */
  readonly options: string;
}

/** mount(2) on a worker thread, as a server that does not answer may hold it for minutes: slow. */
export function mount(call: MountCall): Promise<void> {
  const { source, target, flags } = call;
  const type = call.type === '' ? null : call.type;
  const options = call.options === '' ? null : call.options;
  return later('mount', target, (done) => {
    mountCall.async(source, target, type, flags, options, done);
  });
}

/**
 * umount2(2) on a worker thread: the last one syncs. What is not mounted (EINVAL) is an error.
 * Slow.
 */
export function unmount(target: string, flags = 0): Promise<void> {
  return later('umount2', target, (done) => {
    umountCall.async(target, flags, done);
  });
}

function later(
  syscall: string,
  about: string,
  call: (done: (error: Error | null | undefined, result: number) => void) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error, result) => {
      if (error !== null && error !== undefined) reject(error);
      else if (result < 0) reject(new ErrnoError(syscall, errnoName(koffi.errno()), about));
      else resolve();
    });
  });
}

/**
 * A mount that is nowhere: fsopen, fsconfig, fsmount. The caller closes the fd, and then it is
 * gone. An option without value is `[key]`.
 */
export function detachedMount(
  type: string,
  options: readonly (readonly [string, string?])[],
): number {
  const context = check(fsopenCall(SYS_FSOPEN, type, FSOPEN_CLOEXEC), 'fsopen', type);
  try {
    for (const [key, value] of options) {
      const command = value === undefined ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
      const result: unknown = fsconfigCall(SYS_FSCONFIG, context, command, key, value ?? null, 0);
      check(result, 'fsconfig', `${type} ${key}`);
    }
    const command = FSCONFIG_CMD_CREATE;
    const created: unknown = fsconfigCall(SYS_FSCONFIG, context, command, null, null, 0);
    check(created, 'fsconfig', type);
    return check(fsmountCall(SYS_FSMOUNT, context, FSMOUNT_CLOEXEC, 0), 'fsmount', type);
  } finally {
    closeSync(context);
  }
}

/** A copy of the mount that `path` lies on, from there on, as an fd that is mounted nowhere. */
export function openTree(path: string, options: { readonly recursive: boolean }): number {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (options.recursive ? AT_RECURSIVE : 0);
  return check(openTreeCall(SYS_OPEN_TREE, AT_FDCWD, path, flags), 'open_tree', path);
}

/** Puts a detached mount to a place; the fd stays open and is the caller's. */
export function moveMount(fd: number, target: string): void {
  const flags = MOVE_MOUNT_F_EMPTY_PATH;
  const result: unknown = moveMountCall(SYS_MOVE_MOUNT, fd, '', AT_FDCWD, target, flags);
  check(result, 'move_mount', target);
}
