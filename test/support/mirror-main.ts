/**
 * Files of a folder for whoever asks for them as of a proxy, whatever the host: `mirror-main.js
 * FOLDER`. Prints its port; ends with its input.
 */
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, normalize } from 'node:path';
import { pipeline } from 'node:stream';

const [folder = '.'] = process.argv.slice(2);

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://mirror');
  // Normalized from the root on, so that no `..` leads out.
  const path = join(folder, normalize(decodeURIComponent(pathname)));
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() !== true) return void response.writeHead(404).end();
  response.writeHead(200, { 'Content-Length': found.size });
  pipeline(createReadStream(path), response, () => undefined);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.stdout.write(`${address.port}\n`);
});
process.stdin.on('end', () => process.exit(0)).resume();
