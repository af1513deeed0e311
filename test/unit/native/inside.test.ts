import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { isAbsent, openInRoot, readFileInLayers, readFileInRoot } from '../../../native/inside.js';

const bound = { maxBytes: 1000 };

const code = (fn: () => unknown): string => {
  try {
    fn();
    return 'none';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
};

test('an absolute link stays inside the root', (t) => {
  const dir = t.testdir({
    secret: 'host',
    root: { etc: { passwd: 'inside' }, link: t.fixture('symlink', '/etc/passwd') },
  });
  t.equal(readFileInRoot(join(dir, 'root'), '/link', bound).toString(), 'inside');
  t.end();
});

test('climbing names and links end at the root', (t) => {
  const dir = t.testdir({
    secret: 'host',
    root: { up: t.fixture('symlink', '../../../secret'), secret: 'inside' },
  });
  const root = join(dir, 'root');
  t.equal(readFileInRoot(root, '../../secret', bound).toString(), 'inside');
  t.equal(readFileInRoot(root, 'up', bound).toString(), 'inside');
  t.equal(readFileInLayers([root], '../../up', bound).toString(), 'inside');
  t.end();
});

test('magic links of proc are refused', (t) => {
  t.equal(code(() => openInRoot('/proc/self', 'root/etc', fs.constants.O_RDONLY)), 'ELOOP');
  t.end();
});

test('a FIFO is refused at once, and so is a device by name', (t) => {
  const dir = t.testdir({});
  execFileSync('mkfifo', [join(dir, 'fifo')]);
  t.equal(code(() => readFileInRoot(dir, 'fifo', bound)), 'EINVAL');
  t.equal(code(() => readFileInLayers([dir], 'fifo', bound)), 'EINVAL');
  t.equal(code(() => readFileInRoot('/dev', 'zero', bound)), 'EINVAL');
  t.equal(code(() => readFileInRoot(dir, '.', bound)), 'EISDIR');
  t.end();
});

test('a file over the bound is refused, not cut', (t) => {
  const dir = t.testdir({ exact: 'x'.repeat(1000), over: 'x'.repeat(1001), empty: '' });
  t.equal(readFileInRoot(dir, 'exact', bound).length, 1000);
  t.equal(readFileInRoot(dir, 'empty', bound).length, 0);
  t.equal(code(() => readFileInRoot(dir, 'over', bound)), 'EFBIG');
  fs.truncateSync(join(dir, 'over'), 2 ** 31);
  t.equal(code(() => readFileInLayers([dir], 'over', bound)), 'EFBIG');
  t.equal(code(() => readFileInRoot('/proc', 'kallsyms', bound)), 'EFBIG', 'stat says 0 bytes');
  t.end();
});

test('absence has a name of its own', (t) => {
  const dir = t.testdir({ file: '' });
  for (const path of ['nothing', 'file/below']) {
    for (const read of [
      () => readFileInRoot(dir, path, bound),
      () => readFileInLayers([dir], path, bound),
    ]) {
      try {
        read();
        t.fail('must throw');
      } catch (error) {
        t.ok(isAbsent(error), path);
      }
    }
  }
  t.equal(code(() => readFileInRoot(dir, 'fi\0le', bound)), 'EINVAL');
  t.end();
});

test('layers are read as overlayfs would merge them', (t) => {
  const dir = t.testdir({
    top: { etc: { hosts: 'top' }, low: t.fixture('symlink', '/etc/passwd'), file: { x: 'dir' } },
    middle: { etc: { hosts: 'middle', passwd: 'middle' }, over: 'file hides dir' },
    bottom: { etc: { hosts: 'bottom', shadow: 'bottom' }, over: { x: 'hidden' }, file: 'hidden' },
  });
  const layers = ['top', 'middle', 'bottom'].map((name) => join(dir, name));
  const read = (path: string): string => readFileInLayers(layers, path, bound).toString();
  t.equal(read('/etc/hosts'), 'top');
  t.equal(read('etc/passwd'), 'middle');
  t.equal(read('/low'), 'middle', 'a link in one layer leads into another');
  t.equal(read('/etc/../etc/./shadow'), 'bottom');
  t.equal(read('/file/x'), 'dir');
  t.equal(code(() => read('/over/x')), 'ENOTDIR');
  t.end();
});

test('links without end are ELOOP', (t) => {
  const dir = t.testdir({ a: t.fixture('symlink', 'b'), b: t.fixture('symlink', '/a') });
  t.equal(code(() => readFileInLayers([dir], 'a', bound)), 'ELOOP');
  t.equal(code(() => readFileInRoot(dir, 'a', bound)), 'ELOOP');
  t.end();
});

test(
  'whiteouts and opaque folders hide what lies beneath',
  { skip: process.getuid?.() === 0 ? false : 'mknod and trusted xattrs need root' },
  (t) => {
    const dir = t.testdir({
      top: { opaque: { own: 'top' } },
      bottom: { gone: 'bottom', opaque: { own: 'bottom', other: 'bottom' } },
    });
    execFileSync('mknod', [join(dir, 'top/gone'), 'c', '0', '0']);
    execFileSync('python3', [
      '-c',
      'import os,sys; os.setxattr(sys.argv[1], "trusted.overlay.opaque", b"y")',
      join(dir, 'top/opaque'),
    ]);
    const layers = ['top', 'bottom'].map((name) => join(dir, name));
    t.equal(code(() => readFileInLayers(layers, 'gone', bound)), 'ENOENT');
    t.equal(readFileInLayers(layers, 'opaque/own', bound).toString(), 'top');
    t.equal(code(() => readFileInLayers(layers, 'opaque/other', bound)), 'ENOENT');
    t.end();
  },
);

test('no fd stays open', (t) => {
  const dir = t.testdir({ a: { b: { c: 'x' } } });
  const count = (): number => fs.readdirSync('/proc/self/fd').length;
  const before = count();
  for (let i = 0; i < 20; i++) {
    readFileInLayers([dir, dir], 'a/b/c', bound);
    readFileInRoot(dir, 'a/b/c', bound);
    code(() => readFileInLayers([dir], 'a/x', bound));
    code(() => readFileInRoot(dir, 'a', bound));
  }
  t.equal(count(), before);
  t.end();
});
