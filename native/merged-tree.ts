/**
 * A tree of files as overlayfs would show it, read without a mount: the layers of an image, or one
 * plain folder. For trees that nobody changes meanwhile, on a filesystem of the host.
 */
import * as fs from 'node:fs';
import { ErrnoError } from './errno-error.js';
import {
  checked,
  components,
  type Entry,
  lastError,
  lookup,
  type Merged,
  openAt,
  openRoots,
} from './merged.js';
import { O_CLOEXEC } from './open-flags.js';
import { readXattr } from './xattr.js';

const { O_NOCTTY, O_NONBLOCK, O_RDONLY } = fs.constants;
/** As in the kernel: the 41st link on the way is ELOOP. */
const MAX_SYMLINKS = 40;
const MAX_COMPONENTS = 1024;
/** A file capability is 24 bytes at most. */
const MAX_CAPABILITY_BYTES = 64;

/** What a file is, links not followed. */
export interface TreeEntry {
  readonly kind: 'file' | 'directory' | 'link' | 'character' | 'block' | 'fifo' | 'socket';
  /** Permission bits with set-id and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  /** The same for all names of one file; empty when it has one name only. */
  readonly identity: string;
  readonly device: number;
  /** Of a link; empty otherwise. */
  readonly target: string;
  /** `security.capability` of a file. */
  readonly capability?: Buffer;
}

/** Where a path leads: its real name, without leading slash, and what is there, if anything. */
export interface Resolved {
  readonly path: string;
  readonly entry: TreeEntry | undefined;
}

/** One file met on a walk; `open` works until the next is asked for. */
export interface WalkedEntry extends TreeEntry {
  readonly path: string;
  /** For reading; the caller closes it. */
  open(): number;
}

/** The merged tree of `dirsTopFirst`. `close` gives its fds back; all calls are synchronous. */
export class MergedTree {
  readonly #open = new Set<number>();
  readonly #roots: Merged;

