/** A few files that lie nowhere: here-documents, and what else is made up. */
import { ErrnoError } from '../../native/errno-error.js';
import type { SourceTree, TreeEntry } from './source-tree.js';

/** Files by name in one flat folder. */
export function memoryTree(
  files: ReadonlyMap<string, Uint8Array>,
  { mode, mtimeMs }: { readonly mode: number; readonly mtimeMs: number },
): SourceTree {
  const entryOf = (bytes: Uint8Array): TreeEntry => ({
    kind: 'file',
    mode,
    uid: 0,
    gid: 0,
    sizeBytes: bytes.length,
    mtimeMs,
    identity: '',
    device: 0,
    target: '',
  });
  return {
    resolve: (path) => {
      const bytes = files.get(path);
      return Promise.resolve({ path, entry: bytes === undefined ? undefined : entryOf(bytes) });
    },
    async *walk() {
      for (const [path, bytes] of files) yield await Promise.resolve({ ...entryOf(bytes), path });
    },
    async *read(path) {
      const bytes = files.get(path);
      if (bytes === undefined) throw new ErrnoError('open', 'ENOENT', path);
      yield await Promise.resolve(bytes);
    },
    close: () => undefined,
  };
}
