import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import type { Client } from './client.js';

/** Lines of 100 bytes with their line feed, so many that a container can print them fast. */
const lineBytes = 100;
/** The size of the file of lines in the image. */
export const linesFileBytes = 10_000_000;
const busyboxPath = '/bin/busybox';
const applets = ['cat', 'sh', 'sleep', 'true'];

/** Imports the static busybox with a file of lines under this name. */
export async function importImage(client: Client, name: string): Promise<void> {
  const archive = pack();
  archive.entry({ name: 'bin/', type: 'directory', mode: 0o755 });
  archive.entry({ name: 'bin/busybox', mode: 0o755 }, readFileSync(busyboxPath));
  for (const applet of applets) {
    archive.entry({ name: `bin/${applet}`, type: 'symlink', linkname: 'busybox', mode: 0o777 });
  }
  archive.entry({ name: 'lines', mode: 0o644 }, lines());
  archive.finalize();
  const [repo = '', tag = ''] = name.split(':');
  const answer = await client.text('POST', `/images/create?fromSrc=-&repo=${repo}&tag=${tag}`, {
    stream: Readable.from(archive),
    type: 'application/x-tar',
  });
  if (answer.includes('"error"')) throw new Error(`the image cannot be imported: ${answer}`);
}

function lines(): Buffer {
  const line = `${'0123456789'.repeat(lineBytes / 10).slice(0, lineBytes - 1)}\n`;
  return Buffer.from(line.repeat(linesFileBytes / lineBytes));
}
