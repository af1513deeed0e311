/** Copies, sizes and removals of trees by the same program as the unpacking. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'tap';
import { copyTree, removeTree, unpackLayer } from '../../native/unpack/index.js';
import { readXattr } from '../../native/xattr.js';
import { tarOf, type TarEntry } from '../support/tar.js';

const needsRoot = { skip: process.getuid?.() === 0 ? false : 'owners and mounts need root' };
const file = (name: string, content = name): TarEntry => ({ name, content });
const link = (name: string, to: string): TarEntry => ({ name, type: '2', link: to });
const hard = (name: string, to: string): TarEntry => ({ name, type: '1', link: to });
const dir = (name: string, more: Partial<TarEntry> = {}): TarEntry => ({
  name: `${name}/`,
  type: '5',
  ...more,
});
const lay = (target: string, entries: readonly TarEntry[]) =>
  unpackLayer({ source: Readable.from([tarOf(entries)]), target, whiteouts: 'overlay' });

test('a copy keeps links, holes, owners and attributes', needsRoot, async (t) => {
  const base = t.testdir({ target: {}, scratch: {} });
  const [target, scratch] = [join(base, 'target'), join(base, 'scratch')];
  await lay(target, [
    { ...dir('d', { mode: 0o1750, uid: 5, gid: 6 }), pax: { 'SCHILY.xattr.user.a': 'b' } },
    { ...file('d/x'), mode: 0o6755, uid: 7 }, hard('d/y', 'd/x'), link('d/l', '/etc'),
    { name: 'd/null', type: '3', device: [1, 3] }, { name: 'd/fifo', type: '6' },
  ]);
  const copy = scratch;
  const options = { layersTopFirst: [target], path: '/d', target: copy, onlyIfEmpty: true };
  t.strictSame(await copyTree(options), { copied: true });
  t.strictSame(await copyTree(options), { copied: false });
  const shape = (path: string): string =>
    execFileSync('find', [path, '-printf', '%P %m %U %G %T@ %l %n %s %y\\n'], { encoding: 'utf8' })
      .replace(/ \d+ d$/gm, ' d').split('\n').sort().join('\n');
  t.equal(shape(copy), shape(join(target, 'd')));
  t.equal(readXattr(copy, 'user.a', 1)?.toString(), 'b');
  t.equal((await stat(join(copy, 'x'))).ino, (await stat(join(copy, 'y'))).ino);
});

test('a copy of layers is what overlayfs would show', needsRoot, async (t) => {
  const base = t.testdir({ low: {}, high: {}, out: {} });
  const [low, high, out] = [join(base, 'low'), join(base, 'high'), join(base, 'out')];
  await lay(low, [
    dir('d'), file('d/a'), file('d/b'), dir('d/o'), file('d/o/x'), dir('gone'), file('gone/x'),
  ]);
  await lay(high, [
    dir('d', { uid: 9 }), file('d/.wh.a'), file('d/c'), dir('d/o'), file('d/o/.wh..wh..opq'),
    file('d/o/y'), file('.wh.gone'), link('l', 'd'),
  ]);
  const layersTopFirst = [high, low];
  await copyTree({ layersTopFirst, path: '/l', target: out, onlyIfEmpty: true });
  t.strictSame((await readdir(out)).sort(), ['b', 'c', 'o']);
  t.strictSame(await readdir(join(out, 'o')), ['y']);
  t.equal((await stat(out)).uid, 9);
  const gone = { layersTopFirst, path: '/gone', target: out, onlyIfEmpty: false };
  t.strictSame(await copyTree(gone), { copied: false });
});

test('removal stops at what is mounted, and absence is success', needsRoot, async (t) => {
  const base = t.testdir({ tree: { mounted: {}, file: 'x' } });
  await removeTree(join(base, 'nowhere/at/all'));
  const script = `mount -t tmpfs tmpfs "$1/mounted" && touch "$1/mounted/keep" &&
    ! "$2" remove target="$1" -- >/dev/null && [ -e "$1/mounted/keep" ]`;
  const program = new URL('../../native/tsdocker-unpack', import.meta.url).pathname;
  const shell = ['sh', '-euc', script, 'sh', join(base, 'tree'), program];
  execFileSync('unshare', ['-m', '--propagation', 'private', ...shell]);
  await removeTree(join(base, 'tree'));
  t.notOk(existsSync(join(base, 'tree')));
});
