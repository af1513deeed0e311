/** What an archive of images says is in it: Docker's `manifest.json`, or an OCI `index.json`. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { Compression } from '../archive/index.js';
import { digestOf, hexOf, isDigest, type Descriptor } from '../content/index.js';
import {
  choosePlatform,
  hostPlatform,
  isIndexType,
  parseManifest,
  type ImageManifest,
  type Platform,
} from '../registry/index.js';
import { parseReference, withDefaultTag, type Reference } from './reference.js';

/** A file of the archive, in the content store under its own digest. */
export interface StoredFile {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly compression: Compression;
}

/** The archive by names; links are followed. */
export interface ArchiveFiles {
  find(name: string): StoredFile | undefined;
  /** A document as a whole; undefined when it is not there. */
  read(name: string): Promise<Buffer | undefined>;
}

/** One image of an archive, its files found. */
export interface ArchivedImage {
  readonly id: string;
  readonly configText: string;
  readonly layers: readonly StoredFile[];
  readonly references: readonly Reference[];
  readonly manifest?: Buffer;
  readonly manifestType?: string;
  /** The indexes that it was found by. */
  readonly indexes?: readonly Descriptor[];
  /** The same image for other platforms. */
  readonly siblings?: readonly ArchivedImage[];
  /** What it says was its parent. */
  readonly parentId?: string;
}

const maxImages = 1000;
const maxIndexDepth = 4;

/**
 * All images of the archive; of those for several platforms the ones that are wanted, or all that
 * are in it when `platforms` is empty. `ApiError` 400.
 */
export async function readArchive(
  files: ArchiveFiles,
  platforms: readonly Platform[],
): Promise<readonly ArchivedImage[]> {
  const docker = await files.read('manifest.json');
  const layout = await files.read('index.json');
  const entries = layout === undefined ? [] : readEntries(layout);
  // Docker's own manifest has no place for more than one platform of an image.
  const isWhole = entries.some(({ mediaType }) => isIndexType(mediaType));
  if (docker !== undefined && !isWhole) return readDockerArchive(files, docker);
  if (layout === undefined) {
    throw invalidParameter('invalid archive: neither manifest.json nor index.json is in it');
  }
  return readOciLayout(files, entries, platforms);
}

async function readDockerArchive(
  files: ArchiveFiles,
  bytes: Buffer,
): Promise<readonly ArchivedImage[]> {
  const images: ArchivedImage[] = [];
  for (const entry of listOf(parse(bytes, 'manifest.json'), 'manifest.json').slice(0, maxImages)) {
    const { Config: config, Layers: layers, RepoTags: tags, Parent: parentId } = objectOf(
      entry,
      'manifest.json',
    );
    if (typeof config !== 'string') throw wrong('manifest.json');
    const text = await files.read(config);
    if (text === undefined) throw missing(config);
    images.push({
      id: digestOf(text),
      configText: text.toString('utf8'),
      layers: listOf(layers ?? [], 'manifest.json').map((name) => {
        const file = typeof name === 'string' ? files.find(name) : undefined;
        if (file === undefined) throw missing(String(name));
        return file;
      }),
      references: listOf(tags ?? [], 'manifest.json').map((tag) =>
        withDefaultTag(parseReference(String(tag))),
      ),
      ...(typeof parentId === 'string' ? { parentId } : {}),
    });
  }
  return images;
}

/** What `index.json` names. */
interface Entry {
  readonly digest: string;
  readonly mediaType: string;
  readonly references: readonly Reference[];
}

function readEntries(bytes: Buffer): readonly Entry[] {
  const { manifests } = objectOf(parse(bytes, 'index.json'), 'index.json');
  return listOf(manifests ?? [], 'index.json')
    .slice(0, maxImages)
    .map((entry) => {
      const { annotations, digest, mediaType } = objectOf(entry, 'index.json');
      if (!isDigest(digest) || typeof mediaType !== 'string') throw wrong('index.json');
      const references = nameOf(objectOf(annotations ?? {}, 'index.json'));
      return { digest, mediaType, references };
    });
}

async function readOciLayout(
  files: ArchiveFiles,
  entries: readonly Entry[],
  platforms: readonly Platform[],
): Promise<readonly ArchivedImage[]> {
  const byManifest = new Map<string, ArchivedImage>();
  for (const { digest, references, ...entry } of entries) {
    const whole = byManifest.get(digest);
    const known = whole ?? (await readWhole(files, { ...entry, digest }, platforms));
    if (known === undefined) continue;
    byManifest.set(digest, { ...known, references: [...known.references, ...references] });
  }
  return [...byManifest.values()];
}

