/**
 * Manifests and indexes, checked before anything of them is believed. Pure. Messages are Docker's
 * where Docker refuses the same.
 */
import { isDigest, type Descriptor } from '../content/index.js';
import { invalidAnswer, isObject, parseJson, type JsonObject } from './registry-error.js';
import type { Platform } from './platform.js';

/** What one image is made of. */
export interface ImageManifest {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
}

/** One image for several platforms. */
export interface ImageIndex {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly manifests: readonly (Omit<Descriptor, 'platform'> & {
    readonly platform: Platform | undefined;
  })[];
}

/** The media types of images, by our names. */
export const mediaTypes = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
} as const;

/** In the order in which we would rather have them. */
export const manifestTypes: readonly string[] = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerIndex,
  mediaTypes.dockerManifest,
];

/** Docker's bound on the depth of an image. */
export const maxLayers = 127;
const maxPlatforms = 1000;
const maxUrls = 20;
/** Larger than any layer that a disk of ours could take; keeps arithmetic exact. */
const maxBlobBytes = 2 ** 50;

const configTypes: readonly string[] = [mediaTypes.ociConfig, mediaTypes.dockerConfig];
/** OCI's layers and Docker's, plain or compressed, whether they may be passed on or not. */
const layerType = new RegExp(
  '^application/vnd\\.' +
    '(?:oci\\.image\\.layer\\.(?:nondistributable\\.)?v1|' +
    'docker\\.image\\.rootfs\\.(?:foreign\\.)?diff)' +
    '\\.tar(?:[.+](?:gzip|zstd))?$',
);

/**
 * Reads a manifest or index that was served as `mediaType`. Refuses a document that is both, one
 * whose own media type differs (CVE-2021-41190: each reader would see another image), and media
 * types that are not an image's.
 */
export function parseManifest(bytes: Uint8Array, mediaType: string): ImageManifest | ImageIndex {
  if (!manifestTypes.includes(mediaType)) {
    throw invalidAnswer(`unsupported media type ${mediaType.slice(0, 200)}`);
  }
  const document = parseJson(Buffer.from(bytes).toString('utf8'));
  if (!isObject(document)) throw invalidAnswer('manifest invalid: not a JSON object');
  const own = document['mediaType'];
  if (own !== undefined && own !== '' && own !== mediaType) {
    throw invalidAnswer(`mediaType in manifest should be '${mediaType}' not '${excerpt(own)}'`);
  }
  if (document['schemaVersion'] !== 2) {
    throw invalidAnswer(
      `unsupported manifest schema version ${excerpt(document['schemaVersion'])}`,
    );
  }
  const read = isIndexType(mediaType) ? readIndex : readManifest;
  return read(document, mediaType);
}

/** Of a list of manifests, Docker's or OCI's. */
export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerIndex;
}

function readManifest(document: JsonObject, mediaType: string): ImageManifest {
  if (document['manifests'] !== undefined) {
    throw invalidAnswer('ocimanifest: expected manifest but found index');
  }
  const config = readDescriptor(document['config'], 'config');
  if (!configTypes.includes(config.mediaType)) {
    throw invalidAnswer(`unsupported media type ${config.mediaType}`);
  }
  const layers = readList(document['layers'], 'layers', maxLayers).map((layer) =>
    readDescriptor(layer, 'layer'),
  );
  const strange = layers.find((layer) => !layerType.test(layer.mediaType));
  if (strange !== undefined) throw invalidAnswer(`unsupported media type ${strange.mediaType}`);
  return { kind: 'manifest', mediaType, config, layers };
}

function readIndex(document: JsonObject, mediaType: string): ImageIndex {
  if (document['config'] !== undefined || document['layers'] !== undefined) {
    throw invalidAnswer('ociindex: expected index but found manifest');
  }
  const entries = readList(document['manifests'], 'manifests', maxPlatforms);
  const manifests = entries.map((entry) => ({
    ...readDescriptor(entry, 'manifest'),
    platform: isObject(entry) ? readPlatform(entry['platform']) : undefined,
  }));
  return { kind: 'index', mediaType, manifests };
}

function readList(value: unknown, what: string, limit: number): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalidAnswer(`manifest invalid: ${what} is not a list`);
  if (value.length > limit) {
    throw invalidAnswer(`max depth exceeded: ${value.length} ${what}, at most ${limit}`);
  }
  return value;
}

function readDescriptor(value: unknown, what: string): Descriptor {
  if (!isObject(value)) throw invalidAnswer(`manifest invalid: ${what} is no descriptor`);
  const { mediaType, digest, size } = value;
  if (typeof mediaType !== 'string' || mediaType.length > 255) {
    throw invalidAnswer(`manifest invalid: ${what} has no media type`);
  }
  if (!isDigest(digest)) {
    throw invalidAnswer(`manifest invalid: ${what} has invalid digest ${excerpt(digest)}`);
  }
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > maxBlobBytes) {
    throw invalidAnswer(`manifest invalid: ${what} has invalid size ${excerpt(size)}`);
  }
  return { mediaType, digest, size, ...readUrls(value['urls']) };
}

/** Layers that a registry may not pass on name other places; what is no list of them is nothing. */
function readUrls(value: unknown): { readonly urls?: readonly string[] } {
  if (!Array.isArray(value)) return {};
  const urls = value.filter((url): url is string => typeof url === 'string' && URL.canParse(url));
  return urls.length === 0 ? {} : { urls: urls.slice(0, maxUrls) };
}

/** Attestations and such have `unknown/unknown`, which no wish ever matches. */
function readPlatform(value: unknown): Platform | undefined {
  if (!isObject(value)) return undefined;
  const { os, architecture, variant } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return { os, architecture, ...(typeof variant === 'string' ? { variant } : {}) };
}

function excerpt(value: unknown): string {
  const text: unknown = typeof value === 'string' ? value : JSON.stringify(value);
  return String(text).slice(0, 100);
}
