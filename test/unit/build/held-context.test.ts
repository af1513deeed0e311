import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { test } from 'tap';
import { holdContext } from '../../../daemon/build/classic/held-context.js';
import type { SourceTree } from '../../../daemon/build/source-tree.js';
import { tarOf, type TarEntry } from '../../support/tar.js';

const plain: readonly TarEntry[] = [
  { name: './a', content: 'A', mode: 0o4755, uid: 3, gid: 4, mtime: 1_234_567_890 },
  { name: 'd/e/f', content: 'F' },
  { name: 'd/', type: '5', mode: 0o700 },
  { name: '.wh.a', content: 'a name as any other' },
];

async function held(bytes: Buffer): Promise<SourceTree | undefined> {
  const context = await holdContext(Readable.from([bytes]), 5000);
  return 'tree' in context ? context.tree : undefined;
}

test('a plain context is held in memory, as a tree', async (t) => {
  for (const bytes of [tarOf(plain), gzipSync(tarOf(plain))]) {
    const tree = await held(bytes);
    if (tree === undefined) return void t.fail('not held');
    const names: string[] = [];
    for await (const { path, kind } of tree.walk('', () => true)) names.push(`${kind} ${path}`);
    t.same(names, ['file .wh.a', 'file a', 'directory d', 'directory d/e', 'file d/e/f']);
    t.match(await tree.resolve('/d/../a', { followLast: true }), {
      path: 'a',
      entry: { mode: 0o4755, uid: 3, gid: 4, mtimeMs: 1_234_567_890_000, sizeBytes: 1 },
    });
    t.match((await tree.resolve('d', { followLast: true })).entry, { mode: 0o700 });
    t.match((await tree.resolve('d/e', { followLast: true })).entry, { mode: 0o755, uid: 0 });
    t.same(await tree.resolve('no/such', { followLast: true }), {
      path: 'no/such',
      entry: undefined,
    });
    await t.rejects(tree.resolve('a/b', { followLast: true }), { code: 'ENOTDIR' });
    t.equal(String(await buffer(tree.read('d/e/f'))), 'F');
  }
});

test('what is not plain, or large, is given back byte by byte', async (t) => {
  const odd: Readonly<Record<string, Buffer>> = {
    'a link': tarOf([{ name: 'l', type: '2', link: 'a' }]),
    'a hard link': tarOf([...plain, { name: 'l', type: '1', link: 'a' }]),
    'a device': tarOf([{ name: 'c', type: '3', device: [1, 3] }]),
    'a name twice': tarOf([...plain, ...plain]),
    'a name that climbs': tarOf([{ name: '../a' }]),
    'an absolute name': tarOf([{ name: '/a' }]),
    'a file below a file': tarOf([{ name: 'x', content: '1' }, { name: 'x/y', content: '2' }]),
    'an attribute': tarOf([{ name: 'x', pax: { 'SCHILY.xattr.user.a': 'b' } }]),
    'a name that is no text': tarOf([{ name: 'x', pax: { path: Buffer.from([0xff, 0xfe]) } }]),
    'no tar': Buffer.from('FROM scratch\n'),
    'a cut one': tarOf(plain).subarray(0, 700),
    nothing: Buffer.alloc(0),
    'a large file': tarOf([{ name: 'x', content: Buffer.alloc(5 * 1024 * 1024, 7) }]),
    'a bomb': gzipSync(tarOf([{ name: 'x', content: Buffer.alloc(50 * 1024 * 1024) }])),
  };
  for (const [what, bytes] of Object.entries(odd)) {
    const parts = [bytes.subarray(0, 1000), bytes.subarray(1000)];
    const context = await holdContext(Readable.from(parts), 0);
    t.notOk('tree' in context, what);
    if ('body' in context) t.ok((await buffer(context.body)).equals(bytes), what);
  }
});
