/** The unpacker against honest and hostile archives: nothing is ever written outside the target. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstat, open, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { gzipSync } from 'node:zlib';
import {
  removeTree,
  treeUsage,
  unpackLayer,
  type UnpackLimits,
} from '../../native/unpack/index.js';
import { readXattr } from '../../native/xattr.js';
import { entryOf, tarOf, type TarEntry, withChecksum } from '../support/tar.js';

const needsRoot = { skip: process.getuid?.() === 0 ? false : 'owners and chroot need root' };
const sha256 = (bytes: Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const bad = (message: RegExp) => ({ kind: 'InvalidParameter', message });

interface Bench {
  readonly target: string;
  /** A folder beside it. */
  readonly scratch: string;
  readonly unpack: (archive: Archive, options?: Options) => ReturnType<typeof unpackLayer>;
  /** What there is outside the target: must stay as it was. */
  readonly outside: () => Promise<unknown>;
}

type Archive = Buffer | readonly TarEntry[];

interface Options {
  readonly whiteouts?: 'overlay' | 'apply';
  readonly limits?: Partial<UnpackLimits>;
}

async function bench(t: Test): Promise<Bench> {
  const canary = { file: 'canary', etc: { passwd: 'host' } };
  const dir = t.testdir({ canary, target: {}, scratch: {} });
  const target = join(dir, 'target');
  return {
    target,
    scratch: join(dir, 'scratch'),
    unpack: (archive, { whiteouts = 'overlay', limits = {} } = {}) => {
      const bytes = Buffer.isBuffer(archive) ? archive : tarOf(archive);
      return unpackLayer({ source: Readable.from([bytes]), target, whiteouts, limits });
    },
    outside: async () => {
      const { mode, ino, mtimeMs, nlink } = await stat(join(dir, 'canary/file'));
      const content = await readFile(join(dir, 'canary/file'), 'utf8');
      const passwd = await readFile(join(dir, 'canary/etc/passwd'), 'utf8');
      const names = [await readdir(dir), await readdir(join(dir, 'canary'))];
      return { mode, ino, mtimeMs, nlink, content, passwd, names };
    },
  };
}

const file = (name: string, content = name): TarEntry => ({ name, content });
const link = (name: string, to: string): TarEntry => ({ name, type: '2', link: to });
const hard = (name: string, to: string): TarEntry => ({ name, type: '1', link: to });
const dir = (name: string, more: Partial<TarEntry> = {}): TarEntry => ({
  name: `${name}/`,
  type: '5',
  ...more,
});
const oneFile = (content: string): Buffer => Buffer.concat(entryOf({ name: 'x', content }));

