/**
 * `docker load`: a docker archive (manifest.json) or an OCI layout (index.json), in one pass. Every
 * file of the archive is stored as a blob under the digest that it turns out to have; which of them
 * are wanted is known at the end, the rest go again.
 */
import type { Readable } from 'node:stream';
import { invalidParameter, tooLarge } from '../../api-spec/errors.js';
import {
  blockBytes,
  compressionOf,
  decompressed,
  expanded,
  hasMediaType,
  magicBytes,
  readTar,
} from '../archive/index.js';
import type { Descriptor } from '../content/index.js';
import { beginLayersEarly, type EarlyLayers } from './early-layers.js';
import { boundedWork } from './exclusive.js';
import { mediaTypes, parsePlatformJson, pullError } from '../registry/index.js';
import { changes, type Catalog } from './catalog.js';
import { maxConfigBytes, parseImageConfig, type ImageConfig } from './image-config.js';
import type { Hold } from './keeper.js';
import { fileFailure, layerFailure } from './layer-failure.js';
import { layerKeys } from './layer-keys.js';
import {
  readArchive,
  type ArchiveFiles,
  type ArchivedImage,
  type StoredFile,
} from './load-archive.js';
import { registerLocalImage } from './local-image.js';
import type { ProgressSink } from './needs.js';
import { Progress, shortId } from './progress.js';
import type { PullContext } from './pull.js';
import { familiarName, fullName, type Reference } from './reference.js';

/** As in `POST /images/load`. */
export interface LoadRequest {
  /** A tar, plain or gzip. */
  readonly body: Readable;
  readonly quiet: boolean;
  /** OCI platforms as JSON; empty for all that are there. */
  readonly platforms: readonly string[];
  readonly sink: ProgressSink;
  readonly signal: AbortSignal;
}

const maxDocumentBytes = 8 * 2 ** 20;
const maxFiles = 20_000;
/** What is smaller is here before a bar could be seen; documents are. */
const minShownBytes = 2 ** 20;
/** Blobs that are being made durable while the next one comes. */
const maxEnding = 4;

/** Rejects with `ApiError`; images that were complete before the failure stay. */
export async function loadImages(context: PullContext, request: LoadRequest): Promise<void> {
  const progress = new Progress(request.sink);
  const hold = await context.keeper.hold({ layers: [], blobs: [] });
  const ended = new AbortController();
  const signal = AbortSignal.any([request.signal, ended.signal]);
  const early = beginLayersEarly(context, hold, signal);
  const stop = (): void => void request.body.destroy();
  request.signal.addEventListener('abort', stop, { once: true });
  try {
    const loading = { context, request, hold, early, progress };
    const files = await storeFiles(loading);
    const platforms = request.platforms.filter((one) => one !== '').map(parsePlatformJson);
    for (const image of parentsFirst(await readArchive(files, platforms))) {
      // The name comes last: then all of it is here.
      for (const sibling of image.siblings ?? []) await loadOne(loading, sibling);
      await loadOne(loading, image);
      announce(progress, image.id, image.references);
    }
  } catch (error) {
    request.signal.throwIfAborted();
    throw pullError(fileFailure(error), { repository: '', reference: '' });
  } finally {
    request.signal.removeEventListener('abort', stop);
    ended.abort();
    await early.settled();
    await hold.release({ keepPartials: false });
  }
  await progress.flush();
}

/** Only of an image that is there can another be the child. */
function parentsFirst(images: readonly ArchivedImage[]): readonly ArchivedImage[] {
  const heightOf = ({ configText }: ArchivedImage): number =>
    parseImageConfig(configText).history.length;
  const hasParents = images.some(({ parentId }) => parentId !== undefined);
  return hasParents ? images.toSorted((one, other) => heightOf(one) - heightOf(other)) : images;
}

interface Storing {
  readonly context: PullContext;
  readonly request: LoadRequest;
  readonly hold: Hold;
  readonly early: EarlyLayers;
  readonly progress: Progress;
}

/** The files of the archive as blobs, by name. */
async function storeFiles(storing: Storing): Promise<ArchiveFiles> {
  const { context, request } = storing;
  const files = new Map<string, StoredFile>();
  const links = new Map<string, string>();
  const ends = boundedWork(maxEnding);
  try {
    for await (const entry of readTar(await decompressed(request.body))) {
      request.signal.throwIfAborted();
      if (files.size + links.size >= maxFiles)
        throw tooLarge(`archive has more than ${maxFiles} files`);
      if (entry.kind === 'link') links.set(entry.name, entry.target);
      else files.set(entry.name, await storeFile(storing, entry, (work) => ends.add(work)));
    }
  } finally {
    // Whatever was begun is over, before the caller lets go of it.
    await ends.settled();
  }
  await ends.all();
  return archiveFiles(context, files, links);
}

function archiveFiles(
  context: PullContext,
  files: ReadonlyMap<string, StoredFile>,
  links: ReadonlyMap<string, string>,
): ArchiveFiles {
  const find = (name: string): StoredFile | undefined => {
    const target = links.get(name);
    return files.get(name) ?? (target === undefined ? undefined : files.get(target));
  };
  return {
    find,
    read: async (name) => {
      const file = find(name);
      if (file === undefined) return undefined;
      if (file.sizeBytes > maxDocumentBytes) throw tooLarge(`${name} in the archive is too large`);
      return context.content.readAll(file.digest, maxDocumentBytes);
    },
  };
}

