/** `docker save`: a tar that is an OCI layout and a docker archive at once, as Docker writes it. */
import { Readable } from 'node:stream';
import { pack, type Pack } from 'tar-stream';
import { pipeline } from 'node:stream/promises';
import { index as ociIndex } from './oci-index.js';
import type { Catalog, ImageRecord } from './catalog.js';
import { hexOf, type Descriptor } from '../content/index.js';
import { ApiError, invalidParameter, notFound } from '../../api-spec/errors.js';
import { findForPlatform, siblingsOf, wholeIndexOf } from './indexes.js';
import type { Found } from './lookup.js';
import type { PullContext } from './pull.js';
import {
  familiarName,
  familiarRepository,
  fullName,
  parseImageId,
  parseReference,
  repositoryOf,
  type Reference,
} from './reference.js';
import { layerBlobsOf } from './stored-manifest.js';

interface Saved {
  readonly image: ImageRecord;
  readonly references: readonly Reference[];
  readonly layers: readonly Descriptor[];
  /** What else belongs to an image of several platforms. */
  readonly whole?: { readonly index: Descriptor; readonly blobs: readonly string[] };
}

/** As in `GET /images/get`. */
export interface SaveOptions {
  /** OCI platforms as JSON, one at most; none for all that are here of what the names mean. */
  readonly platforms?: readonly string[];
  readonly signal: AbortSignal;
}

/** Rejects with `ApiError` 404 before anything is written; the reader ends the stream. */
export async function saveImages(
  context: PullContext,
  names: readonly string[],
  { platforms = [], signal }: SaveOptions,
): Promise<Readable> {
  if (platforms.length > 1) {
    throw invalidParameter('multiple platform parameters are not supported');
  }
  const { catalog } = context;
  const [platform = ''] = platforms;
  const chosen = [...chooseImages(catalog, names, platform).values()];
  const held = platform === '' ? chosen.flatMap(({ image }) => siblingsOf(catalog, image)) : [];
  const hold = await context.keeper.hold({
    layers: [],
    blobs: [...chosen.map(({ image }) => image), ...held].flatMap(({ id }) => catalog.blobs(id)),
  });
  const tar = pack();
  // The stream itself tells its reader: pipe errors destroy it with the reason.
  const write = async (): Promise<void> => {
    try {
      const saved = await Promise.all(
        chosen.map(async (one) => ({
          ...one,
          layers: await layerBlobsOf(context.content, one.image.manifest),
          ...(platform === '' ? await wholeOf(context, one.image) : {}),
        })),
      );
      await writeAll(context, saved, { tar, signal });
      tar.finalize();
    } catch (error) {
      tar.destroy(error instanceof Error ? error : new Error(String(error)));
    } finally {
      await hold.release({ keepPartials: false });
    }
  };
  void write();
  return Readable.from(tar, { objectMode: false, signal });
}

function chooseImages(
  catalog: Catalog,
  names: readonly string[],
  platform: string,
): ReadonlyMap<string, { readonly image: ImageRecord; readonly references: readonly Reference[] }> {
  const chosen = new Map<string, { image: ImageRecord; references: Reference[] }>();
  for (const { image, reference } of names.flatMap((name) => meant(catalog, name, platform))) {
    const entry = chosen.get(image.id) ?? { image, references: [] };
    chosen.set(image.id, entry);
    if (reference?.tag !== undefined && reference.digest === undefined)
      entry.references.push(reference);
  }
  return chosen;
}

/** A name without a tag stands for all tags of its repository. */
function meant(catalog: Catalog, name: string, platform: string): readonly Found[] {
  if (parseImageId(name) !== undefined) return [findForPlatform(catalog, name, platform)];
  const { tag, digest, ...bare } = parseReference(name);
  const tags =
    tag === undefined && digest === undefined
      ? catalog.tags().filter(({ reference }) => reference.startsWith(`${repositoryOf(bare)}:`))
      : [];
  if (tags.length > 0) {
    return tags.map((row) => findForPlatform(catalog, row.reference, platform));
  }
  try {
    return [findForPlatform(catalog, name, platform)];
  } catch (error) {
    // Docker names what was asked for, without a tag that nobody gave.
    const isMissing = error instanceof ApiError && error.message.startsWith('No such image: ');
    throw isMissing ? notFound(`No such image: ${name}`, error) : error;
  }
}