/** Each is refused, with words that say why. */
const refused: Readonly<Record<string, readonly [archive: Archive, why: RegExp]>> = {
  'a name that climbs': [[file('../canary/file', 'evil')], /leads out of it: "..\/canary\/file"/],
  'a name that climbs after a folder': [[file('a/../../canary/file', 'evil')], /leads out of it/],
  'a PAX path that climbs': [
    [{ ...file('ok'), pax: { path: '../canary/file' } }],
    /leads out of it/,
  ],
  'a GNU long name that climbs': [
    [{ name: '././@LongLink', type: 'L', content: '../canary/file\0' }, file('ok')],
    /leads out of it/,
  ],
  'a hard link that climbs': [[hard('x', '../canary/file')], /leads out of it/],
  'a hard link to what is not there': [[hard('x', '/etc/passwd')], /not in the archive/],
  'a hard link to a folder': [[dir('d'), hard('x', 'd')], /not in the archive/],
  'a hard link to the root': [[hard('x', '/')], /root of the archive/],
  'a file as the root': [[file('./', 'x'), file('.', 'x')], /that of its root/],
  'a whiteout of the folder itself': [[file('.wh..')], /invalid whiteout/],
  'a whiteout of the folder above': [[dir('.wh...')], /invalid whiteout/],
  'a whiteout of nothing': [[file('d/.wh.')], /invalid whiteout/],
  'an attribute of overlayfs': [
    [{ ...dir('d'), pax: { 'SCHILY.xattr.trusted.overlay.opaque': 'y' } }],
    /attributes of overlayfs/,
  ],
  'a redirect for a user namespace': [
    [{ ...dir('d'), pax: { 'SCHILY.xattr.user.overlay.redirect': '/etc' } }],
    /attributes of overlayfs/,
  ],
  'a device that is a whiteout': [[{ name: 'x', type: '3', device: [0, 0] }], /device 0:0/],
  'a file below a file': [[file('a'), file('a/b')], /no folder/],
  'a name of NULs in PAX': [[{ ...file('x'), pax: { path: 'a\0b' } }], /NUL in PAX/],
  'a negative size in PAX': [[{ ...file('x'), pax: { size: '-1' } }], /PAX size/],
  'a uid of -1': [[{ ...file('x'), pax: { uid: '4294967295' } }], /PAX uid/],
  'a PAX header of 4 GB': [[{ name: 'x', type: 'x', size: 0o37777777777 }], /too long/],
  'a sparse file in PAX': [[{ ...file('x'), pax: { 'GNU.sparse.major': '1' } }], /sparse/],
  'a link to nothing': [[link('x', '')], /invalid symbolic link/],
  'an unknown type': [[{ name: 'x', type: 'Z' }], /unhandled tar header type/],
  'a name of 5000 bytes': [[{ ...file('x'), pax: { path: 'a/'.repeat(2500) } }], /too long/],
  garbage: [Buffer.alloc(10_240, 'garbage!'), /invalid tar header/],
  'a wrong checksum': [broken(oneFile('x')), /invalid tar header/],
  'an end within a file': [oneFile('y'.repeat(600)).subarray(0, 1024), /unexpected EOF/],
  'an end within a header': [oneFile('').subarray(0, 300), /unexpected EOF/],
  'an end within gzip': [gzipSync(tarOf([file('x')])).subarray(0, 60), /gzip/],
  'rubbish behind gzip': [
    Buffer.concat([gzipSync(tarOf([file('x')])), Buffer.from('rubbish!')]),
    /gzip/,
  ],
  'a wrong sum in gzip': [brokenSum(gzipSync(tarOf([file('x')]))), /gzip/],
  'a bad zstd': [Buffer.concat([Buffer.from('28b52ffd', 'hex'), Buffer.alloc(100, 7)]), /zstd/],
};

function broken(header: Buffer): Buffer {
  const copy = Buffer.from(header);
  copy[0] = 0x79;
  return copy;
}