interface Named {
  readonly digest: string;
  readonly mediaType: string;
  readonly platform: Platform | undefined;
}

interface FoundManifest {
  readonly bytes: Buffer;
  readonly document: ImageManifest;
  /** As the innermost index says. */
  readonly platform: Platform | undefined;
  readonly indexes: readonly Descriptor[];
}

/** The image for this machine if it is there, with its siblings; undefined for none at all. */
async function readWhole(
  files: ArchiveFiles,
  entry: Pick<Entry, 'digest' | 'mediaType'>,
  platforms: readonly Platform[],
): Promise<ArchivedImage | undefined> {
  const below = { files, seen: new Set<string>() };
  const there = await manifestsBelow(below, { ...entry, platform: undefined }, []);
  const isAll = platforms.length === 0 || !isIndexType(entry.mediaType);
  const wanted = isAll ? there : platforms.flatMap((one) => bestOf(there, one));
  const main = choosePlatform(hostPlatform(), wanted) ?? wanted[0];
  if (main === undefined) return undefined;
  const others = [...new Set(wanted)].filter((one) => one !== main);
  const siblings = await Promise.all(others.map((one) => readOciImage(files, one)));
  return { ...(await readOciImage(files, main)), siblings };
}

/** The one for a platform, else the first that is for any. */
function bestOf(found: readonly FoundManifest[], wanted: Platform): readonly FoundManifest[] {
  const best = choosePlatform(wanted, found) ?? found.find((one) => one.platform === undefined);
  return best === undefined ? [] : [best];
}

/** Each manifest that is in the archive and for Linux: the one itself, or those of an index. */
async function manifestsBelow(
  { files, seen }: { readonly files: ArchiveFiles; readonly seen: Set<string> },
  { digest, mediaType, platform }: Named,
  indexes: readonly Descriptor[],
): Promise<readonly FoundManifest[]> {
  // Indexes that name one another again and again are read once.
  if (seen.has(digest)) return [];
  seen.add(digest);
  const name = blobName(digest);
  const bytes = await files.read(name);
  if (bytes === undefined) throw missing(name);
  checkBlob(files, digest);
  const document = parseManifest(bytes, mediaType);
  if (document.kind === 'manifest') return [{ bytes, document, platform, indexes }];
  if (indexes.length >= maxIndexDepth) return [];
  const path = [...indexes, { mediaType, digest, size: bytes.length }];
  const there = document.manifests.filter(
    (one) =>
      (one.platform === undefined || one.platform.os === 'linux') &&
      files.find(blobName(one.digest)) !== undefined,
  );
  const found: FoundManifest[] = [];
  for (const one of there) found.push(...(await manifestsBelow({ files, seen }, one, path)));
  return found;
}

async function readOciImage(
  files: ArchiveFiles,
  { bytes, document, indexes }: FoundManifest,
): Promise<ArchivedImage> {
  const name = blobName(document.config.digest);
  const text = await files.read(name);
  if (text === undefined) throw missing(name);
  checkBlob(files, document.config.digest);
  return {
    id: document.config.digest,
    configText: text.toString('utf8'),
    layers: document.layers.map(({ digest }) => checkBlob(files, digest)),
    references: [],
    manifest: bytes,
    manifestType: document.mediaType,
    indexes,
  };
}

/** A file in `blobs/` must be what its name says. */
function checkBlob(files: ArchiveFiles, digest: string): StoredFile {
  const file = files.find(blobName(digest));
  if (file === undefined) throw missing(blobName(digest));
  if (file.digest !== digest) {
    throw invalidParameter(`invalid archive: ${blobName(digest)} has digest ${file.digest}`);
  }
  return file;
}

function blobName(digest: string): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** containerd's name is a whole reference; OCI's is often only a tag, which names nothing. */
function nameOf(annotations: Readonly<Record<string, unknown>>): readonly Reference[] {
  const whole = annotations['io.containerd.image.name'];
  const short = annotations['org.opencontainers.image.ref.name'];
  if (typeof whole === 'string') return [withDefaultTag(parseReference(whole))];
  const isWhole = typeof short === 'string' && /[/:]/.test(short);
  return isWhole ? [withDefaultTag(parseReference(short))] : [];
}

function parse(bytes: Buffer, name: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw invalidParameter(`invalid archive: ${name}: ${String(error)}`, error);
  }
}

function objectOf(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw wrong(name);
  return Object.fromEntries(Object.entries(value));
}

function listOf(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(name);
  return value;
}

function wrong(name: string): Error {
  return invalidParameter(`invalid archive: ${name} is malformed`);
}

function missing(name: string): Error {
  return invalidParameter(`invalid archive: ${name.slice(0, 200)} is missing`);
}