/**
 * Tells how much of a layer has come, if the archive's name for it says which one it is (as in an
 * OCI layout) and it is not here yet.
 */
function counted(
  { context, request, progress }: Storing,
  { name, sizeBytes }: { readonly name: string; readonly sizeBytes: number },
): (currentBytes: number) => void {
  const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1];
  const isKnown = hex === undefined || context.catalog.diffIdOf(`sha256:${hex}`) !== undefined;
  if (request.quiet || sizeBytes < minShownBytes || isKnown) return () => undefined;
  return (current) => {
    // That it is whole is told when it is unpacked.
    if (current < sizeBytes)
      progress.count(shortId(hex), 'Loading layer', { current, total: sizeBytes });
  };
}

/** A file of an archive, as it comes. */
interface ComingFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Resolves when all bytes are there; that they are durable is one more of `ends`. */
async function storeFile(
  storing: Storing,
  { name, sizeBytes, body }: ComingFile,
  addEnd: (work: Promise<void>) => Promise<void>,
): Promise<StoredFile> {
  const { context, hold, early } = storing;
  const ingest = await context.content.ingest({ sizeBytes });
  const count = counted(storing, { name, sizeBytes });
  let first: Buffer = Buffer.alloc(0);
  let current = 0;
  try {
    for await (const chunk of body) {
      if (first.length < blockBytes) first = Buffer.concat([first, chunk.subarray(0, blockBytes)]);
      await ingest.write(chunk);
      count((current += chunk.length));
    }
    // Held before it is there: what is there and not held may be collected.
    const digest = ingest.verify();
    await hold.add({ layers: [], blobs: [digest] });
    const end = async (): Promise<void> => {
      await ingest.commit();
      await early.begin({ mediaType: mediaTypes.ociLayer, digest, size: sizeBytes }, first);
    };
    await addEnd(end());
    return { digest, sizeBytes, compression: compressionOf(first.subarray(0, magicBytes)) };
  } catch (error) {
    await ingest.abort();
    throw error;
  }
}

async function loadOne(
  { context, request, hold, early, progress }: Storing,
  image: ArchivedImage,
): Promise<void> {
  if (image.configText.length > maxConfigBytes) throw tooLarge('image configuration is too large');
  const config = parseImageConfig(image.configText);
  if (config.os !== 'linux') {
    throw invalidParameter(
      `cannot load ${config.os} image on linux: operating system is not supported`,
    );
  }
  await hold.add({
    layers: layerKeys(config.diffIds, context.driver.layerIdentity).map(({ key }) => key),
    blobs: [],
  });
  const labels = config.config.Labels ?? {};
  const layers: Descriptor[] = [];
  for (const file of image.layers) {
    layers.push(descriptorOf(await kept({ context, request, hold }, file)));
  }
  await registerLocalImage(context, {
    id: image.id,
    configText: image.configText,
    layers,
    ...(image.manifest === undefined ? {} : { manifest: image.manifest }),
    ...(image.manifestType === undefined ? {} : { manifestType: image.manifestType }),
    statements: [
      ...(image.indexes ?? []).flatMap((index) => changes.addIndex(image.id, index)),
      ...image.references.map((reference) => changes.setTag(fullName(reference), image.id)),
    ],
    events: [{ action: 'load', id: image.id, attributes: { ...labels, name: image.id } }],
    ...believedParent(context.catalog, image, config),
    onLayer: (layer) => {
      if (request.quiet) return;
      const at = { current: layer.size, total: layer.size };
      progress.count(shortId(layer.digest), 'Loading layer', at);
    },
    underWay: early.underWay,
    signal: request.signal,
  });
}

/** Of what an archive says, only an image that the other continues is its parent. */
function believedParent(
  catalog: Catalog,
  { parentId }: ArchivedImage,
  { history, diffIds }: ImageConfig,
): { readonly parentId?: string } {
  const parent = parentId === undefined ? undefined : catalog.image(parentId);
  if (parent === undefined) return {};
  const before = parent.config;
  const continues =
    before.history.length < history.length &&
    before.diffIds.every((diffId, height) => diffId === diffIds[height]);
  return continues ? { parentId: parent.id } : {};
}

function announce(progress: Progress, id: string, references: readonly Reference[]): void {
  for (const reference of references) {
    progress.line({ stream: `Loaded image: ${familiarName(reference)}\n` });
  }
  if (references.length === 0) progress.line({ stream: `Loaded image ID: ${id}\n` });
}

/** A layer that is compressed as no registry takes it, plain. */
async function kept(
  { context, request, hold }: Pick<Storing, 'context' | 'request' | 'hold'>,
  file: StoredFile,
): Promise<StoredFile> {
  if (hasMediaType(file.compression)) return file;
  const ingest = await context.content.ingest({});
  try {
    for await (const chunk of expanded({ path: context.content.path(file.digest) })) {
      request.signal.throwIfAborted();
      await ingest.write(chunk as Buffer); // No encoding is set: chunks are bytes.
    }
    await hold.add({ layers: [], blobs: [ingest.verify()] });
    return { ...(await ingest.commit()), compression: 'none' };
  } catch (error) {
    await ingest.abort();
    throw layerFailure(error, file.digest, request.signal);
  }
}

/** Docker's archives hold plain tars, and some tools' compressed ones under the same names. */
function descriptorOf({ digest, sizeBytes, compression }: StoredFile): Descriptor {
  const suffix = compression === 'none' ? '' : `+${compression}`;
  return { mediaType: mediaTypes.ociLayer + suffix, digest, size: sizeBytes };
}