/** Of an image that several platforms are here of: its index, and the blobs of all of them. */
async function wholeOf(
  { catalog, content }: PullContext,
  image: ImageRecord,
): Promise<Pick<Saved, 'whole'>> {
  const index = wholeIndexOf(catalog, image);
  if (index === undefined) return {};
  const all = siblingsOf(catalog, image);
  const layers = await Promise.all(all.map(({ manifest }) => layerBlobsOf(content, manifest)));
  const blobs = [
    ...layers.flat().map(({ digest }) => digest),
    ...all.flatMap(({ id, manifest }) => [id, manifest.digest]),
    ...all.flatMap(({ id }) => catalog.indexesOf(id).map(({ digest }) => digest)),
  ];
  return { whole: { index, blobs } };
}

interface Output {
  readonly tar: Pack;
  readonly signal: AbortSignal;
}

async function writeAll(
  context: PullContext,
  saved: readonly Saved[],
  output: Output,
): Promise<void> {
  const blobs = new Set(
    saved.flatMap(({ image, layers, whole }) => [
      ...layers.map(({ digest }) => digest),
      image.id,
      image.manifest.digest,
      ...(whole?.blobs ?? []),
    ]),
  );
  for (const digest of blobs) await writeBlob(context, digest, output);
  const documents = {
    'oci-layout': { imageLayoutVersion: '1.0.0' },
    'index.json': {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: saved.flatMap(describe),
    },
    'manifest.json': saved.map(({ image, references, layers }) => ({
      Config: blobName(image.id),
      RepoTags: references.length === 0 ? null : references.map(familiarName),
      Layers: layers.map(({ digest }) => blobName(digest)),
      ...parentAmong(context.catalog, saved, image),
    })),
    repositories: repositories(saved),
  };
  for (const [name, document] of Object.entries(documents)) {
    output.tar.entry({ name, mode: 0o644, mtime: new Date(0) }, JSON.stringify(document));
  }
}

/** The nearest one that goes along. */
function parentAmong(
  catalog: Catalog,
  saved: readonly Saved[],
  { parentId }: ImageRecord,
): { readonly Parent?: string } {
  const parent = parentId === undefined ? undefined : catalog.image(parentId);
  if (parent === undefined) return {};
  const isSaved = saved.some(({ image }) => image.id === parent.id);
  return isSaved ? { Parent: parent.id } : parentAmong(catalog, saved, parent);
}

async function writeBlob(
  { content }: PullContext,
  digest: string,
  { tar, signal }: Output,
): Promise<void> {
  const found = await content.stat(digest);
  const size = found?.sizeBytes ?? 0;
  const entry = tar.entry({ name: blobName(digest), size, mode: 0o644, mtime: new Date(0) });
  await pipeline(content.read(digest), entry, { signal });
}

function describe({ image, references, whole }: Saved): readonly Descriptor[] {
  const tags = references.map((reference) => ({
    reference: fullName(reference),
    imageId: image.id,
  }));
  const manifest = whole?.index ?? image.manifest;
  return ociIndex({ tags: () => tags, images: () => [{ ...image, manifest }] });
}

function repositories(saved: readonly Saved[]): Readonly<Record<string, Record<string, string>>> {
  const found: Record<string, Record<string, string>> = {};
  for (const { image, references, layers } of saved) {
    for (const reference of references) {
      const repository = familiarRepository(parseReference(fullName(reference)));
      const tags = (found[repository] ??= {});
      tags[reference.tag ?? 'latest'] = hexOf(layers.at(-1)?.digest ?? image.id);
    }
  }
  return found;
}

function blobName(digest: string): string {
  return `blobs/sha256/${hexOf(digest)}`;
}
