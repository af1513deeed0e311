/** A layer that is put together file by file, and written as a tar that is hashed on the way. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { tarEnd, tarHeader, tarPadding, type TarEntry } from '../archive/index.js';
import type { SourceEntry, SourceTree } from './source-tree.js';

/** Where the bytes of a file are. */
export type Content =
  | { readonly tree: SourceTree; readonly path: string }
  | { readonly bytes: Uint8Array };

/** One entry of the layer; `mtimeMs` undefined is now. */
export interface LayerEntry {
  readonly kind: Exclude<SourceEntry['kind'], 'socket'>;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeMs: number;
  readonly sizeBytes: number;
  readonly target: string;
  readonly device: number;
  /** The same for all names of one file; empty for none. */
  readonly identity: string;
  readonly capability?: Buffer;
  readonly content?: Content;
}

/** Entries by path, without leading slash; a later one replaces an earlier one. */
export type LayerEntries = Map<string, LayerEntry>;

/** Small writes are gathered: a system call each would cost more than the copy. */
const gatherBytes = 512 * 1024;

const write = promisify(fs.write);

/** Writes all entries, folders before what is in them; what it wrote is measured. */
export async function writeLayerTar(
  entries: LayerEntries,
  fd: number,
  signal: AbortSignal,
): Promise<{ diffId: string; tarBytes: number; entries: number }> {
  const output = openOutput(fd);
  const firstNames = new Map<string, string>();
  const paths = [...entries.keys()].sort(byPath);
  for (const path of paths) {
    signal.throwIfAborted();
    const entry = entries.get(path);
    if (entry === undefined) continue;
    const first = entry.identity === '' ? undefined : firstNames.get(entry.identity);
    if (first !== undefined) {
      await output.put(tarHeader({ ...headOf(path, entry), ...linkTo(first) }));
      continue;
    }
    if (entry.identity !== '') firstNames.set(entry.identity, path);
    await output.put(tarHeader(headOf(path, entry)));
    if (entry.kind === 'file') await putContent(entry, path, output, signal);
  }
  await output.put(tarEnd);
  return { ...(await output.end()), entries: paths.length };
}

/** Folders come before their content: by names, not by characters of the whole path. */
function byPath(one: string, other: string): number {
  const [first, second] = [one.replaceAll('/', '\0'), other.replaceAll('/', '\0')];
  return first < second ? -1 : first > second ? 1 : 0;
}

function linkTo(name: string) {
  return { type: 'link', linkName: name, sizeBytes: 0, xattrs: new Map() } as const;
}

const types = {
  file: 'file',
  directory: 'directory',
  link: 'symlink',
  character: 'character',
  block: 'block',
  fifo: 'fifo',
} as const;

function headOf(path: string, entry: LayerEntry): TarEntry {
  const { kind, mode, uid, gid, mtimeMs, sizeBytes, target, device, capability } = entry;
  return {
    name: kind === 'directory' ? `${path}/` : path,
    type: types[kind],
    mode,
    uid,
    gid,
    mtimeSeconds: mtimeMs / 1000,
    sizeBytes: kind === 'file' ? sizeBytes : 0,
    ...(kind === 'link' ? { linkName: target } : {}),
    ...(kind === 'character' || kind === 'block' ? { device: deviceOf(device) } : {}),
    ...(capability === undefined
      ? {}
      : { xattrs: new Map([['security.capability', capability]]) }),
  };
}

/** As glibc packs both numbers into one. */
function deviceOf(device: number): { major: number; minor: number } {
  const number = BigInt(device);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n);
  const minor = (number & 0xffn) | ((number >> 12n) & 0xffffff00n);
  return { major: Number(major), minor: Number(minor) };
}

interface Output {
  put(bytes: Uint8Array): Promise<void>;
  end(): Promise<{ diffId: string; tarBytes: number }>;
}

function openOutput(fd: number): Output {
  const hash = createHash('sha256');
  let gathered: Uint8Array[] = [];
  let gatheredBytes = 0;
  let tarBytes = 0;
  const flush = async (): Promise<void> => {
    let rest: Uint8Array = Buffer.concat(gathered);
    gathered = [];
    gatheredBytes = 0;
    hash.update(rest);
    while (rest.length > 0) {
      const { bytesWritten } = await write(fd, rest, 0, rest.length);
      rest = rest.subarray(bytesWritten);
    }
  };
  return {
    async put(bytes) {
      // The giver uses its buffer again.
      gathered.push(Buffer.from(bytes));
      gatheredBytes += bytes.length;
      tarBytes += bytes.length;
      if (gatheredBytes >= gatherBytes) await flush();
    },
    async end() {
      await flush();
      return { diffId: `sha256:${hash.digest('hex')}`, tarBytes };
    },
  };
}

async function putContent(
  { content, sizeBytes }: LayerEntry,
  path: string,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  let written = 0;
  for await (const chunk of bytesOf(content)) {
    signal.throwIfAborted();
    written += chunk.length;
    if (written > sizeBytes) break;
    await output.put(chunk);
  }
  if (written !== sizeBytes) throw new Error(`${path} changed while it was read`);
  await output.put(tarPadding(sizeBytes));
}

/** The content of a file, wherever it is. */
export async function* bytesOf(content: Content | undefined): AsyncGenerator<Uint8Array> {
  if (content === undefined) return;
  if ('bytes' in content) yield content.bytes;
  else yield* content.tree.read(content.path);
}
