/**
 * Layers that lie in folders, looked into as overlayfs would stack them, without a mount: by fds
 * from the roots down, so that no link leads out and nothing can be swapped on the way.
 */
import * as fs from 'node:fs';
import koffi from 'koffi';
import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';
import { O_CLOEXEC, O_PATH } from './open-flags.js';
import { readXattr } from './xattr.js';

const { O_DIRECTORY, O_NOFOLLOW } = fs.constants;

/** As in the kernel: the 41st link on the way is ELOOP. */
const MAX_SYMLINKS = 40;
const MAX_PATH_BYTES = 4096;
/** Bounds the walk over layers, which is ours and not the kernel's. */
const MAX_COMPONENTS = 1024;

const libc = koffi.load(null);
const openat = libc.func('openat', 'int', ['int', 'str', 'int', 'uint']);
const readlinkat = libc.func('readlinkat', 'long', ['int', 'str', 'void *', 'size_t']);

/** openat(2); negative when it failed, and `lastError` says why. */
export function openAt(directory: number, name: string, flags: number): number {
  // koffi declares the call as int.
  return openat(directory, name, flags, 0) as number;
}

/** An O_PATH fd of a folder on the host. */
export function openRoot(dir: string): number {
  const fd = openAt(-1, checked(dir, 'open'), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw lastError('open', dir);
  return fd;
}

/**
 * An opaque root is the lowest that counts, though overlayfs itself looks at no root's attribute.
 */
export function openRoots(dirs: readonly string[], open: Set<number>): Merged {
  const roots: number[] = [];
  for (const dir of dirs) {
    roots.push(keep(open, openRoot(dir)));
    if (isOpaqueFolder(dir)) break;
  }
  return roots;
}

/** A merged directory: the folders that overlayfs would read it from, topmost first. */
export type Merged = readonly number[];

/** Where a walk is: the merged directories from the root down, and what is left to go. */
interface Way {
  readonly trail: Merged[];
  readonly rest: string[];
  /** What the last name was, when it was no directory. */
  file: number | undefined;
  links: number;
}

/** What `path` is in the merged tree, its links followed; its fds, O_PATH, are kept in `open`. */
export function walkLayers(roots: Merged, path: string, open: Set<number>): { fd: number } {
  const rest = components(checked(path, 'open'));
  const way: Way = { trail: [roots], rest, file: undefined, links: 0 };
  for (let steps = 0; ; steps++) {
    const name = rest.shift();
    if (name === undefined) break;
    if (steps > MAX_COMPONENTS) throw new ErrnoError('open', 'ENAMETOOLONG', path);
    if (name === '..' && way.trail.length > 1) way.trail.pop();
    if (name !== '..' && name !== '.') follow(way, lookup(here(way), name, path, open), path);
  }
  const found = way.file ?? here(way)[0];
  if (found === undefined) throw new ErrnoError('open', 'ENOENT', path);
  return { fd: found };
}

function here({ trail }: Way): Merged {
  return trail.at(-1) ?? [];
}

function follow(way: Way, entry: Entry, path: string): void {
  if (entry.kind === 'directory') {
    way.trail.push(entry.merged);
  } else if (entry.kind === 'link') {
    if (++way.links > MAX_SYMLINKS) throw new ErrnoError('open', 'ELOOP', path);
    if (entry.target.startsWith('/')) way.trail.length = 1;
    way.rest.unshift(...components(entry.target));
  } else {
    if (way.rest.length > 0) throw new ErrnoError('open', 'ENOTDIR', path);
    way.file = entry.fd;
  }
}

/** What a name in a merged directory is; fds are O_PATH and among those that are kept. */
export type Entry =
  | { readonly kind: 'directory'; readonly merged: Merged }
  | { readonly kind: 'link'; readonly fd: number; readonly target: string }
  | { readonly kind: 'other'; readonly fd: number };

/** One name in a merged directory, by overlayfs' rules: the first that is no directory ends it. */
export function lookup(dirs: Merged, name: string, path: string, open: Set<number>): Entry {
  const merged: number[] = [];
  for (const dir of dirs) {
    const fd = openEntry(dir, name, path);
    if (fd === undefined) continue;
    const stat = fs.fstatSync(keep(open, fd));
    if (!stat.isDirectory()) {
      const hidden = merged.length > 0 || (stat.isCharacterDevice() && stat.rdev === 0);
      if (hidden) break;
      return entryOf(fd, stat, path);
    }
    merged.push(fd);
    if (isOpaque(fd)) break;
  }
  if (merged.length === 0) throw new ErrnoError('open', 'ENOENT', path);
  return { kind: 'directory', merged };
}

function openEntry(dir: number, name: string, path: string): number | undefined {
  const fd = openAt(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0) return fd;
  const error = lastError('openat', path);
  if (error.code === 'ENOENT') return undefined;
  throw error;
}

function entryOf(fd: number, stat: fs.Stats, path: string): Entry {
  if (stat.isSymbolicLink()) return { kind: 'link', fd, target: readLink(fd, path) };
  return { kind: 'other', fd };
}

function isOpaque(dirFd: number): boolean {
  return isOpaqueFolder(`/proc/self/fd/${dirFd}`);
}

/** Whether a folder on the host hides what lies beneath it in an overlay. */
export function isOpaqueFolder(path: string): boolean {
  const names = ['trusted.overlay.opaque', 'user.overlay.opaque'];
  return names.some((name) => readXattr(path, name, 1)?.toString() === 'y');
}

function readLink(fd: number, path: string): string {
  const buffer = Buffer.alloc(MAX_PATH_BYTES);
  const length = readlinkat(fd, '', buffer, buffer.length) as number;
  if (length < 0) throw lastError('readlinkat', path);
  return buffer.toString('utf8', 0, length);
}

/** The names in a path. */
export function components(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}

/** A NUL would end the name for the kernel and not for us. */
export function checked(path: string, syscall: string): string {
  if (path.includes('\0')) throw new ErrnoError(syscall, 'EINVAL', path);
  const isTooLong = Buffer.byteLength(path) >= MAX_PATH_BYTES;
  if (isTooLong) throw new ErrnoError(syscall, 'ENAMETOOLONG', path);
  return path;
}

/** Notes an fd that has to be closed. */
export function keep(open: Set<number>, fd: number): number {
  open.add(fd);
  return fd;
}

/** What the last call that failed says. */
export function lastError(syscall: string, about: string): ErrnoError {
  return new ErrnoError(syscall, errnoName(koffi.errno()), about);
}
