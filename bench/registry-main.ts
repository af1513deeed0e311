/** A registry of static files, as a program of its own: `registry-main.js FOLDER PORT`. */
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
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

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://registry');
  response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0');
  const withBody = request.method === 'GET';
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