function brokenSum(gzip: Buffer): Buffer {
  const copy = Buffer.from(gzip);
  const at = copy.length - 8;
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

for (const whiteouts of ['overlay', 'apply'] as const) {
  test(`hostile archives are refused (${whiteouts})`, needsRoot, async (t) => {
    for (const [what, [archive, why]] of Object.entries(refused)) {
      await t.test(what, async (t) => {
        const { unpack, outside } = await bench(t);
        const before = await outside();
        await t.rejects(unpack(archive, { whiteouts }), bad(why));
        t.strictSame(await outside(), before);
      });
    }
  });

  test(`links of the archive lead nowhere outside (${whiteouts})`, needsRoot, async (t) => {
    const { unpack, outside, target } = await bench(t);
    const before = await outside();
    const canary = join(target, '../canary');
    const attacks: readonly (readonly TarEntry[])[] = [
      [link('absolute', canary), file('absolute/file', 'evil')],
      [link('up', '../canary'), file('up/etc/passwd', 'evil')],
      [link('mode', canary), dir('mode/etc', { mode: 0o777 })],
      [link('wh', canary), file('wh/.wh.file')],
      [link('opq', canary), file('opq/.wh..wh..opq')],
      [link('hl', canary), hard('copy', 'hl/file')],
    ];
    for (const attack of attacks) {
      await t.rejects(unpack(attack, { whiteouts }), bad(/./), attack[1]?.name ?? '');
    }
    await unpack(
      [
        link('root', '/'), file('root/inside', 'here'),
        link('final', join(canary, 'file')), file('final', 'evil'),
        link('folder', join(canary, 'etc')), dir('folder', { mode: 0o777 }),
        link('loop', '../canary/file'), hard('loop2', 'loop'), file('loop2', 'evil'),
      ],
      { whiteouts },
    );
    t.strictSame(await outside(), before);
    t.equal(await readFile(join(target, 'inside'), 'utf8'), 'here');
    t.equal((await lstat(join(target, 'final'))).isFile(), true, 'the link gave way');
  });
}

test('an archive may end after the last byte of its last file', needsRoot, async (t) => {
  const { target, unpack } = await bench(t);
  await unpack(oneFile('y'.repeat(600)).subarray(0, 512 + 600));
  t.equal(await readFile(join(target, 'x'), 'utf8'), 'y'.repeat(600));
});

test('names are cleaned as Docker does', needsRoot, async (t) => {
  const { unpack, target } = await bench(t);
  const names = ['./a', '/b', 'd/../c', './/e//f', 'g/./h'];
  await unpack(names.map((name) => file(name, 'x')));
  t.strictSame((await readdir(target)).sort(), ['a', 'b', 'c', 'e', 'g']);
});

test('the digest is that of the whole stream, however it is compressed', needsRoot, async (t) => {
  const tar = Buffer.concat([tarOf([file('x', 'y'.repeat(3_000_000))]), Buffer.alloc(10_240)]);
  const { unpack, target } = await bench(t);
  const zip = (program: string) => execFileSync(program, ['-c'], { input: tar });
  const forms = [tar, gzipSync(tar), zip('zstd'), zip('bzip2'), zip('xz')];
  const halves = Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]);
  for (const archive of [...forms, halves]) {
    const result = await unpack(archive);
    t.equal(result.diffId, sha256(tar));
    t.strictSame([result.entries, result.sizeBytes, result.tarBytes], [1, 3_000_000, tar.length]);
    t.equal((await stat(join(target, 'x'))).size, 3_000_000);
  }
});

test('our own sha256 agrees with the library’s', needsRoot, (t) => {
  const program = new URL('../../native/tsdocker-unpack', import.meta.url).pathname;
  for (const length of [0, 1, 55, 56, 63, 64, 65, 1000, 1_048_577]) {
    const tar = tarOf([file('x', 'z'.repeat(length))]);
    const args = ['unpack', `target=${t.testdir({})}`, 'whiteouts=overlay', 'ownSha256=1'];
    const output = execFileSync(program, args, { input: tar, encoding: 'utf8' });
    const report: unknown = JSON.parse(output);
    t.match(report, { sha256: sha256(tar).slice(7) }, `${length} bytes`);
  }
  t.end();
});

test('an empty archive is a layer without entries', needsRoot, async (t) => {
  const { unpack } = await bench(t);
  t.equal((await unpack(tarOf([]))).entries, 0);
  t.equal((await unpack(Buffer.alloc(0))).diffId, sha256(Buffer.alloc(0)));
});

test('long names, PAX times and sizes, and attributes of links', needsRoot, async (t) => {
  const { unpack, target } = await bench(t);
  const long = `${'d'.repeat(120)}/${'f'.repeat(200)}`;
  const pax = { path: `pax/${'p'.repeat(250)}`, mtime: '1234567890.5', uid: '70000' };
  await unpack([
    { name: '././@LongLink', type: 'L', content: `${long}\0` }, file('short', 'long'),
    { name: '././@LongLink', type: 'K', content: `${'t'.repeat(300)}\0` }, link('link', 'x'),
    { ...file('x'), pax },
    { ...file('early'), pax: { mtime: '-1.25' } },
  ]);
  t.equal(await readFile(join(target, long), 'utf8'), 'long');
  t.equal((await readlink(join(target, 'link'))).length, 300);
  const { mtimeMs, uid } = await stat(join(target, pax.path));
  t.strictSame([mtimeMs, uid], [1234567890500, 70000]);
  t.equal((await stat(join(target, 'early'))).mtimeMs, -1250);
});

