/**
 * `docker import`: one tar becomes an image of one layer. The blob is kept as it came, unless it is
 * compressed as no registry takes it.
 */
import type { Readable } from 'node:stream';
import { invalidParameter } from '../../api-spec/errors.js';
import { ArchiveError, expandedDigest } from '../../native/unpack/index.js';
import { compressionOf, distributable, magicBytes, type Compression } from '../archive/index.js';
import { digestOf } from '../content/index.js';
import { hostPlatform, mediaTypes, parsePlatform } from '../registry/index.js';
import { changes as change } from './catalog.js';
import { applyChanges } from './config-changes.js';
import type { Hold } from './keeper.js';
import { layerFailure } from './layer-failure.js';
import { registerLocalImage } from './local-image.js';
import { openSource } from './import-source.js';
import type { ProgressSink } from './needs.js';
import { Progress } from './progress.js';
import type { PullContext } from './pull.js';
import { familiarName, fullName } from './reference.js';
import { targetReference } from './tag.js';

/** As in `POST /images/create?fromSrc=`. */
export interface ImportRequest {
  /** `-`: the body; otherwise a URL. */
  readonly source: string;
  readonly body: Readable;
  readonly repo: string;
  readonly tag: string;
  readonly message: string;
  readonly changes: readonly string[];
  readonly platform: string;
  readonly sink: ProgressSink;
  readonly signal: AbortSignal;
}

/** Rejects with `ApiError` before the first line. */
export async function importImage(context: PullContext, request: ImportRequest): Promise<void> {
  const reference = targetReference(request.repo, request.tag);
  const config = applyChanges({}, request.changes, context.healthOf);
  const platform = request.platform === '' ? hostPlatform() : parsePlatform(request.platform);
  const progress = new Progress(request.sink);
  const hold = await context.keeper.hold({ layers: [], blobs: [] });
  try {
    const body = await openSource(request, progress);
    const blob = await storeBody(context, { ...request, body }, hold);
    const diffId = await diffIdOf(context, blob, request.signal);
    await hold.add({ layers: [diffId], blobs: [] });
    const created = new Date(context.nowMs()).toISOString();
    const comment = request.message === '' ? `Imported from ${request.source}` : request.message;
    const configText = JSON.stringify({
      ...platform,
      comment,
      created,
      docker_version: context.version,
      config,
      history: [{ created, comment }],
      rootfs: { type: 'layers', diff_ids: [diffId] },
    });
    const id = digestOf(configText);
    await hold.add({ layers: [], blobs: [id] });
    const suffix = blob.compression === 'none' ? '' : `+${blob.compression}`;
    const mediaType = mediaTypes.ociLayer + suffix;
    const name = reference === undefined ? id : familiarName(reference);
    await registerLocalImage(context, {
      id,
      configText,
      layers: [{ mediaType, digest: blob.digest, size: blob.sizeBytes }],
      statements:
        reference === undefined
          ? []
          : [change.setTag(fullName(reference), id), change.touchTagTime(id, context.nowMs())],
      events: [{ action: 'import', id, attributes: { ...config.Labels, name } }],
      signal: request.signal,
    });
    progress.line({ status: id });
    await progress.flush();
  } finally {
    await hold.release({ keepPartials: false });
  }
}

interface StoredTar {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly compression: Compression;
}

async function storeBody(
  context: PullContext,
  { body, signal }: ImportRequest,
  hold: Hold,
): Promise<StoredTar> {
  const ingest = await context.content.ingest({});
  const stop = (): void => void body.destroy();
  signal.addEventListener('abort', stop, { once: true });
  let first: Uint8Array = Buffer.alloc(0);
  try {
    for await (const chunk of await distributable(body)) {
      const bytes = chunk as Buffer; // A body has no encoding: chunks are bytes.
      if (first.length < magicBytes) first = Buffer.concat([first, bytes.subarray(0, magicBytes)]);
      await ingest.write(bytes);
    }
    signal.throwIfAborted();
    await hold.add({ layers: [], blobs: [ingest.verify()] });
    return { ...(await ingest.commit()), compression: compressionOf(first) };
  } catch (error) {
    await ingest.abort();
    throw layerFailure(error, 'of the import', signal);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** The digest of the plain tar: a layer must be named before it can be unpacked. */
async function diffIdOf(
  context: PullContext,
  { digest, compression }: StoredTar,
  signal: AbortSignal,
): Promise<string> {
  if (compression === 'none') return digest;
  try {
    return (await expandedDigest({ path: context.content.path(digest) }, { signal })).digest;
  } catch (error) {
    const isCut = error instanceof ArchiveError && error.message.startsWith('archive ends early');
    throw isCut ? invalidParameter('unexpected EOF', error) : layerFailure(error, digest, signal);
  }
}
