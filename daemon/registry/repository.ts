/** One repository as seen with one user's credentials: manifests, blobs, tags. */
import { digestOf, isDigest, type Descriptor } from '../content/index.js';
import type { Endpoint, EndpointRequest } from './endpoint.js';
import type { Capability } from './hosts-file.js';
import { manifestTypes, parseManifest, type ImageIndex, type ImageManifest } from './manifest.js';
import { invalidAnswer, isObject, parseJson, RegistryError } from './registry-error.js';
import { headerOf, readBounded, type Answer } from './transport.js';

/** A manifest or index as it was served. */
export interface FetchedManifest {
  readonly bytes: Buffer;
  /** Of exactly these bytes. */
  readonly digest: string;
  readonly document: ImageManifest | ImageIndex;
}

/** A blob from somewhere on to its end. */
export interface BlobPart {
  /** Where the bytes begin: as asked for, or 0 when the registry knows no ranges. */
  readonly offsetBytes: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Requests reject with `RegistryError`. */
export interface Repository {
  /** By tag or digest; verified against the digest and the size where they are known. */
  manifest(reference: string, signal: AbortSignal, sizeBytes?: number): Promise<FetchedManifest>;
  /** What a tag points to now; undefined when the registry does not say without the whole. */
  resolve(tag: string, signal: AbortSignal): Promise<string | undefined>;
  /** Bytes from `offsetBytes` on; the reader verifies them. Must be read to the end or returned. */
  blob(descriptor: Descriptor, offsetBytes: number, signal: AbortSignal): Promise<BlobPart>;
  tags(signal: AbortSignal): Promise<readonly string[]>;
}

const maxManifestBytes = 4 * 1024 * 1024;
const maxTagsBytes = 4 * 1024 * 1024;
const maxTagPages = 100;

/** One of the servers that may answer, and for what. */
export interface RepositoryEndpoint {
  readonly endpoint: Endpoint;
  readonly capabilities: readonly Capability[];
}

/** Asks the endpoints in order, and goes on with the first that answers. */
export function openRepository(
  path: string,
  openEndpoints: () => Promise<readonly RepositoryEndpoint[]>,
): Repository {
  let opened: Promise<readonly RepositoryEndpoint[]> | undefined;
  /** Those that failed are not asked for the same kind of thing again. */
  const passed = { pull: 0, resolve: 0 };

  const ask = async (kind: 'pull' | 'resolve', request: EndpointRequest): Promise<Answer> => {
    opened ??= openEndpoints();
    const able = (await opened).filter(({ capabilities }) => capabilities.includes(kind));
    const text = `no configured host of ${path} may be asked to ${kind}`;
    let failure: unknown = new RegistryError(0, 'REFUSED', text);
    for (let index = passed[kind]; index < able.length; index += 1) {
      try {
        const answer = await able[index]?.endpoint.send(request);
        if (answer === undefined) continue;
        passed[kind] = index;
        return answer;
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        failure = error;
      }
    }
    throw failure;
  };

  return {
    manifest: async (reference, signal, sizeBytes) => {
      const headers = { accept: manifestTypes.join(', ') };
      const request = { path: `${path}/manifests/${reference}`, headers, signal };
      const kind = isDigest(reference) ? 'pull' : 'resolve';
      return readManifest(await ask(kind, { method: 'GET', ...request }), reference, sizeBytes);
    },
    resolve: async (tag, signal) => {
      const headers = { accept: manifestTypes.join(', ') };
      const answer = await ask('resolve', {
        method: 'HEAD',
        path: `${path}/manifests/${tag}`,
        headers,
        signal,
      });
      await answer.body.dump();
      const digest = headerOf(answer, 'docker-content-digest');
      return isDigest(digest) ? digest : undefined;
    },
    blob: async ({ digest, urls = [] }, offsetBytes, signal) => {
      const range = offsetBytes === 0 ? {} : { range: `bytes=${offsetBytes}-` };
      const headers = { ...range, 'accept-encoding': 'identity' };
      const get = (place: string): Promise<Answer> =>
        ask('pull', { method: 'GET', path: place, headers, signal });
      const answer = await firstOf([`${path}/blobs/${digest}`, ...urls], get);
      return { offsetBytes: firstByte(answer, offsetBytes), body: answer.body };
    },
    tags: (signal) => listTags((request) => ask('resolve', request), path, signal),
  };
}

/**
 * A registry may not have what it may not pass on: only then are the other places asked, without
 * credentials and by the rules on where a registry may send us.
 */
async function firstOf(
  places: readonly string[],
  get: (place: string) => Promise<Answer>,
): Promise<Answer> {
  let failure: unknown;
  for (const place of places) {
    try {
      return await get(place);
    } catch (error) {
      failure = error;
      if (!(error instanceof RegistryError) || error.transient) throw error;
    }
  }
  throw failure;
}

async function readManifest(
  answer: Answer,
  reference: string,
  sizeBytes: number | undefined,
): Promise<FetchedManifest> {
  const bytes = await readBounded(answer, maxManifestBytes, 'manifest');
  const digest = digestOf(bytes);
  checkManifestIdentity({ answer, reference, digest });
  if (sizeBytes !== undefined && bytes.length !== sizeBytes) {
    throw invalidAnswer(`manifest ${digest} has ${bytes.length} bytes instead of ${sizeBytes}`);
  }
  const mediaType = (headerOf(answer, 'content-type') ?? '').split(';', 1)[0]?.trim() ?? '';
  return { bytes, digest, document: parseManifest(bytes, mediaType) };
}

function checkManifestIdentity(got: {
  readonly answer: Answer;
  readonly reference: string;
  readonly digest: string;
}): void {
  const promised = isDigest(got.reference)
    ? got.reference
    : headerOf(got.answer, 'docker-content-digest');
  if (promised !== undefined && promised !== got.digest) {
    throw invalidAnswer(`manifest verification failed for digest ${promised.slice(0, 100)}`);
  }
}

function firstByte(answer: Answer, wanted: number): number {
  if (answer.statusCode !== 206) return 0;
  const start = /^bytes (\d+)-/.exec(headerOf(answer, 'content-range') ?? '')?.[1];
  if (Number(start) === wanted) return wanted;
  answer.body.destroy();
  throw invalidAnswer(`asked for bytes from ${wanted}, got another range`);
}

async function listTags(
  send: (request: EndpointRequest) => Promise<Answer>,
  path: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const tags: string[] = [];
  let next: string | undefined = `${path}/tags/list`;
  for (let page = 0; next !== undefined && page < maxTagPages; page += 1) {
    const answer = await send({ method: 'GET', path: next, signal });
    const body = parseJson((await readBounded(answer, maxTagsBytes, 'tag list')).toString('utf8'));
    const found: unknown = isObject(body) ? body['tags'] : undefined;
    if (Array.isArray(found)) {
      tags.push(...found.filter((tag): tag is string => typeof tag === 'string'));
    }
    // Only its query is taken: the rest of the path is ours.
    const query: string | undefined = /<[^>?]*\?([^>]*)>;\s*rel="?next/.exec(
      headerOf(answer, 'link') ?? '',
    )?.[1];
    next = query === undefined ? undefined : `${path}/tags/list?${query}`;
  }
  return tags;
}