  constructor(dirsTopFirst: readonly string[]) {
    try {
      this.#roots = openRoots(dirsTopFirst, this.#open);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    closeAll(this.#open);
  }

  /**
   * Follows links as a process with this root would; the last one only with `followLast`. Names
   * that are not there are taken as they are written. ENOTDIR below a file, ELOOP in a circle.
   */
  resolve(path: string, options: { readonly followLast: boolean }): Resolved {
    return this.#at(path, options, ({ names, entry }) => ({
      path: names.join('/'),
      entry: entry === undefined ? undefined : described(entry),
    }));
  }

  /** Opens a regular file for reading; the caller closes it. Links are followed. */
  openFile(path: string): number {
    return this.#at(path, { followLast: true }, ({ entry }) => {
      if (entry === undefined) throw new ErrnoError('open', 'ENOENT', path);
      if (entry.kind === 'directory') throw new ErrnoError('open', 'EISDIR', path);
      if (!fs.fstatSync(entry.fd).isFile()) throw new ErrnoError('open', 'EINVAL', path);
      return reopened(entry.fd, path);
    });
  }

  /**
   * Everything below a folder, each folder before what is in it, by name. `enter` says whether to
   * look into a folder. The walk must be run to its end, or returned from.
   */
  *walk(path: string, enter: (path: string) => boolean): Generator<WalkedEntry> {
    const open = new Set<number>();
    try {
      const { entry, names } = this.#find(path, { followLast: false }, open);
      if (entry?.kind === 'directory') yield* walkFolder(entry.merged, names.join('/'), enter);
    } finally {
      closeAll(open);
    }
  }

  #at<T>(path: string, options: { readonly followLast: boolean }, use: (found: Found) => T): T {
    const open = new Set<number>();
    try {
      return use(this.#find(path, options, open));
    } finally {
      closeAll(open);
    }
  }

  #find(
    path: string,
    { followLast }: { readonly followLast: boolean },
    open: Set<number>,
  ): Found {
    const way: Way = {
      trail: [{ kind: 'directory', merged: this.#roots }],
      names: [],
      rest: components(checked(path, 'open')),
      links: 0,
      missing: 0,
    };
    for (let steps = 0; ; steps += 1) {
      const name = way.rest.shift();
      if (name === undefined) break;
      if (steps > MAX_COMPONENTS) throw new ErrnoError('open', 'ENAMETOOLONG', path);
      step(way, name, { followLast, path, open });
    }
    return { names: way.names, entry: way.missing > 0 ? undefined : way.trail.at(-1) };
  }
}

interface Found {
  readonly names: readonly string[];
  readonly entry: Entry | undefined;
}

interface Way {
  /** What was met from the root down; one more than `names`. */
  readonly trail: Entry[];
  readonly names: string[];
  readonly rest: string[];
  links: number;
  /** How many of the last names are not there. */
  missing: number;
}

interface Step {
  readonly followLast: boolean;
  readonly path: string;
  readonly open: Set<number>;
}

function step(way: Way, name: string, { followLast, path, open }: Step): void {
  if (name === '.') return;
  if (name === '..') {
    goUp(way);
    return;
  }
  const entry = way.missing > 0 ? undefined : entryIn(way.trail.at(-1), name, path, open);
  if (entry === undefined) {
    way.missing += 1;
    way.names.push(name);
  } else if (entry.kind === 'link' && (followLast || way.rest.length > 0)) {
    way.links += 1;
    if (way.links > MAX_SYMLINKS) throw new ErrnoError('open', 'ELOOP', path);
    if (entry.target.startsWith('/')) goToRoot(way);
    way.rest.unshift(...components(entry.target));
  } else {
    way.names.push(name);
    way.trail.push(entry);
  }
}

function goUp(way: Way): void {
  if (way.names.length === 0) return;
  way.names.pop();
  if (way.missing > 0) way.missing -= 1;
  else way.trail.pop();
}

function goToRoot(way: Way): void {
  way.names.length = 0;
  way.trail.length = 1;
  way.missing = 0;
}

function entryIn(
  folder: Entry | undefined,
  name: string,
  path: string,
  open: Set<number>,
): Entry | undefined {
  if (folder?.kind !== 'directory') throw new ErrnoError('open', 'ENOTDIR', path);
  try {
    return lookup(folder.merged, name, path, open);
  } catch (error) {
    if (error instanceof ErrnoError && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function* walkFolder(
  folder: Merged,
  path: string,
  enter: (path: string) => boolean,
): Generator<WalkedEntry> {
  for (const name of namesIn(folder)) {
    const below = path === '' ? name : `${path}/${name}`;
    const open = new Set<number>();
    try {
      const entry = entryIn({ kind: 'directory', merged: folder }, name, below, open);
      if (entry === undefined) continue;
      yield walked(entry, below);
      if (entry.kind === 'directory' && enter(below)) {
        yield* walkFolder(entry.merged, below, enter);
      }
    } finally {
      closeAll(open);
    }
  }
}

function walked(entry: Entry, path: string): WalkedEntry {
  return {
    ...described(entry),
    path,
    open: () => {
      if (entry.kind !== 'other') throw new ErrnoError('open', 'EINVAL', path);
      return reopened(entry.fd, path);
    },
  };
}

function namesIn(folder: Merged): readonly string[] {
  const names = new Set(folder.flatMap((fd) => fs.readdirSync(`/proc/self/fd/${fd}`)));
  return [...names].sort((one, other) => (one < other ? -1 : 1));
}

function reopened(pathFd: number, about: string): number {
  const flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  const fd = openAt(-1, `/proc/self/fd/${pathFd}`, flags);
  if (fd < 0) throw lastError('open', about);
  return fd;
}

function described(entry: Entry): TreeEntry {
  const fd = entry.kind === 'directory' ? entry.merged[0] : entry.fd;
  if (fd === undefined) throw new ErrnoError('open', 'ENOENT');
  const stat = fs.fstatSync(fd);
  const capability = stat.isFile()
    ? readXattr(`/proc/self/fd/${fd}`, 'security.capability', MAX_CAPABILITY_BYTES)
    : undefined;
  return {
    kind: kindOf(stat),
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    sizeBytes: stat.isFile() ? stat.size : 0,
    mtimeMs: stat.mtimeMs,
    identity: stat.nlink > 1 && !stat.isDirectory() ? `${stat.dev}:${stat.ino}` : '',
    device: stat.rdev,
    target: entry.kind === 'link' ? entry.target : '',
    ...(capability === undefined ? {} : { capability }),
  };
}

function kindOf(stat: fs.Stats): TreeEntry['kind'] {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'link';
  if (stat.isCharacterDevice()) return 'character';
  if (stat.isBlockDevice()) return 'block';
  return stat.isFIFO() ? 'fifo' : 'socket';
}

function closeAll(open: Set<number>): void {
  for (const fd of open) fs.closeSync(fd);
  open.clear();
}
