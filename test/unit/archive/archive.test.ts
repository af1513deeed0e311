import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { test } from 'tap';
import {
  compressionOf,
  decompressed,
  linkTarget,
  readTar,
  safeEntryName,
} from '../../../daemon/archive/index.js';
import { tarOf } from '../../support/tar.js';

interface Read {
  readonly name: string;
  readonly content: string;
}

async function entries(archive: Buffer, chunkBytes = 7): Promise<readonly Read[]> {
  const chunks = Array.from({ length: Math.ceil(archive.length / chunkBytes) }, (_, at) =>
    archive.subarray(at * chunkBytes, (at + 1) * chunkBytes),
  );
  const found: Read[] = [];
  for await (const entry of readTar(
    await decompressed(Readable.from(chunks, { objectMode: false })),
  )) {
    if (entry.kind === 'link') {
      found.push({ name: entry.name, content: `-> ${entry.target}` });
      continue;
    }
    const parts: Uint8Array[] = [];
    for await (const part of entry.body) parts.push(part);
    found.push({ name: entry.name, content: Buffer.concat(parts).toString() });
  }
  return found;
}

test('a tar is read in pieces of any size, plain or gzip', async (t) => {
  const archive = tarOf([
    { name: 'dir/', type: '5' },
    { name: './dir//a', content: 'x'.repeat(600) },
    { name: 'empty' },
    { name: 'dir/link', type: '2', link: '../empty' },
    { name: 'hard', type: '1', link: 'dir/a' },
    { name: 'short', content: 'pax', pax: { path: 'l'.repeat(200), comment: 'c' } },
    { name: '././@LongLink', type: 'L', content: `${'g'.repeat(150)}\0` },
    { name: 'cut', content: 'gnu' },
  ]);
  const expected = [
    { name: 'dir/a', content: 'x'.repeat(600) },
    { name: 'empty', content: '' },
    { name: 'dir/link', content: '-> empty' },
    { name: 'hard', content: '-> dir/a' },
    { name: 'l'.repeat(200), content: 'pax' },
    { name: 'g'.repeat(150), content: 'gnu' },
  ];
  t.same(await entries(archive), expected);
  t.same(await entries(archive, 100_000), expected);
  t.same(await entries(gzipSync(archive)), expected);
  t.same(await entries(archive.subarray(0, -1024)), expected, 'without the end marker');
});

test('what an archive does not have to hold is passed over', async (t) => {
  const names: string[] = [];
  for await (const entry of readTar(
    Readable.from([tarOf([{ name: 'a', content: 'x' }, { name: 'b' }])]),
  )) {
    names.push(entry.name);
  }
  t.same(names, ['a', 'b']);
});

test('a hostile archive is refused', async (t) => {
  const broken = tarOf([{ name: 'a' }]);
  broken[148] = 0x39;
  const bad = [
    [tarOf([{ name: '/etc/passwd' }]), /^invalid name in archive/],
    [tarOf([{ name: 'a/../../b' }]), /^invalid name in archive/],
    [tarOf([{ name: 'a', pax: { path: '../b' } }]), /^invalid name in archive/],
    [tarOf([{ name: 'a', type: '2', link: '/b' }]), /^invalid entry in archive/],
    [tarOf([{ name: 'a', type: '1', link: '../b' }]), /^invalid entry in archive/],
    [tarOf([{ name: 'a', type: '4' }]), /^invalid entry in archive/],
    [tarOf([{ name: 'a', pax: { size: '-1' } }]), /^invalid tar header/],
    [tarOf([{ name: 'a', type: 'x', size: 1e9 }]), /extended header of 1000000000 bytes/],
    [tarOf([{ name: 'a', type: 'x', content: 'nonsense' }]), /^invalid tar header/],
    [tarOf([{ name: 'a', content: 'b', size: 100_000 }]), /^unexpected EOF/],
    [Buffer.alloc(512, 'x'), /^invalid tar header/],
    [broken, /^invalid tar header/],
    [Buffer.from('BZh91AY&SY'), /unexpected end of bzip2 stream/],
  ] as const;
  for (const [archive, message] of bad) {
    await t.rejects(entries(archive), { name: 'ApiError', message });
  }
});

test('names and links stay inside', (t) => {
  t.equal(safeEntryName('./a//b/'), 'a/b');
  for (const name of ['', '.', './', '/', '..', 'a/..', 'a\0b', 'a'.repeat(5000)]) {
    t.equal(safeEntryName(name), undefined);
  }
  t.equal(linkTarget('a/b', '../c'), 'c');
  t.equal(linkTarget('a/b', '../../c'), undefined);
  t.end();
});

test('compressions are told by their first bytes', (t) => {
  t.equal(compressionOf(gzipSync('x')), 'gzip');
  t.equal(compressionOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd])), 'zstd');
  t.equal(compressionOf(Buffer.alloc(0)), 'none');
  t.end();
});
