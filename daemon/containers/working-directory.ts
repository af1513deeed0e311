/**
 * Docker makes the working directory together with the container, so that a client can copy files
 * into it before the first start; one that is a file is refused there.
 */
import { invalidParameter } from '../../api-spec/errors.js';
import { ErrnoError } from '../../native/errno-error.js';
import type { Context } from './context.js';
import type { ContainerRecord } from './record.js';

/** The folders that are to be made, outermost first; `ApiError` 400 for one that cannot be. */
export function missingFolders(
  { rootfs }: Context,
  { layers, config: { WorkingDir: path = '' } }: ContainerRecord,
): readonly string[] {
  if (path === '' || path === '/') return [];
  try {
    const { kind, missing } = rootfs.lookUp(layers, path);
    if (kind === 'other') throw invalidParameter(`Cannot mkdir: ${path} is not a directory`);
    return missing;
  } catch (error) {
    const isAsked = error instanceof ErrnoError &&
      ['ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(error.code);
    if (!isAsked) throw error;
    throw invalidParameter(`Cannot mkdir: ${path} is not a directory`, error);
  }
}

/** Makes them in a container that nobody knows yet. */
export async function makeFolders(
  { rootfs, files }: Context,
  record: ContainerRecord,
  folders: readonly string[],
): Promise<void> {
  if (folders.length === 0) return;
  const parts = await rootfs.mount(record);
  await files.makeFolders({
    kind: 'detached',
    rootfs: parts.kind === 'bind' ? parts : { ...parts, volatile: false },
    mounts: [],
    writable: true,
    readonlyRoot: false,
  }, folders);
}