test('a sparse file of GNU tar keeps its holes', needsRoot, async (t) => {
  const { unpack, target, scratch: source } = await bench(t);
  const path = join(source, 'sparse');
  const handle = await open(path, 'w');
  for (let at = 0; at < 12; at++) await handle.write(`part ${at}`, at * 1_000_000);
  await handle.truncate(20_000_000);
  await handle.close();
  const tar = execFileSync('tar', ['-C', source, '--format=gnu', '-S', '-cf', '-', 'sparse']);
  await unpack(tar);
  t.equal(sha256(await readFile(join(target, 'sparse'))), sha256(await readFile(path)));
  t.ok((await stat(join(target, 'sparse'))).blocks < 1000);
});

test('the last entry of a name wins, whatever each of them is', needsRoot, async (t) => {
  const { unpack, target } = await bench(t);
  await unpack([
    file('a', 'one'), file('a', 'two'), dir('b'), file('b/x'), file('b', 'file'),
    file('c', 'file'), dir('c'), file('c/x'), link('d', 'c'), dir('d'), file('d/y'),
    hard('e', 'a'), file('e', 'own'),
  ]);
  t.equal(await readFile(join(target, 'a'), 'utf8'), 'two');
  t.equal(await readFile(join(target, 'b'), 'utf8'), 'file');
  t.strictSame(await readdir(join(target, 'c')), ['x']);
  t.strictSame(await readdir(join(target, 'd')), ['y']);
  t.equal(await readFile(join(target, 'e'), 'utf8'), 'own');
});

test('whiteouts become devices and attributes, or carry out the removal', needsRoot, async (t) => {
  const { unpack, target } = await bench(t);
  await unpack([dir('d'), file('d/.wh.x'), dir('o'), file('o/.wh..wh..opq')]);
  const white = await lstat(join(target, 'd/x'));
  t.ok(white.isCharacterDevice() && white.rdev === 0);
  t.equal(readXattr(join(target, 'o'), 'trusted.overlay.opaque', 1)?.toString(), 'y');
  await removeTree(join(target, 'd'));
  await removeTree(join(target, 'o'));
  await unpack([dir('d'), file('d/x'), file('d/y'), dir('o'), file('o/old')]);
  const upper = [file('d/.wh.x'), file('o/new'), file('o/.wh..wh..opq')];
  await unpack(upper, { whiteouts: 'apply' });
  t.strictSame(await readdir(join(target, 'd')), ['y']);
  t.strictSame(await readdir(join(target, 'o')), ['new']);
});

test('a folder that is opaque may be the root, which hides what lies below it alone', needsRoot,
  async (t) => {
    const { unpack, target, outside } = await bench(t);
    const before = await outside();
    await unpack([file('.wh..wh..opq'), file('new')]);
    t.equal(readXattr(target, 'trusted.overlay.opaque', 1)?.toString(), 'y');
    await unpack([file('old'), dir('d'), file('d/old')]);
    await unpack([file('newer'), file('.wh..wh..opq')], { whiteouts: 'apply' });
    t.strictSame(await readdir(target), ['newer']);
    t.strictSame(await outside(), before);
  });

test('folders without an entry of their own are told', needsRoot, async (t) => {
  const { unpack } = await bench(t);
  const entries = [file('a/b/x'), dir('a'), file('c/y'), dir('d'), file('d/z')];
  const { impliedDirectories } = await unpack(entries);
  t.strictSame(impliedDirectories, ['a/b', 'c']);
});

