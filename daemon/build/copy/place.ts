/** Where the files of a `COPY` go: entries of a layer over a root filesystem. */
import { invalidParameter } from '../../../api-spec/errors.js';
import type { LayerEntries, LayerEntry } from '../layer-tar.js';
import type { SourceEntry, SourceTree, TreeEntry } from '../source-tree.js';
import type { ChangeMode } from './mode.js';
import type { Owner } from './owner.js';
import { contentOf, type Selected } from './select.js';

/** How things are put down. */
export interface Placement {
  readonly kind: 'COPY' | 'ADD';
  /** The image that is copied into. */
  readonly rootfs: SourceTree;
  /** Absolute; ends in a slash where the user said that it is a folder. */
  readonly destination: string;
  /** Undefined keeps what the source has. */
  readonly owner: Owner | undefined;
  readonly mode: ChangeMode | undefined;
  readonly nowMs: number;
}

/** One thing to be put down: a source, or the content of an archive as a folder. */
export interface Placed {
  readonly selected: Selected;
  /** An archive's own owners and modes stay, whatever `--chown` says, as with Docker. */
  readonly unpacked: boolean;
}

/** Adds the entries of all sources; `ApiError` 400 in Docker's words where they cannot be put. */
export async function placeAll(
  entries: LayerEntries,
  sources: readonly Placed[],
  placement: Placement,
): Promise<void> {
  if (sources.length > 1 && !placement.destination.endsWith('/')) {
    throw invalidParameter(
      `When using ${placement.kind} with more than one source file, the destination must be a ` +
        'directory and end with a /',
    );
  }
  for (const source of sources) {
    if (source.selected.entry.kind === 'directory') await placeFolder(entries, source, placement);
    else await placeFile(entries, source, placement);
  }
}

async function placeFolder(
  entries: LayerEntries,
  { selected, unpacked }: Placed,
  placement: Placement,
): Promise<void> {
  const { rootfs, destination } = placement;
  const named = [...selected.parents, ...(selected.parents.length > 0 ? [selected.name] : [])];
  const target = await rootfs.resolve([destination, ...named].join('/'), { followLast: true });
  if (target.entry !== undefined && target.entry.kind !== 'directory') {
    throw invalidParameter(`cannot copy to non-directory: ${destination}`);
  }
  const above = target.path.slice(0, Math.max(0, target.path.lastIndexOf('/')));
  await addFolders(entries, above, { ...placement, owner: root });
  const owner = unpacked ? root : (placement.owner ?? root);
  await addFolders(entries, target.path, { ...placement, owner });
  for await (const entry of contentOf(selected)) {
    const path = target.path === '' ? entry.below : `${target.path}/${entry.below}`;
    await addParent(entries, path, placement);
    add(entries, path, entryOf(entry, { selected, unpacked, placement }));
  }
}

async function placeFile(
  entries: LayerEntries,
  { selected, unpacked }: Placed,
  placement: Placement,
): Promise<void> {
  const { rootfs, destination } = placement;
  const folder = [destination, ...selected.parents].join('/');
  const found = await rootfs.resolve(folder, { followLast: true });
  const intoFolder =
    destination.endsWith('/') ||
    selected.parents.length > 0 ||
    found.entry?.kind === 'directory' ||
    entries.get(found.path)?.kind === 'directory';
  const target = intoFolder ? `${found.path}/${selected.name}` : found.path;
  const path = target.replace(/^\/+/, '');
  const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
  await addFolders(entries, parent, { ...placement, owner: placement.owner ?? root });
  // Sources that were named one by one become files of their own.
  const entry: SourceEntry = { ...selected.entry, path: selected.path, identity: '' };
  add(entries, path, entryOf(entry, { selected, unpacked, placement }));
}

/** A folder that a file took the place of before, or the other way round, goes with all below. */
function add(entries: LayerEntries, path: string, entry: LayerEntry | undefined): void {
  if (entry === undefined) return;
  const before = entries.get(path);
  if (before?.kind === 'directory' && entry.kind !== 'directory') {
    for (const name of [...entries.keys()]) if (name.startsWith(`${path}/`)) entries.delete(name);
  }
  entries.set(path, entry);
}

interface Making {
  readonly selected: Selected;
  readonly unpacked: boolean;
  readonly placement: Placement;
}

function entryOf(entry: SourceEntry, making: Making): LayerEntry | undefined {
  const { kind } = entry;
  // Docker leaves sockets out too: a tar has no word for them.
  if (kind === 'socket') return undefined;
  const { selected, placement, unpacked } = making;
  const own = { uid: entry.uid, gid: entry.gid };
  const { uid, gid } = unpacked ? own : (placement.owner ?? own);
  const isGiven = !unpacked && placement.owner !== undefined;
  const mode = kind === 'link' ? 0o777 : isGiven ? givenMode(entry) : entry.mode;
  return {
    kind,
    mode: kind === 'link' ? mode : (placement.mode?.(mode, kind === 'directory') ?? mode),
    uid,
    gid,
    mtimeMs: entry.mtimeMs,
    sizeBytes: entry.sizeBytes,
    target: entry.target,
    device: entry.device,
    identity: entry.identity,
    ...(entry.capability === undefined ? {} : { capability: entry.capability }),
    ...(kind === 'file' ? { content: { tree: selected.tree, path: entry.path } } : {}),
  };
}

/** As Docker's, whose files lose these bits with the kernel's `chown`. */
function givenMode({ kind, mode }: SourceEntry): number {
  if (kind !== 'file') return mode;
  const groupRuns = (mode & 0o010) !== 0;
  return mode & (groupRuns ? ~0o6000 : ~0o4000);
}

/** Who new folders belong to, and over which image. */
export interface FolderPlacement {
  readonly rootfs: SourceTree;
  readonly owner: Owner;
  readonly nowMs: number;
}

const root: Owner = { uid: 0, gid: 0 };

/** The folders of a path: those that are there as they are, the others new. */
export async function addFolders(
  entries: LayerEntries,
  path: string,
  placement: FolderPlacement,
): Promise<void> {
  const names = path.split('/').filter((name) => name !== '');
  for (const depth of names.keys()) {
    const folder = names.slice(0, depth + 1).join('/');
    if (entries.has(folder)) continue;
    const { entry } = await placement.rootfs.resolve(folder, { followLast: false });
    entries.set(folder, folderOf(entry, placement));
  }
}

/** The folder that something is put into, where its source did not bring it along. */
async function addParent(
  entries: LayerEntries,
  path: string,
  placement: Placement,
): Promise<void> {
  const slash = path.lastIndexOf('/');
  if (slash < 0 || entries.has(path.slice(0, slash))) return;
  await addFolders(entries, path.slice(0, slash), { ...placement, owner: root });
}

function folderOf(
  there: TreeEntry | undefined,
  { owner, nowMs }: FolderPlacement,
): LayerEntry {
  const isThere = there?.kind === 'directory';
  return {
    kind: 'directory',
    mode: isThere ? there.mode : 0o755,
    uid: isThere ? there.uid : owner.uid,
    gid: isThere ? there.gid : owner.gid,
    mtimeMs: nowMs,
    sizeBytes: 0,
    target: '',
    device: 0,
    identity: '',
  };
}
