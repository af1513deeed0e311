/**
 * The layer that lies between an image and each container of it: `/.dockerenv`, and what the
 * engine mounts over while a container runs, so that a container has the same names before its
 * first start, while it runs and after. As Docker's init layer, but one for all containers: it
 * costs no container anything, and is never among what a container changed.
 *
 *     <root>/init/<16 hex>/    by what the folders of the image are like, mostly one only
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { MergedTree } from '../native/merged-tree.js';
import { syncTree } from '../native/unpack/index.js';
import type { Folders } from './folders.js';

/** Above what is in them. */
const folderPaths = ['dev', 'dev/pts', 'dev/shm', 'etc', 'proc', 'sys'] as const;
const filePaths = [
  '.dockerenv', 'dev/console', 'etc/hostname', 'etc/hosts', 'etc/resolv.conf',
] as const;
const links: Readonly<Record<string, string>> = { 'etc/mtab': '/proc/mounts' };

/** What Docker makes, files too. */
const plain = { mode: 0o755, uid: 0, gid: 0 } as const;
/** Of answers that are remembered, by stack of layers. */
const MAX_REMEMBERED = 512;
const NAME_DIGITS = 16;

/** A folder as the image has it, whose place a layer's folder takes. */
interface Folder {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** What such a layer holds. */
interface Shape {
  readonly folders: readonly Folder[];
  readonly files: readonly string[];
  readonly links: readonly (readonly [string, string])[];
}

/** The init layers of one driver. */
export interface InitLayers {
  /**
   * The folder on the host for containers of these layers (keys, and their folders topmost first);
   * made when it is missing.
   */
  folderFor(keys: readonly string[], foldersTopFirst: readonly string[]): Promise<string>;
}

/** Opens the init layers below the root of a driver's folders. */
export function openInitLayers(folders: Folders): InitLayers {
  const made = new Map<string, Promise<string>>();
  const byStack = new Map<string, Promise<string>>();
  const make = (shape: Shape): Promise<string> => {
    const name = nameOf(shape);
    const path = made.get(name) ?? makeLayer(folders, name, shape);
    made.set(name, path);
    // It may work the next time.
    path.catch(() => made.delete(name));
    return path;
  };
  return {
    folderFor(keys, foldersTopFirst) {
      const stack = keys.join();
      const known = byStack.get(stack);
      if (known !== undefined) return known;
      if (byStack.size === MAX_REMEMBERED) byStack.clear();
      const path = make(shapeOver(foldersTopFirst));
      byStack.set(stack, path);
      path.catch(() => byStack.delete(stack));
      return path;
    },
  };
}

/**
 * Puts an init layer's files into a folder that holds a whole copy of the image, in place of the
 * image's own; the folder is nobody else's yet.
 */
export function layInto(target: string, initLayer: string): void {
  for (const path of folderPaths) {
    const there = lstat(join(target, path));
    if (there?.isDirectory() === true) continue;
    if (there !== undefined) fs.unlinkSync(join(target, path));
    makeFolder(target, { path, ...plain });
  }
  for (const path of [...filePaths, ...Object.keys(links)]) {
    const stats = lstat(join(initLayer, path));
    if (stats === undefined) continue;
    const timeS = Math.floor(stats.mtimeMs / 1000);
    fs.rmSync(join(target, path), { force: true });
    const link = links[path];
    if (link === undefined) makeFile(target, path);
    else fs.symlinkSync(link, join(target, path));
    // The same time, so that it counts as unchanged.
    fs.lutimesSync(join(target, path), timeS, timeS);
  }
}

/** The folders of an image keep their modes and owners; what is a folder there stays one. */
function shapeOver(foldersTopFirst: readonly string[]): Shape {
  const tree = new MergedTree(foldersTopFirst);
  try {
    const isFree = (path: string): boolean => folderIn(tree, path) === undefined;
    return {
      folders: folderPaths.map((path) => folderIn(tree, path) ?? { path, ...plain }),
      files: filePaths.filter(isFree),
      links: Object.entries(links).filter(([path]) => isFree(path)),
    };
  } finally {
    tree.close();
  }
}

/** The folder itself: a link to one, at the end or on the way, makes room for a layer's own. */
function folderIn(tree: MergedTree, path: string): Folder | undefined {
  const above = dirname(path);
  if (above !== '.' && folderIn(tree, above) === undefined) return undefined;
  const { entry } = tree.resolve(path, { followLast: false });
  if (entry?.kind !== 'directory') return undefined;
  return { path, mode: entry.mode, uid: entry.uid, gid: entry.gid };
}

function nameOf(shape: Shape): string {
  const hash = createHash('sha256').update(JSON.stringify(shape));
  return hash.digest('hex').slice(0, NAME_DIGITS);
}

async function makeLayer(folders: Folders, name: string, shape: Shape): Promise<string> {
  const path = folders.path('init', name);
  if (await folders.has('init', name)) return path;
  const staged = await folders.stage();
  fs.chmodSync(staged, plain.mode);
  for (const folder of shape.folders) makeFolder(staged, folder);
  for (const file of shape.files) makeFile(staged, file);
  for (const [link, target] of shape.links) fs.symlinkSync(target, join(staged, link));
  // Whole seconds are what can be given to a copy: Node knows no nanoseconds.
  const nowS = Math.floor(Date.now() / 1000);
  for (const file of [...shape.files, ...Object.keys(links)]) {
    if (lstat(join(staged, file)) !== undefined) fs.lutimesSync(join(staged, file), nowS, nowS);
  }
  await syncTree(staged);
  await folders.publish(staged, 'init', name);
  return path;
}

function makeFolder(root: string, { path, mode, uid, gid }: Folder): void {
  fs.mkdirSync(join(root, path));
  fs.chownSync(join(root, path), uid, gid);
  fs.chmodSync(join(root, path), mode);
}

function makeFile(root: string, path: string): void {
  fs.writeFileSync(join(root, path), '', { flag: 'wx' });
  fs.chmodSync(join(root, path), plain.mode);
}

function lstat(path: string): fs.Stats | undefined {
  return fs.lstatSync(path, { throwIfNoEntry: false });
}
