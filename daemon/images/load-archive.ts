/** What an archive of images says is in it: Docker's `manifest.json`, or an OCI `index.json`. */
import { invalidParameter } from '../../api-spec/errors.js';
import type { Compression } from '../archive/index.js';
import { digestOf, hexOf, isDigest } from '../content/index.js';
import {
  choosePlatform,
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
}

const maxImages = 1000;
const maxIndexDepth = 4;

/** All images of the archive; of several platforms the one that is wanted. `ApiError` 400. */
export async function readArchive(
  files: ArchiveFiles,
  platform: Platform,
): Promise<readonly ArchivedImage[]> {
  const docker = await files.read('manifest.json');
  if (docker !== undefined) return readDockerArchive(files, docker);
  const index = await files.read('index.json');
  if (index === undefined) {
    throw invalidParameter('invalid archive: neither manifest.json nor index.json is in it');
  }
  return readOciLayout(files, index, platform);
}

async function readDockerArchive(
  files: ArchiveFiles,
  bytes: Buffer,
): Promise<readonly ArchivedImage[]> {
  const images: ArchivedImage[] = [];
  for (const entry of listOf(parse(bytes, 'manifest.json'), 'manifest.json').slice(0, maxImages)) {
    const { Config: config, Layers: layers, RepoTags: tags } = objectOf(entry, 'manifest.json');
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
    });
  }
  return images;
}

async function readOciLayout(
  files: ArchiveFiles,
  bytes: Buffer,
  platform: Platform,
): Promise<readonly ArchivedImage[]> {
  const { manifests } = objectOf(parse(bytes, 'index.json'), 'index.json');
  const byManifest = new Map<string, ArchivedImage>();
  for (const entry of listOf(manifests ?? [], 'index.json').slice(0, maxImages)) {
    const { annotations, digest, mediaType } = objectOf(entry, 'index.json');
    if (!isDigest(digest) || typeof mediaType !== 'string') throw wrong('index.json');
    const found = await resolveManifest(files, { digest, mediaType, platform, depth: 0 });
    if (found === undefined) continue;
    const names = nameOf(objectOf(annotations ?? {}, 'index.json'));
    const known = byManifest.get(digest) ?? (await readOciImage(files, found));
    byManifest.set(digest, { ...known, references: [...known.references, ...names] });
  }
  return [...byManifest.values()];
}

interface ManifestWish {
  readonly digest: string;
  readonly mediaType: string;
  readonly platform: Platform;
  readonly depth: number;
}

interface FoundManifest {
  readonly bytes: Buffer;
  readonly document: ImageManifest;
}

/** The manifest itself, or the one for the platform in an index; undefined when there is none. */
async function resolveManifest(
  files: ArchiveFiles,
  { digest, mediaType, platform, depth }: ManifestWish,
): Promise<FoundManifest | undefined> {
  const name = blobName(digest);
  const bytes = await files.read(name);
  if (bytes === undefined) throw missing(name);
  checkBlob(files, digest);
  const document = parseManifest(bytes, mediaType);
  if (document.kind === 'manifest') return { bytes, document };
  const there = document.manifests.filter((one) => files.find(blobName(one.digest)) !== undefined);
  const chosen = choosePlatform(platform, there) ?? there.find((one) => one.platform === undefined);
  if (chosen === undefined || depth >= maxIndexDepth) return undefined;
  return resolveManifest(files, { ...chosen, platform, depth: depth + 1 });
}

async function readOciImage(
  files: ArchiveFiles,
  { bytes, document }: FoundManifest,
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
