/**
 * What a `COPY` copies, as a digest: names, kinds, modes, sizes, contents, link targets, and not
 * times. The same files give the same cache key wherever and whenever they were written.
 */
import { createHash, type Hash } from 'node:crypto';
import type { SourceTree, TreeEntry } from '../source-tree.js';
import { contentOf, type Selected } from './select.js';

/** `file:<hex>`, `dir:<hex>`, or `multi:<hex>` for several; as the history shows it. */
export async function checksumOf(
  sources: readonly Selected[],
  signal: AbortSignal,
): Promise<string> {
  const sums: string[] = [];
  for (const source of sources) sums.push(await checksumOfOne(source, signal));
  const [only] = sums;
  if (only !== undefined && sums.length === 1) return only;
  return `multi:${createHash('sha256').update(sums.join(',')).digest('hex')}`;
}

async function checksumOfOne(source: Selected, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const { entry, tree, path, parents } = source;
  if (parents.length > 0) hash.update(`parents ${JSON.stringify(parents)}\n`);
  if (entry.kind !== 'directory') {
    await addEntry(hash, '', { tree, path, entry });
    return `file:${hash.digest('hex')}`;
  }
  for await (const below of contentOf(source)) {
    signal.throwIfAborted();
    await addEntry(hash, below.below, { tree, path: below.path, entry: below });
  }
  return `dir:${hash.digest('hex')}`;
}

interface Summed {
  readonly tree: SourceTree;
  readonly path: string;
  readonly entry: TreeEntry;
}

async function addEntry(hash: Hash, name: string, { tree, path, entry }: Summed): Promise<void> {
  const { kind, mode, uid, gid, sizeBytes, target, device, capability } = entry;
  const head = [name, kind, mode, uid, gid, sizeBytes, target, device];
  hash.update(`${JSON.stringify([...head, capability?.toString('hex') ?? ''])}\n`);
  if (kind !== 'file') return;
  for await (const chunk of tree.read(path)) hash.update(chunk);
}
