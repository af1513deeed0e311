/**
 * What lies in folders of layers, as archives and lists: written by `tsdocker-unpack` without a
 * mount, also while a container changes it. Errors as in `index.ts`.
 */
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { ErrnoError } from '../errno-error.js';
import type { TreeOptions } from './bounds.js';
import { type ProgramCall, runProgram, streamProgram } from './program.js';

/** A writable layer against what it lies on. */
export interface Difference {
  /** Folder on the host with the changes (overlay) or with everything (apply). */
  readonly folder: string;
  readonly whiteouts: 'overlay' | 'apply';
  /** What it lies on, as overlayfs would stack it, topmost first. */
  readonly layersTopFirst: readonly string[];
  /**
   * Paths, relative to the root, that the engine makes in every container: no changes while they
   * are empty.
   */
  readonly ours: readonly string[];
}

/** An archive that was written, measured on the way. */
export interface WrittenLayer {
  /** `sha256:…` of the tar, which is not compressed: its digest and its diffID. */
  readonly diffId: string;
  readonly tarBytes: number;
  readonly entries: number;
  /** Bytes of file contents. */
  readonly sizeBytes: number;
}

/** How a layer is written. */
export interface WriteOptions extends TreeOptions {
  /**
   * An empty folder of the same filesystem: all that is written is moved there, and lies as the
   * layer would be unpacked (`overlay`). What is left of the source is of no use.
   */
  readonly into?: string;
}

/** One path that is not as it was; folders above a change are among them, before it. */
export interface Change {
  readonly path: string;
  readonly kind: 'modified' | 'added' | 'deleted';
}

const TIMEOUT_MS = 30 * 60_000;
/** A list that is longer is refused (EFBIG): some 800 000 paths. */
const MAX_LIST_BYTES = 64 * 2 ** 20;

/**
 * Writes the changes to an open file as one layer by the OCI's rules (`.wh.` names, opaque
 * markers), the same bytes for the same tree. The caller makes it durable.
 */
export async function writeLayer(
  difference: Difference,
  outputFd: number,
  options: WriteOptions = {},
): Promise<WrittenLayer> {
  const call = callOf(difference, options);
  const into = options.into === undefined ? {} : { into: options.into };
  const report = await runProgram({ ...call, settings: { ...call.settings, ...into }, outputFd });
  return {
    diffId: `sha256:${report.text('sha256')}`,
    tarBytes: report.number('tarBytes'),
    entries: report.number('entries'),
    sizeBytes: report.number('sizeBytes'),
  };
}

/** The changes by path. What has the same kind, owner, mode, size and time counts as unchanged. */
export async function listChanges(
  difference: Difference,
  options: TreeOptions = {},
): Promise<readonly Change[]> {
  const call = callOf(difference, options);
  const stream = streamProgram({ ...call, settings: { ...call.settings, listing: 1 } });
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    // The stream has no encoding: chunks are bytes.
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > MAX_LIST_BYTES) throw new ErrnoError('read', 'EFBIG', difference.folder);
  }
  const records = Buffer.concat(chunks).toString('utf8').split('\0').slice(0, -1);
  return records.map((record) => ({ kind: kindOf(record), path: record.slice(1) }));
}

/**
 * A digest of a whole tree, the same for the same names, kinds, modes, owners, attributes, contents
 * and times of files; of folders the time does not count. Whiteouts as overlayfs has them do.
 */
export async function treeDigest(folder: string, options: TreeOptions = {}): Promise<string> {
  const nowhere = await open('/dev/null', 'w');
  const difference = { folder, whiteouts: 'overlay', layersTopFirst: [], ours: [] } as const;
  const call = callOf(difference, options);
  const settings = { ...call.settings, comparing: 1 };
  try {
    return (await runProgram({ ...call, settings, outputFd: nowhere.fd })).text('sha256');
  } finally {
    await nowhere.close();
  }
}

/** All of a stack of folders, topmost first, as one tar without compression. */
export function exportTree(
  layersTopFirst: readonly string[],
  { signal, timeoutMs = TIMEOUT_MS }: TreeOptions = {},
): Readable {
  const [target = ''] = layersTopFirst;
  const operands = layersTopFirst;
  return streamProgram({ command: 'export', settings: { target }, operands, signal, timeoutMs });
}

function callOf(difference: Difference, options: TreeOptions): ProgramCall {
  const { folder, whiteouts, layersTopFirst, ours } = difference;
  return {
    command: 'diff',
    settings: { target: folder, whiteouts, ours: ours.join(',') },
    operands: layersTopFirst,
    signal: options.signal,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
  };
}

function kindOf(record: string): Change['kind'] {
  const kind = kinds.get(record.slice(0, 1));
  if (kind === undefined) throw new Error('tsdocker-unpack diff: bad list');
  return kind;
}

/** As in differ.c. */
const kinds: ReadonlyMap<string, Change['kind']> = new Map([
  ['0', 'modified'],
  ['1', 'added'],
  ['2', 'deleted'],
]);