test('what AUFS left in old layers is passed over', needsRoot, async (t) => {
  const { unpack, target } = await bench(t);
  await unpack([dir('.wh..wh.plnk'), file('.wh..wh.plnk/1'), file('.wh..wh.aufs'), file('x')]);
  t.strictSame(await readdir(target), ['x']);
});

const limit = (message: RegExp) => ({ kind: 'TooLarge', message });

test('bombs are refused at their limit', needsRoot, async (t) => {
  const { unpack, target } = await bench(t);
  const zeros = gzipSync(tarOf([{ name: 'zeros', content: Buffer.alloc(20_000_000) }]));
  const limits = { maxRatio: 100, ratioSlackBytes: 1_000_000 };
  await t.rejects(unpack(zeros, { limits }), limit(/more than 100 times/));
  t.ok((await treeUsage(target)).sizeBytes < 15_000_000, 'stopped on the way');
  const large = unpack(zeros, { limits: { maxBytes: 1_000_000 } });
  await t.rejects(large, limit(/more than 1000000 bytes/));
  const many = Array.from({ length: 11 }, (_, at) => file(`f${at}`));
  await t.rejects(unpack(many, { limits: { maxEntries: 10 } }), limit(/more than 10 entries/));
  const full = unpack([file('x')], { limits: { reserveBytes: 2 ** 52 } });
  await t.rejects(full, { name: 'ErrnoError', code: 'ENOSPC', message: /ENOSPC/ });
});

test('a file of a size that it has not is refused', needsRoot, async (t) => {
  const { unpack } = await bench(t);
  await t.rejects(unpack([{ name: 'x', size: 0o77777777777 }]), bad(/unexpected EOF/));
});

test('an abort ends the process and tells the reason', needsRoot, async (t) => {
  const { target } = await bench(t);
  const stop = new AbortController();
  const never = new Readable({ read() {} });
  never.push(tarOf([file('x')]).subarray(0, 512));
  const options = { target, whiteouts: 'overlay' } as const;
  const unpacking = unpackLayer({ ...options, source: never, signal: stop.signal });
  const rejected = t.rejects(unpacking, new Error('the client left'));
  await delay(50);
  stop.abort(new Error('the client left'));
  await rejected;
  const silent = new Readable({ read() {} });
  const late = unpackLayer({ ...options, source: silent, timeoutMs: 50 });
  await t.rejects(late, { code: 'ETIMEDOUT', message: /ETIMEDOUT/ });
});

test('a source that fails is the failure that is told', needsRoot, async (t) => {
  const { target } = await bench(t);
  const source = new Readable({ read() { this.destroy(new Error('the registry left')); } });
  const unpacking = unpackLayer({ source, target, whiteouts: 'overlay' });
  await t.rejects(unpacking, new Error('the registry left'));
});

test('an archive can be an open file or a path', needsRoot, async (t) => {
  const { target, scratch } = await bench(t);
  const path = join(scratch, 'layer.tar');
  await writeFile(path, tarOf([file('x')]));
  const handle = await open(path);
  t.teardown(() => handle.close());
  for (const source of [{ path }, { fd: handle.fd }]) {
    t.equal((await unpackLayer({ source, target, whiteouts: 'overlay' })).entries, 1);
  }
});

test('broken headers of every byte are refused or harmless', needsRoot, async (t) => {
  const { unpack, outside } = await bench(t);
  const before = await outside();
  const good = Buffer.concat(entryOf(file('name', 'content')));
  for (let at = 0; at < 512; at += 13) {
    const header = Buffer.from(good.subarray(0, 512));
    header[at] = 0xff;
    const tar = Buffer.concat([withChecksum(header), good.subarray(512), Buffer.alloc(1024)]);
    // Either outcome is right; a crash of the process is a System error and fails the test.
    const harmless = { kind: /InvalidParameter|TooLarge/ };
    await unpack(tar).catch((error: unknown) => t.match(error, harmless));
  }
  t.strictSame(await outside(), before);
});
