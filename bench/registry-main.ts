/**
 * A registry of static files, as a program of its own: `registry-main.js FOLDER PORT`. What is
 * pushed to other repositories is counted and thrown away: the disk is not what is measured.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream';

const [folder = '.', port = '0'] = process.argv.slice(2);
const manifestType = 'application/vnd.docker.distribution.manifest.v2+json';

/** Everything is a file named by its digest; `latest` holds the digest of the manifest. */
function send(response: ServerResponse, digest: string, type: string, withBody: boolean): void {
  const path = join(folder, digest.replace(':', '-'));
  if (!/^sha256:[0-9a-f]{64}$/.test(digest) || !existsSync(path)) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, {
    'Content-Type': type,
    'Content-Length': statSync(path).size,
    'Docker-Content-Digest': digest,
  });
  if (!withBody) response.end();
  else pipeline(createReadStream(path), response, () => undefined);
}

/** Bytes of uploads that are under way, by their place. */
const uploads = new Map<string, number>();
/** Blobs that were pushed, as they are asked for: path → bytes. */
const pushed = new Map<string, number>();

/** Whether it was a request of a push. */
function receive(request: IncomingMessage, response: ServerResponse, pathname: string): boolean {
  const upload = /^\/v2\/.+\/blobs\/uploads\//.test(pathname);
  if (!upload && !(request.method === 'PUT' && /\/manifests\//.test(pathname))) return false;
  const place = request.method === 'POST' ? `${pathname}${randomUUID()}` : pathname;
  let sizeBytes = uploads.get(place) ?? 0;
  // Docker insists on the digest of the manifest that it puts.
  const hash = upload ? undefined : createHash('sha256');
  request.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length;
    hash?.update(chunk);
  });
  request.on('end', () => {
    if (request.method === 'PUT') {
      uploads.delete(place);
      const digest = new URL(request.url ?? '/', 'http://registry').searchParams.get('digest');
      pushed.set(pathname.replace(/uploads\/.*$/, digest ?? ''), sizeBytes);
    } else uploads.set(place, sizeBytes);
    const isMore = upload && request.method !== 'PUT';
    response.writeHead(isMore ? 202 : 201, {
      Location: place,
      Range: `0-${Math.max(0, sizeBytes - 1)}`,
      'Content-Length': 0,
      ...(hash && { 'Docker-Content-Digest': `sha256:${hash.digest('hex')}` }),
    });
    response.end();
  });
  return true;
}

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://registry');
  response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0');
  if (receive(request, response, pathname)) return;
  const withBody = request.method === 'GET';
  if (/\/pushed\d+\//.test(pathname)) {
    const sizeBytes = pushed.get(pathname);
    if (sizeBytes === undefined) return void response.writeHead(404).end();
    const digest = pathname.split('/').at(-1);
    const headers = { 'Content-Length': sizeBytes, 'Docker-Content-Digest': digest };
    return void response.writeHead(200, headers).end();
  }
  const manifest = /^\/v2\/.+\/manifests\/(.+)$/.exec(pathname)?.[1];
  const blob = /^\/v2\/.+\/blobs\/(.+)$/.exec(pathname)?.[1];
  if (pathname === '/v2/' || pathname === '/v2') response.writeHead(200).end('{}');
  else if (manifest === 'latest') {
    send(response, readFileSync(join(folder, 'latest'), 'utf8'), manifestType, withBody);
  } else if (manifest !== undefined) send(response, manifest, manifestType, withBody);
  else if (blob !== undefined) send(response, blob, 'application/octet-stream', withBody);
  else response.writeHead(404).end();
});
server.listen(Number(port), '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.stdout.write(`${address.port}\n`);
});
// The bench holds our input open for as long as it lives.
process.stdin.on('end', () => process.exit(0)).resume();
