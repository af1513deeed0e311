/** Files that lie nowhere: here-documents, small contexts, and what else is held in memory. */
import { ErrnoError } from '../../native/errno-error.js';
import type { Resolved, SourceEntry, SourceTree, TreeEntry } from './source-tree.js';

/** A file or a folder in memory. */
export type MemoryEntry = {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeMs: number;
} & ({ readonly kind: 'file'; readonly bytes: Uint8Array } | { readonly kind: 'directory' });

/** Files by name in one flat folder. */
export function memoryTree(
  files: ReadonlyMap<string, Uint8Array>,
  { mode, mtimeMs }: { readonly mode: number; readonly mtimeMs: number },
): SourceTree {
  const entries = [...files].map(([path, bytes]): [string, MemoryEntry] => [
    path,
    { kind: 'file', mode, uid: 0, gid: 0, mtimeMs, bytes },
  ]);
  return treeOf(new Map(entries), mtimeMs);
}

/** A tree in memory. */
export interface MemoryTree extends SourceTree {
  /** Takes away what is at a clean path, with all below it. */
  remove(path: string): void;
}

interface Folder {
  readonly entry: MemoryEntry;
  readonly children: Map<string, Folder>;
}

/**
 * Entries by clean path; folders that have none of their own are root's, 0755. Throws ENOTDIR for
 * what lies below a file.
 */
export function treeOf(entries: ReadonlyMap<string, MemoryEntry>, nowMs: number): MemoryTree {
  const implied = { kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtimeMs: nowMs } as const;
  const root: Folder = { entry: implied, children: new Map() };
  // Folders come before what is in them.
  const paths = [...entries.keys()].sort((one, other) => one.length - other.length);
  for (const path of paths) {
    const names = path.split('/');
    const last = names.pop() ?? '';
    let folder = root;
    for (const name of names) folder = below(folder, name, implied, path);
    const entry = entries.get(path) ?? implied;
    refuseFile(folder, path);
    folder.children.set(last, { entry, children: new Map() });
  }
  return {
    resolve: (path) => Promise.resolve().then(() => resolve(root, path)),
    async *walk(path, enter) {
      const { node, names } = find(root, path);
      if (node !== undefined) yield* walk(node, names.join('/'), enter);
    },
    async *read(path) {
      const { node } = find(root, path);
      if (node === undefined) throw new ErrnoError('open', 'ENOENT', path);
      if (node.entry.kind === 'directory') throw new ErrnoError('open', 'EISDIR', path);
      yield await Promise.resolve(node.entry.bytes);
    },
    close: () => undefined,
    remove: (path) => {
      const names = path.split('/');
      const name = names.pop() ?? '';
      find(root, names.join('/')).node?.children.delete(name);
    },
  };
}

function below(folder: Folder, name: string, implied: MemoryEntry, path: string): Folder {
  refuseFile(folder, path);
  const there = folder.children.get(name);
  if (there !== undefined) return there;
  const made = { entry: implied, children: new Map<string, Folder>() };
  folder.children.set(name, made);
  return made;
}

function refuseFile({ entry }: Folder, path: string): void {
  if (entry.kind === 'file') throw new ErrnoError('open', 'ENOTDIR', path);
}

interface Found {
  readonly names: readonly string[];
  readonly node: Folder | undefined;
}

/** There are no links: a path is what it says. ENOTDIR below a file. */
function find(root: Folder, path: string): Found {
  const names: string[] = [];
  const trail: (Folder | undefined)[] = [root];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (names.pop() !== undefined) trail.pop();
      continue;
    }
    const folder = trail.at(-1);
    if (folder?.entry.kind === 'file') throw new ErrnoError('open', 'ENOTDIR', path);
    names.push(name);
    trail.push(folder?.children.get(name));
  }
  return { names, node: trail.at(-1) };
}

function resolve(root: Folder, path: string): Resolved {
  const { names, node } = find(root, path);
  return { path: names.join('/'), entry: node === undefined ? undefined : described(node.entry) };
}

function* walk(
  folder: Folder,
  path: string,
  enter: (path: string) => boolean,
): Generator<SourceEntry> {
  for (const name of [...folder.children.keys()].sort()) {
    const child = folder.children.get(name);
    if (child === undefined) continue;
    const own = path === '' ? name : `${path}/${name}`;
    yield { ...described(child.entry), path: own };
    if (child.entry.kind === 'directory' && enter(own)) yield* walk(child, own, enter);
  }
}

function described(entry: MemoryEntry): TreeEntry {
  const { kind, mode, uid, gid, mtimeMs } = entry;
  const sizeBytes = entry.kind === 'file' ? entry.bytes.length : 0;
  return { kind, mode, uid, gid, sizeBytes, mtimeMs, identity: '', device: 0, target: '' };
}
