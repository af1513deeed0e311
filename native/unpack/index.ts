/**
 * Bulk work on file trees, done by `tsdocker-unpack`: a C program of its own that is killed when it
 * takes too long, so that a hostile archive or a hung filesystem harms neither the daemon's event
 * loop nor its memory. Every call here is one process. When a promise settles, the process is gone:
 * what it wrote may be removed. Errors: `ArchiveError` for what the archive's sender did wrong;
 * `ErrnoError` for the kernel's "no"; the signal's reason after an abort.
 */
import { defaultUnpackLimits, type TreeOptions, type UnpackLimits } from './bounds.js';
import { runProgram, type Source } from './program.js';

export { defaultUnpackLimits, diskReserveBytes } from './bounds.js';
export type { TreeOptions, UnpackLimits } from './bounds.js';
export { ArchiveError } from './archive-error.js';
export { fetchFromContainer, putIntoContainer, statInContainer } from './container-root.js';
export type {
  ContainerRoot, DetachedMount, FileStat, PutOptions,
} from './container-root.js';
export { exportTree, listChanges, treeDigest, writeLayer } from './difference.js';
export type { Change, Difference, WrittenLayer } from './difference.js';
export { compressArchive, type CompressedArchive } from './compress.js';
export { expandArchive, expandedDigest } from './expand.js';
export type { Source } from './program.js';

/** One layer to be unpacked. Gone wrong, it leaves the target half filled: discard it. */
export interface UnpackOptions {
  /** A tar: plain, gzip or zstd, told apart by its first bytes. A stream is consumed to its end. */
  readonly source: Source;
  /** Folder on the host that exists and that nobody else writes to: `LayerStage.path`. */
  readonly target: string;
  /** As `LayerStage.whiteouts`; `none` for what is no layer: `.wh.` names are names as others. */
  readonly whiteouts: 'overlay' | 'apply' | 'none';
  readonly limits?: Partial<UnpackLimits>;
  readonly signal?: AbortSignal;
  /** The process is killed after this time; half an hour by default. */
  readonly timeoutMs?: number;
}

/** What was unpacked, measured on the way, so that nothing is read twice. */
export interface UnpackResult {
  /** `sha256:…` of the whole uncompressed stream. */
  readonly diffId: string;
  /** Bytes of file contents. */
  readonly sizeBytes: number;
  readonly entries: number;
  /** Bytes of the uncompressed stream, which `diffId` names. */
  readonly tarBytes: number;
  /**
   * Folders that entries lie in and that have no entry of their own, so that mode and owner
   * come from the layers beneath; made as root's, 0755. The first thousand, relative to the target.
   */
  readonly impliedDirectories: readonly string[];
}

const UNPACK_TIMEOUT_MS = 30 * 60_000;
const TREE_TIMEOUT_MS = 10 * 60_000;

/**
 * Unpacks one layer; see the module for its errors. What it wrote is not yet durable: `syncTree`.
 */
export async function unpackLayer(options: UnpackOptions): Promise<UnpackResult> {
  const limits = { ...defaultUnpackLimits, ...options.limits };
  const report = await runProgram({
    command: 'unpack',
    settings: {
      target: options.target,
      whiteouts: options.whiteouts,
      ...limits,
    },
    source: options.source,
    signal: options.signal,
    timeoutMs: options.timeoutMs ?? UNPACK_TIMEOUT_MS,
  });
  return {
    diffId: `sha256:${report.text('sha256')}`,
    sizeBytes: report.number('sizeBytes'),
    entries: report.number('entries'),
    tarBytes: report.number('tarBytes'),
    impliedDirectories: report.texts('implied'),
  };
}

/** A copy out of stacked layers; nothing is mounted for it. */
export interface CopyOptions extends TreeOptions {
  /**
   * Roots on the host as overlayfs would stack them, topmost first; one folder for a plain tree.
   */
  readonly layersTopFirst: readonly string[];
  /** The folder to copy, inside that merged root; links on the way are followed within it. */
  readonly path: string;
  /** Folder on the host that exists; takes owner, mode, times and attributes of the copied one. */
  readonly target: string;
  /**
   * Copies only into a target without entries, and says whether it did. A source that is absent or
   * no folder is nothing to copy.
   */
  readonly onlyIfEmpty: boolean;
}

/**
 * Copies a tree with owners, modes, times, attributes, hard links and devices (sockets are left
 * out), sharing blocks where the filesystem can. Returns whether anything was there to copy.
 */
export async function copyTree(options: CopyOptions): Promise<{ copied: boolean }> {
  const report = await runProgram({
    command: 'copy',
    settings: {
      target: options.target,
      path: options.path,
      onlyIfEmpty: options.onlyIfEmpty ? 1 : 0,
    },
    operands: options.layersTopFirst,
    signal: options.signal,
    timeoutMs: options.timeoutMs ?? TREE_TIMEOUT_MS,
  });
  return { copied: report.number('copied') === 1 };
}

/**
 * Makes a tree survive a power cut: file by file when it is small, its whole filesystem otherwise.
 */
export async function syncTree(path: string, options: TreeOptions = {}): Promise<void> {
  await runTree('sync', path, options);
}

/**
 * Makes files and trees of the filesystem of `root` survive a power cut, with their names; what is
 * not there any more is passed over. One by one when these are few, else the whole filesystem.
 */
export async function syncTrees(root: string, paths: readonly string[]): Promise<void> {
  await runProgram({
    command: 'sync',
    settings: { target: root },
    operands: paths,
    timeoutMs: TREE_TIMEOUT_MS,
  });
}

/**
 * Bytes of the files in a tree, each inode once and folders not counted, as Docker counts; inodes.
 */
export async function treeUsage(
  path: string,
  options: TreeOptions = {},
): Promise<{ sizeBytes: number; inodes: number }> {
  const report = await runTree('usage', path, options);
  return { sizeBytes: report.number('sizeBytes'), inodes: report.number('inodes') };
}

/** Removes what lies in a folder and the folder itself, of any depth; absent is success. */
export async function removeTree(path: string, options: TreeOptions = {}): Promise<void> {
  await runTree('remove', path, options);
}

function runTree(
  command: string,
  target: string,
  options: TreeOptions,
): ReturnType<typeof runProgram> {
  const timeoutMs = options.timeoutMs ?? TREE_TIMEOUT_MS;
  return runProgram({ command, settings: { target }, signal: options.signal, timeoutMs });
}

