/**
 * Images of several platforms. Each platform is an image by itself; the index that it was pulled by
 * is kept with it, and ties those together that are here.
 */
import type { ImageManifestSummary } from '../../api-spec/index.js';
import { notFound } from '../../api-spec/errors.js';
import type { ContentStore, Descriptor } from '../content/index.js';
import {
  choosePlatform,
  parseManifest,
  parsePlatform,
  parsePlatformJson,
  platformName,
  type ImageIndex,
  type Platform,
} from '../registry/index.js';
import type { Catalog, ImageRecord } from './catalog.js';
import { findImage, type Found } from './lookup.js';
import { layerBlobsOf } from './stored-manifest.js';

/** What is looked at. */
interface Kept {
  readonly catalog: Catalog;
  readonly content: ContentStore;
}

const maxIndexBytes = 4 * 2 ** 20;

/**
 * The image that `name` means on a platform, an OCI one as JSON; on any when that is empty.
 * `ApiError` 404 when it is not here for that platform, 400 for what is no platform.
 */
export function findForPlatform(catalog: Catalog, name: string, platform: string): Found {
  const found = findImage(catalog, name);
  if (platform === '') return found;
  const wanted = parsePlatformJson(platform);
  const chosen = chooseSibling(catalog, found.image, wanted);
  if (chosen !== undefined) return { ...found, image: chosen };
  throw notFound(
    `image with reference ${name} was found but does not provide the specified platform ` +
      `(${platformName(wanted)})`,
  );
}

/**
 * As `findForPlatform`, by `os/arch[/variant]`; what the name means by itself when nothing fits:
 * the caller refuses that in its own words.
 */
export function bestForPlatform(catalog: Catalog, name: string, platform: string): ImageRecord {
  const { image } = findImage(catalog, name);
  if (platform === '') return image;
  return chooseSibling(catalog, image, parsePlatform(platform)) ?? image;
}

function chooseSibling(
  catalog: Catalog,
  image: ImageRecord,
  wanted: Platform,
): ImageRecord | undefined {
  const candidates = siblingsOf(catalog, image).map((one) => {
    const { os, architecture, variant } = one.config;
    const own = { os, architecture, ...(variant === undefined ? {} : { variant }) };
    return { image: one, platform: own };
  });
  return choosePlatform(wanted, candidates)?.image;
}

/** The image itself, then those of other platforms that came by the same index. */
export function siblingsOf(catalog: Catalog, image: ImageRecord): readonly ImageRecord[] {
  const others = catalog
    .indexesOf(image.id)
    .flatMap(({ digest }) => catalog.imagesOfIndex(digest))
    .filter((id) => id !== image.id);
  return [image, ...[...new Set(others)].flatMap((id) => catalog.image(id) ?? [])];
}

/** The index that ties most of an image's platforms together; undefined when no other is here. */
export function wholeIndexOf(catalog: Catalog, image: ImageRecord): Descriptor | undefined {
  const counted = catalog
    .indexesOf(image.id)
    .map((index) => ({ index, images: catalog.imagesOfIndex(index.digest).length }))
    .filter(({ images }) => images > 1)
    .sort((one, other) => other.images - one.images);
  return counted[0]?.index;
}

/**
 * The index of an image of which every platform is here, as it was served; undefined where that
 * would name what is not here.
 */
export async function completeIndex(
  { catalog, content }: Kept,
  image: ImageRecord,
): Promise<{ readonly descriptor: Descriptor; readonly bytes: Buffer } | undefined> {
  const descriptor = wholeIndexOf(catalog, image);
  if (descriptor === undefined) return undefined;
  const { manifests } = await readIndex(content, descriptor);
  const here = new Set(siblingsOf(catalog, image).map(({ manifest }) => manifest.digest));
  if (!manifests.every(({ digest }) => here.has(digest))) return undefined;
  return { descriptor, bytes: await content.readAll(descriptor.digest, maxIndexBytes) };
}

/** `manifests=1`: all that an image's index names, and which of it is here. */
export async function manifestsOf(
  kept: Kept,
  image: ImageRecord,
  containersOf: (imageId: string) => readonly string[],
): Promise<readonly ImageManifestSummary[]> {
  const { catalog, content } = kept;
  const siblings = new Map(siblingsOf(catalog, image).map((one) => [one.manifest.digest, one]));
  const summary = async (
    descriptor: Descriptor,
    kind: ImageManifestSummary['Kind'],
  ): Promise<ImageManifestSummary> => {
    const here = siblings.get(descriptor.digest);
    if (here === undefined) return absent(descriptor, kind);
    return present(kept, descriptor, { image: here, containers: containersOf(here.id) });
  };
  const [index] = catalog.indexesOf(image.id);
  if (index === undefined || (await content.stat(index.digest)) === undefined) {
    return [await summary(image.manifest, 'image')];
  }
  const { manifests } = await readIndex(content, index);
  return Promise.all(manifests.map((entry) => summary(plain(entry), kindOf(entry))));
}

async function readIndex(content: ContentStore, index: Descriptor): Promise<ImageIndex> {
  const bytes = await content.readAll(index.digest, maxIndexBytes);
  const document = parseManifest(bytes, index.mediaType);
  if (document.kind !== 'index') throw new Error(`${index.digest} is no index`);
  return document;
}

type Entry = ImageIndex['manifests'][number];

function plain({ mediaType, digest, size, platform }: Entry): Descriptor {
  return { mediaType, digest, size, ...(platform === undefined ? {} : { platform }) };
}

/** Attestations are for a platform that is none. */
function kindOf({ platform }: Entry): ImageManifestSummary['Kind'] {
  if (platform === undefined) return 'unknown';
  return platform.os === 'unknown' ? 'attestation' : 'image';
}

function absent(
  descriptor: Descriptor,
  kind: ImageManifestSummary['Kind'],
): ImageManifestSummary {
  return {
    ID: descriptor.digest,
    Descriptor: descriptor,
    Available: false,
    Size: { Total: 0, Content: 0 },
    Kind: kind,
  };
}

async function present(
  { content }: Kept,
  descriptor: Descriptor,
  here: { readonly image: ImageRecord; readonly containers: readonly string[] },
): Promise<ImageManifestSummary> {
  const { image, containers } = here;
  const layers = await layerBlobsOf(content, image.manifest);
  const config = (await content.stat(image.id))?.sizeBytes ?? 0;
  const stored = layers.reduce((sum, { size }) => sum + size, image.manifest.size + config);
  const { os, architecture, variant } = image.config;
  return {
    ID: descriptor.digest,
    Descriptor: descriptor,
    Available: true,
    Size: { Total: stored + image.sizeBytes, Content: stored },
    Kind: 'image',
    ImageData: {
      Platform: { architecture, os, ...(variant === undefined ? {} : { variant }) },
      Containers: containers,
      Size: { Unpacked: image.sizeBytes },
    },
  };
}
