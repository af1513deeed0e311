/** `docker cp`: what is at a path of a container, out of it and into it. */
import type { Readable } from 'node:stream';
import { invalidParameter, forbidden, notFound, tooLarge } from '../../api-spec/errors.js';
import type { ContainerPathStat } from '../../api-spec/index.js';
import { ErrnoError } from '../../native/errno-error.js';
import { ArchiveError } from '../../native/unpack/archive-error.js';
import { archivePath, baseOf, statShape } from './archive-path.js';
import type { Container } from './container.js';
import { containerEvent, tell } from './context.js';
import type { Context } from './context.js';
import { withRoot } from './view.js';

/** As in `PUT /containers/{id}/archive`. */
export interface ArchivePutRequest {
  readonly path: string;
  readonly tar: Readable;
  readonly noOverwriteDirNonDir: boolean;
  /** Everything is to belong to the container's user. */
  readonly copyUIDGID: boolean;
  readonly signal: AbortSignal;
}

/** A container by the name that the client used, which Docker's words repeat. */
interface Named {
  readonly ref: string;
  readonly container: Container;
}

/** What is at a path; a link is not followed unless a slash comes after. */
export async function archiveInfo(
  context: Context,
  named: Named,
  asked: string,
): Promise<ContainerPathStat> {
  const path = archivePath(asked);
  const stat = await withRoot(context, named.container, { writes: false }, (root) =>
    told(named, asked, () => context.files.stat(root, path)),
  );
  return statShape(path, stat);
}

/** The same with a tar of it. */
export async function archiveGet(
  context: Context,
  named: Named,
  asked: string,
): Promise<{ readonly stat: ContainerPathStat; readonly tar: Readable }> {
  const path = archivePath(asked);
  const { stat, tar } = await withRoot(context, named.container, { writes: false }, (root) =>
    told(named, asked, () => context.files.fetch(root, path, { as: baseOf(path) })),
  );
  await tell(context, containerEvent(named.container.record, 'archive-path'));
  return { stat: statShape(path, stat), tar };
}

/** Unpacks into a folder, which is left as it is itself. What came before a failure stays. */
export async function archivePut(
  context: Context,
  named: Named,
  request: ArchivePutRequest,
): Promise<void> {
  const path = archivePath(request.path);
  const { container } = named;
  const { signal: gone } = request;
  await withRoot(context, container, { writes: true, signal: gone }, async (root, signal) => {
    const owner = request.copyUIDGID ? await ownerOf(context, container) : undefined;
    const keepKind = request.noOverwriteDirNonDir;
    const options = { path, source: request.tar, keepKind, signal };
    await told(named, request.path, () =>
      context.files.put(root, owner === undefined ? options : { ...options, owner }),
    ).catch(extractionRefusal);
  });
  await tell(context, containerEvent(container.record, 'extract-to-dir'));
}

function extractionRefusal(error: unknown): never {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof ErrnoError && cause.code === 'ENOTDIR') {
    throw invalidParameter('extraction point is not a directory', cause);
  }
  throw error;
}

/** Without a user of its own a container's files keep the owners that the archive names. */
async function ownerOf(context: Context, { record }: Container) {
  if ((record.config.User ?? '') === '') return undefined;
  return context.runtime.userOf(record, await context.rootfs.mount(record));
}

/** What the kernel or the archive said no to, in Docker's words. */
async function told<T>({ ref }: Named, path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof ArchiveError) {
      throw error.kind === 'TooLarge'
        ? tooLarge(error.message, error)
        : invalidParameter(error.message, error);
    }
    if (error instanceof ErrnoError) throw refusalOf(error, ref, path) ?? error;
    throw error;
  }
}

function refusalOf(error: ErrnoError, ref: string, path: string): Error | undefined {
  switch (error.syscall === 'openat2' ? error.code : '') {
    case 'ENOENT':
      return notFound(`Could not find the file ${path} in container ${ref}`, error);
    case 'ENOTDIR':
      return invalidParameter(`lstat ${path}: not a directory`, error);
    case 'ELOOP':
      return invalidParameter(`lstat ${path}: too many levels of symbolic links`, error);
    case 'ENAMETOOLONG':
      return invalidParameter(`lstat ${path}: file name too long`, error);
    case 'EROFS':
      return error.about === 'rootfs'
        ? forbidden('container rootfs is marked read-only', error)
        : forbidden('mounted volume is marked read-only', error);
    default:
      return undefined;
  }
}
