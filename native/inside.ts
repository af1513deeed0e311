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
import { ErrnoError } from './errno-error.js';
import {
  checked,
  lastError,
  openAt,
  openRoot,
  openRoots,
  walkLayers,
} from './merged.js';
import { O_CLOEXEC, O_PATH } from './open-flags.js';

export { isOpaqueFolder } from './merged.js';
export { O_PATH } from './open-flags.js';

const { O_NOCTTY, O_NONBLOCK, O_RDONLY } = fs.constants;

const SYS_OPENAT2 = 437;
const SIZEOF_OPEN_HOW = 24;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;
/** `..` beside a rename is EAGAIN; whoever renames without end gets it as an error. */
const MAX_TRIES = 64;

const libc = koffi.load(null);
const openat2 = libc.func('syscall', 'long', ['long', 'int', 'str', 'void *', 'size_t']);

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
    return readRegular(walkLayers(roots, path, open).fd, path, bound);
  } finally {
    for (const fd of open) fs.closeSync(fd);
  }
}

/** Whether a `ErrnoError` says that there is nothing at that path. */
export function isAbsent(error: unknown): boolean {
  return error instanceof ErrnoError && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
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
  const fd = openAt(-1, `/proc/self/fd/${pathFd}`, flags);
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
