/**
 * Where the files of a `COPY` come from: the build's context, an image, a stage. Lazy: a tree may
 * be far away, and only what is asked for is fetched. A folder here is one kind of it.
 */
import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { setImmediate } from 'node:timers/promises';
import { MergedTree, type Resolved, type TreeEntry } from '../../native/merged-tree.js';

export type { Resolved, TreeEntry } from '../../native/merged-tree.js';

/** One file met on a walk. */
export interface SourceEntry extends TreeEntry {
  /** From the tree's root, without leading slash. */
  readonly path: string;
}

/** A tree that does not change while it is read. The caller closes it. */
export interface SourceTree {
  /** Links are followed within the tree; the last one only with `followLast`. */
  resolve(path: string, options: { readonly followLast: boolean }): Promise<Resolved>;
  /** All below a folder, each folder first, by name; `enter` says which folders to look into. */
  walk(path: string, enter: (path: string) => boolean): AsyncIterable<SourceEntry>;
  /** The content of a regular file. */
  read(path: string): AsyncIterable<Uint8Array>;
  close(): void;
}

/** How many files are looked at before others get their turn on the event loop. */
const filesPerTurn = 64;
const chunkBytes = 256 * 1024;

const read = promisify(fs.read);

/** Folders on the host, stacked as overlayfs would, topmost first. */
export function openFolders(dirsTopFirst: readonly string[]): SourceTree {
  const tree = new MergedTree(dirsTopFirst);
  return {
    resolve: (path, options) => Promise.resolve().then(() => tree.resolve(path, options)),
    async *walk(path, enter) {
      let seen = 0;
      for (const entry of tree.walk(path, enter)) {
        seen += 1;
        if (seen % filesPerTurn === 0) await setImmediate();
        yield entry;
      }
    },
    read: (path) => contentOf(tree.openFile(path)),
    close: () => tree.close(),
  };
}

async function* contentOf(fd: number): AsyncGenerator<Uint8Array> {
  try {
    const { size } = fs.fstatSync(fd);
    const most = Math.max(1, Math.min(chunkBytes, size));
    for (;;) {
      // One of its own for each chunk: a stream may keep several.
      const buffer = Buffer.allocUnsafe(most);
      const { bytesRead } = await read(fd, buffer, 0, buffer.length, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    fs.closeSync(fd);
  }
}

/** A small file as a whole; undefined when it is not there. Refuses more than `limitBytes`. */
export async function readSmall(
  tree: SourceTree,
  path: string,
  limitBytes: number,
): Promise<Buffer | undefined> {
  const { entry } = await tree.resolve(path, { followLast: true });
  if (entry?.kind !== 'file') return undefined;
  if (entry.sizeBytes > limitBytes) throw new RangeError(`${path} is too large`);
  const chunks: Buffer[] = [];
  for await (const chunk of tree.read(path)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
