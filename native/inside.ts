/**
 * Single paths inside a directory tree that a container controls: the one place that resolves them.
 *
 * A name inside a container is never joined to a host path and opened: a symbolic link would lead
 * out of the root, and a check made before the use can be raced (runc and moby have had nine CVEs
 * of this one kind in two years). Here the kernel resolves, by openat2 with RESOLVE_IN_ROOT, and
 * what is opened is looked at through its own fd.
 *
 * All calls are fast and synchronous, so the tree must lie on a filesystem of the host: nothing
 * here may be pointed at a container's own mounts, where a hung FUSE or NFS would freeze the
 * daemon.
 */
import * as fs from 'node:fs';
import koffi from 'koffi';
import { errnoName } from './errno.js';
import { ErrnoError } from './errno-error.js';
import { readXattr } from './xattr.js';

const { O_DIRECTORY, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;

const SYS_OPENAT2 = 437;
const SIZEOF_OPEN_HOW = 24;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;
/** `..` beside a rename is EAGAIN; whoever renames without end gets it as an error. */
const MAX_TRIES = 64;
/** As in the kernel: the 41st link on the way is ELOOP. */
const MAX_SYMLINKS = 40;
const MAX_PATH_BYTES = 4096;
/** Bounds the walk over layers, which is ours and not the kernel's. */
const MAX_COMPONENTS = 1024;

const libc = koffi.load(null);
const openat2 = libc.func('syscall', 'long', ['long', 'int', 'str', 'void *', 'size_t']);
const openat = libc.func('openat', 'int', ['int', 'str', 'int', 'uint']);
const readlinkat = libc.func('readlinkat', 'long', ['int', 'str', 'void *', 'size_t']);

/** The root that bounds the path: a directory on the host, or an open fd of one. */
export type Root = string | number;

/**
 * Opens `path` as a process whose root is `root` would (absolute links and `..` stay inside, magic
 * links of /proc are refused); the caller closes the fd, which is close-on-exec and never becomes a
 * terminal. `flags` are open(2)'s, `mode` only for O_CREAT. Throws `ErrnoError`.
 */
export function openInRoot(root: Root, path: string, flags: number, mode = 0): number {
  const rootFd = typeof root === 'number' ? root : openRoot(root);
  try {
    return resolve(rootFd, path, flags, mode);
  } finally {
    if (typeof root === 'string') fs.closeSync(rootFd);
  }
}

/** At most this much is read; a file that is larger is refused (EFBIG), never cut. */
export interface ReadBound {
  readonly maxBytes: number;
}

/**
 * The content of a regular file inside `root`. A FIFO, device, socket or directory is refused
 * (EINVAL, EISDIR) without opening it: opening alone may block or act. Throws `ErrnoError`; absent
 * is ENOENT.
 */
export function readFileInRoot(root: Root, path: string, bound: ReadBound): Buffer {
  const fd = openInRoot(root, path, O_PATH);
  try {
    return readRegular(fd, path, bound);
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * As `readFileInRoot`, over overlay layers that are not mounted: `dirsTopFirst` are the folders as
 * overlayfs would stack them. Whiteouts, opaque folders and links are honoured. It can read
 * /etc/passwd before a container's root exists, and beside a running one without entering it.
 */
export function readFileInLayers(
  dirsTopFirst: readonly string[],
  path: string,
  bound: ReadBound,
): Buffer {
  const open = new Set<number>();
  try {
    const roots = openRoots(dirsTopFirst, open);
    return readRegular(walkLayers(roots, path, open), path, bound);
  } finally {
    for (const fd of open) fs.closeSync(fd);
  }
}

/** Whether a `ErrnoError` says that there is nothing at that path. */
export function isAbsent(error: unknown): boolean {
  return error instanceof ErrnoError && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

function openRoot(dir: string): number {
  const fd = openat(-1, checked(dir, 'open'), O_PATH | O_DIRECTORY | O_CLOEXEC, 0) as number;
  if (fd < 0) throw lastError('open', dir);
  return fd;
}

/**
 * An opaque root is the lowest that counts, though overlayfs itself looks at no root's attribute.
 */
function openRoots(dirs: readonly string[], open: Set<number>): Merged {
  const roots: number[] = [];
  for (const dir of dirs) {
    roots.push(keep(open, openRoot(dir)));
    if (isOpaqueFolder(dir)) break;
  }
  return roots;
}

function resolve(rootFd: number, path: string, flags: number, mode: number): number {
  const how = Buffer.alloc(SIZEOF_OPEN_HOW);
  how.writeBigUInt64LE(BigInt(openFlags(flags)), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), 16);
  const name = checked(path, 'openat2') || '.';
  for (let tries = 1; ; tries++) {
    const fd = openat2(SYS_OPENAT2, rootFd, name, how, SIZEOF_OPEN_HOW) as number;
    if (fd >= 0) return fd;
    const error = lastError('openat2', path);
    if ((error.code !== 'EAGAIN' && error.code !== 'EINTR') || tries === MAX_TRIES) throw error;
  }
}

/** openat2 refuses what open(2) ignores: with O_PATH only three flags may be set. */
function openFlags(flags: number): number {
  if ((flags & O_PATH) !== 0) return flags | O_CLOEXEC;
  return flags | O_CLOEXEC | O_NOCTTY;
}

/**
 * Opens for reading what an O_PATH fd names, after a look at what it is: the fd cannot be swapped.
 */
function readRegular(pathFd: number, about: string, { maxBytes }: ReadBound): Buffer {
  const stat = fs.fstatSync(pathFd);
  if (stat.isDirectory()) throw new ErrnoError('open', 'EISDIR', about);
  if (!stat.isFile()) throw new ErrnoError('open', 'EINVAL', about);
  if (stat.size > maxBytes) throw new ErrnoError('read', 'EFBIG', about);
  const flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  const fd = openat(-1, `/proc/self/fd/${pathFd}`, flags, 0) as number;
  if (fd < 0) throw lastError('open', about);
  try {
    return readBounded(fd, about, maxBytes);
  } finally {
    fs.closeSync(fd);
  }
}

/** The size in stat is not believed: the file may grow while it is read. */
function readBounded(fd: number, about: string, maxBytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(Math.min(maxBytes, fs.fstatSync(fd).size) + 1);
  let length = 0;
  for (;;) {
    const count = fs.readSync(fd, buffer, length, buffer.length - length, null);
    if (count === 0) return buffer.subarray(0, length);
    length += count;
    if (length === buffer.length) throw new ErrnoError('read', 'EFBIG', about);
  }
}

/** A merged directory: the folders that overlayfs would read it from, topmost first. */
type Merged = readonly number[];

/** Where a walk is: the merged directories from the root down, and what is left to go. */
interface Way {
  readonly trail: Merged[];
  readonly rest: string[];
  /** What the last name was, when it was no directory. */
  file: number | undefined;
  links: number;
}

/** An O_PATH fd (kept in `open`) of what `path` is in the merged tree; its links are followed. */
function walkLayers(roots: Merged, path: string, open: Set<number>): number {
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
  return found;
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

type Entry =
  | { readonly kind: 'directory'; readonly merged: Merged }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'other'; readonly fd: number };

/** One name in a merged directory, by overlayfs' rules: the first that is no directory ends it. */
function lookup(dirs: Merged, name: string, path: string, open: Set<number>): Entry {
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
  const fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0) as number;
  if (fd >= 0) return fd;
  const error = lastError('openat', path);
  if (error.code === 'ENOENT') return undefined;
  throw error;
}

function entryOf(fd: number, stat: fs.Stats, path: string): Entry {
  if (stat.isSymbolicLink()) return { kind: 'link', target: readLink(fd, path) };
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

function components(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}

/** A NUL would end the name for the kernel and not for us. */
function checked(path: string, syscall: string): string {
  if (path.includes('\0')) throw new ErrnoError(syscall, 'EINVAL', path);
  const isTooLong = Buffer.byteLength(path) >= MAX_PATH_BYTES;
  if (isTooLong) throw new ErrnoError(syscall, 'ENAMETOOLONG', path);
  return path;
}

function keep(open: Set<number>, fd: number): number {
  open.add(fd);
  return fd;
}

function lastError(syscall: string, about: string): ErrnoError {
  return new ErrnoError(syscall, errnoName(koffi.errno()), about);
}
