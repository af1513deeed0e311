/** A registry of our own that can be told to lie, to break off and to send clients elsewhere. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { digest, type BuiltImage } from './image-builder.js';

/** A request that came. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

/** Looks at each request first; true when it has answered it. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Serves what it is told to. */
export interface LyingRegistry {
  readonly host: string;
  /** All requests, in order. */
  readonly seen: readonly Seen[];
  /** What is served: by digest, and manifests by `name:tag`. */
  readonly blobs: Map<string, Buffer>;
  readonly manifests: Map<string, { readonly bytes: Buffer; readonly mediaType: string }>;
  /** Asked before anything is served; replaced by tests. */
  fault: Fault;
  /** Makes an image available as `name:tag`. */
  serve(name: string, tag: string, image: BuiltImage): void;
  stop(): Promise<void>;
}

/** Starts on a loopback port. */
export async function startLyingRegistry(): Promise<LyingRegistry> {
  const seen: Seen[] = [];
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, { bytes: Buffer; mediaType: string }>();

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = request.url ?? '';
    const { authorization, range } = request.headers;
    seen.push({ method: request.method ?? '', path, authorization, range });
    if (registry.fault(request, response)) return;
    if (path === '/v2/') return void response.end('{}');
    const [, name = '', kind, reference = ''] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/?]+)(?:\?.*)?$/.exec(path) ?? [];
    const manifest = kind === 'manifests' ? find(manifests, name, reference) : undefined;
    const blob = kind === 'blobs' ? blobs.get(reference) : undefined;
    if (manifest !== undefined) return sendManifest(request, response, manifest);
    if (blob !== undefined) return sendBlob(response, blob, range);
    const code = kind === 'blobs' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN';
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({ errors: [{ code, message: code.toLowerCase().replace('_', ' ') }] }),
    );
  };
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A server that listens on a port has an AddressInfo.
  const { port } = server.address() as AddressInfo;

  const registry: LyingRegistry = {
    host: `127.0.0.1:${port}`,
    seen,
    blobs,
    manifests,
    fault: () => false,
    serve(name, tag, image) {
      for (const blob of [image.config, ...image.layers]) blobs.set(digest(blob), blob);
      const parsed: unknown = JSON.parse(image.manifest.toString('utf8'));
      const { mediaType } = Object(parsed);
      manifests.set(`${name}:${tag}`, { bytes: image.manifest, mediaType: String(mediaType) });
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return registry;
}

function find<T extends { readonly bytes: Buffer }>(
  manifests: ReadonlyMap<string, T>,
  name: string,
  reference: string,
): T | undefined {
  const byTag = manifests.get(`${name}:${reference}`);
  return byTag ?? [...manifests.values()].find(({ bytes }) => digest(bytes) === reference);
}

function sendManifest(
  request: IncomingMessage,
  response: ServerResponse,
  { bytes, mediaType }: { readonly bytes: Buffer; readonly mediaType: string },
): void {
  response.writeHead(200, {
    'content-type': mediaType,
    'content-length': bytes.length,
    'docker-content-digest': digest(bytes),
  });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

/** Whole, or from where the range begins. */
export function sendBlob(response: ServerResponse, blob: Buffer, range: string | undefined): void {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  const part = blob.subarray(start);
  response.writeHead(start === 0 ? 200 : 206, {
    'content-length': part.length,
    ...(start === 0 ? {} : { 'content-range': `bytes ${start}-${blob.length - 1}/${blob.length}` }),
  });
  response.end(part);
}
