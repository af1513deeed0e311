/** `docker diff` and `docker export`: the container's own files, whatever is mounted over them. */
import type { Readable } from 'node:stream';
import { conflict } from '../../api-spec/errors.js';
import type { FilesystemChange } from '../../api-spec/index.js';
import type { Container } from './container.js';
import { containerEvent, tell } from './context.js';
import type { Context } from './context.js';

/**
 * What the engine itself makes in a container's folder, for mounts to lie on: no change of the
 * container's as long as it is empty.
 */
export const ownPaths: readonly string[] = [
  '.dockerenv',
  'dev',
  'dev/console',
  'dev/mqueue',
  'dev/pts',
  'dev/shm',
  'etc',
  'etc/hostname',
  'etc/hosts',
  'etc/mtab',
  'etc/resolv.conf',
  'proc',
  'sys',
];

const numbers = { modified: 0, added: 1, deleted: 2 } as const;

/** Paths that differ from the image; null for none, as Docker says it. */
export async function containerChanges(
  context: Context,
  { record }: Container,
): Promise<readonly FilesystemChange[] | null> {
  const changes = await context.rootfs.changes(record, ownPaths);
  if (changes.length === 0) return null;
  return changes.map(({ path, kind }) => ({ Path: path, Kind: numbers[kind] }));
}

/** All files as a tar, which the caller destroys when it leaves it. `ApiError` 409 at removal. */
export async function exportContainer(context: Context, container: Container): Promise<Readable> {
  const { record } = container;
  const { status } = record.state;
  if (status === 'dead' || status === 'removing') {
    const what = status === 'dead' ? 'dead' : 'being removed';
    throw conflict(`You cannot export container ${record.id} which is ${what}`);
  }
  const tar = await context.rootfs.export(record);
  await tell(context, containerEvent(record, 'export'));
  return tar;
}
