/** Small trees go in one call; whatever is larger, or is a link out of it, stays. */
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { ErrnoError } from '../../../native/errno-error.js';
import { removeSmallTree } from '../../../native/remove-small.js';

test('a small tree goes, with all kinds of entries, and what links point at stays', async (t) => {
  const folder = t.testdir({ outside: { kept: 'yes' }, tree: { a: { b: { c: '' } }, d: '' } });
  const tree = join(folder, 'tree');
  symlinkSync('../outside', join(tree, 'link'));
  symlinkSync('/etc', join(tree, 'a', 'absolute'));
  t.equal(await removeSmallTree(tree), true);
  t.notOk(existsSync(tree));
  t.ok(existsSync(join(folder, 'outside', 'kept')));
  t.ok(existsSync('/etc/passwd'));
});

test('a link is removed, not what it points at; absent is fine', async (t) => {
  const folder = t.testdir({ outside: { kept: 'yes' } });
  symlinkSync('outside', join(folder, 'link'));
  t.equal(await removeSmallTree(join(folder, 'link')), true);
  t.ok(existsSync(join(folder, 'outside', 'kept')));
  t.equal(await removeSmallTree(join(folder, 'nothing')), true);
});

test('many entries and deep folders are left to the process', async (t) => {
  const folder = t.testdir({ many: {} });
  for (let nth = 0; nth < 300; nth += 1) writeFileSync(join(folder, 'many', String(nth)), '');
  t.equal(await removeSmallTree(join(folder, 'many')), false);
  const deep = join(folder, 'deep');
  mkdirSync(join(deep, ...Array.from({ length: 40 }, () => 'x')), { recursive: true });
  t.equal(await removeSmallTree(deep), false);
});

test('what the kernel refuses is an error', async (t) => {
  await t.rejects(removeSmallTree('/proc/self/environ'), ErrnoError);
});
