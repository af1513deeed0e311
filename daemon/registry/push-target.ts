/** One repository to write to: uploads of blobs, and manifests. */
import type { Readable } from 'node:stream';
import type { Descriptor } from '../content/index.js';
import type { Endpoint } from './endpoint.js';
import { invalidAnswer, RegistryError } from './registry-error.js';
import { headerOf, type Answer } from './transport.js';

/** A part of a blob on its way: bytes from `offsetBytes` on to its end. */
export interface UploadPart {
  readonly descriptor: Descriptor;
  readonly offsetBytes: number;
  /** Called each time that the part is sent: the stream is destroyed when that has failed. */
  readonly open: () => Readable;
}

/** Where an upload goes on: the registry names a new place after each part. */
export interface UploadSession {
  readonly location: string;
  /** Bytes that the registry has. */
  readonly offsetBytes: number;
}

/** Requests reject with `RegistryError`. */
export interface PushTarget {
  has(digest: string, signal: AbortSignal): Promise<boolean>;
  /**
   * Begins an upload. With `from`, another repository of the same registry, the blob may be taken
   * from there: then there is nothing to send.
   */
  begin(
    digest: string,
    from: string | undefined,
    signal: AbortSignal,
  ): Promise<UploadSession | 'mounted'>;
  /** Sends all that is missing in one request, and ends the upload. */
  sendWhole(session: UploadSession, part: UploadPart, signal: AbortSignal): Promise<void>;
  /** Sends a part; the upload is not ended. */
  sendPart(session: UploadSession, part: UploadPart, signal: AbortSignal): Promise<UploadSession>;
  /** Ends an upload of which everything was sent. */
  finish(session: UploadSession, digest: string, signal: AbortSignal): Promise<void>;
  /** How far an interrupted upload came; undefined when the registry has forgotten it. */
  progress(session: UploadSession, signal: AbortSignal): Promise<UploadSession | undefined>;
  putManifest(reference: string, manifest: ManifestToPut, signal: AbortSignal): Promise<void>;
}

/** A manifest or index as it is to be served. */
export interface ManifestToPut {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}

/** `path` is the repository's: `library/busybox`. */
export function openPushTarget(path: string, openEndpoint: () => Promise<Endpoint>): PushTarget {
  let opened: Promise<Endpoint> | undefined;
  const send = async (request: Parameters<Endpoint['send']>[0]): Promise<Answer> => {
    opened ??= openEndpoint();
    const answer = await (await opened).send(request);
    await answer.body.dump();
    return answer;
  };
  return {
    has: async (digest, signal) => {
      try {
        await send({ method: 'HEAD', path: `${path}/blobs/${digest}`, signal });
        return true;
      } catch (error) {
        if (error instanceof RegistryError && error.status === 404) return false;
        throw error;
      }
    },
    begin: async (digest, from, signal) => {
      const mount = from === undefined ? undefined : new URLSearchParams({ mount: digest, from });
      const query = mount === undefined ? '' : `?${mount.toString()}`;
      const address = `${path}/blobs/uploads/${query}`;
      const headers = { 'content-length': '0' };
      const answer = await send({ method: 'POST', path: address, headers, signal });
      if (answer.statusCode === 201) return 'mounted';
      return { location: locationOf(answer), offsetBytes: 0 };
    },
    sendWhole: async ({ location }, part, signal) => {
      const headers = headersOf(part);
      const address = withDigest(location, part.descriptor.digest);
      await send({ method: 'PUT', path: address, headers, body: part.open, signal });
    },
    sendPart: async ({ location }, part, signal) => {
      const { offsetBytes, descriptor } = part;
      // A registry may take a part without a range only as the first one.
      const range =
        offsetBytes === 0 ? {} : { 'content-range': `${offsetBytes}-${descriptor.size - 1}` };
      const headers = { ...headersOf(part), ...range };
      const body = part.open;
      const answer = await send({ method: 'PATCH', path: location, headers, body, signal });
      return { location: locationOf(answer), offsetBytes: descriptor.size };
    },
    finish: async ({ location }, digest, signal) => {
      const headers = { 'content-length': '0' };
      await send({ method: 'PUT', path: withDigest(location, digest), headers, signal });
    },
    progress: (session, signal) => uploadProgress(send, session, signal),
    putManifest: async (reference, { bytes, mediaType }, signal) => {
      const headers = { 'content-type': mediaType };
      const address = `${path}/manifests/${reference}`;
      await send({ method: 'PUT', path: address, headers, body: bytes, signal });
    },
  };
}

async function uploadProgress(
  send: (request: Parameters<Endpoint['send']>[0]) => Promise<Answer>,
  { location }: UploadSession,
  signal: AbortSignal,
): Promise<UploadSession | undefined> {
  try {
    const answer = await send({ method: 'GET', path: location, signal });
    const last = /^(?:bytes=)?0-(\d+)$/.exec(headerOf(answer, 'range') ?? '')?.[1];
    // `0-0` is said of an empty upload as well: the one byte is sent again.
    const offsetBytes = last === undefined || last === '0' ? 0 : Number(last) + 1;
    return { location: headerOf(answer, 'location') ?? location, offsetBytes };
  } catch (error) {
    if (error instanceof RegistryError && error.status === 404) return undefined;
    throw error;
  }
}

function headersOf({ descriptor, offsetBytes }: UploadPart): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    'content-length': String(descriptor.size - offsetBytes),
  };
}

function locationOf(answer: Answer): string {
  const location = headerOf(answer, 'location');
  if (location === undefined) throw invalidAnswer('the registry names no place for the upload');
  return location;
}

/** The place may have a query of its own, and be relative to the registry. */
function withDigest(location: string, digest: string): string {
  const separator = location.includes('?') ? '&' : '?';
  return `${location}${separator}digest=${encodeURIComponent(digest)}`;
}
