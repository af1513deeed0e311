import { createHash, randomBytes } from 'node:crypto';
import { test } from 'tap';
import { openFolders } from '../../../daemon/build/source-tree.js';

test('chunks of a file stay as they are while more are read', async (t) => {
  const content = randomBytes(1_000_000);
  const tree = openFolders([t.testdir({ file: content })]);
  t.teardown(() => tree.close());
  const chunks: Uint8Array[] = [];
  for await (const chunk of tree.read('/file')) chunks.push(chunk);
  const sum = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  t.equal(sum(Buffer.concat(chunks)), sum(content));
});
