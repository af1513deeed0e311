/** `docker save`: a tar that is an OCI layout and a docker archive at once, as Docker writes it. */
import { Readable } from 'node:stream';
import { pack, type Pack } from 'tar-stream';
import { pipeline } from 'node:stream/promises';
import { index as ociIndex } from './oci-index.js';
import type { Catalog, ImageRecord } from './catalog.js';
import { hexOf, type Descriptor } from '../content/index.js';
import { ApiError, invalidParameter, notFound } from '../../api-spec/errors.js';
import { findForPlatform } from './indexes.js';
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
}

/** As in `GET /images/get`. */
export interface SaveOptions {
  /** OCI platforms as JSON, one at most; none for what the names mean. */
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
  const chosen = chooseImages(context.catalog, names, platforms[0] ?? '');
  const hold = await context.keeper.hold({
    layers: [],
    blobs: [...chosen.keys()].flatMap((id) => context.catalog.blobs(id)),
  });
  const tar = pack();
  // The stream itself tells its reader: pipe errors destroy it with the reason.
  const write = async (): Promise<void> => {
    try {
      const saved = await Promise.all(
        [...chosen.values()].map(({ image, references }) => withLayers(context, image, references)),
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

async function withLayers(
  { content }: PullContext,
  image: ImageRecord,
  references: readonly Reference[],
): Promise<Saved> {
  return { image, references, layers: await layerBlobsOf(content, image.manifest) };
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
    saved.flatMap(({ image, layers }) => [
      ...layers.map(({ digest }) => digest),
      image.id,
      image.manifest.digest,
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
    })),
    repositories: repositories(saved),
  };
  for (const [name, document] of Object.entries(documents)) {
    output.tar.entry({ name, mode: 0o644, mtime: new Date(0) }, JSON.stringify(document));
  }
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

function describe({ image, references }: Saved): readonly Descriptor[] {
  const tags = references.map((reference) => ({
    reference: fullName(reference),
    imageId: image.id,
  }));
  return ociIndex({ tags: () => tags, images: () => [image] });
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
