/** Many folders at once: how far it came is told, not thrown. */
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { makeFolders, removeFolders } from '../../../native/folders.js';

test('folders are made in order, and what is there already is fine', async (t) => {
  const folder = t.testdir({ there: {} });
  const paths = ['a', 'there', 'a/b'].map((name) => join(folder, name));
  t.equal(await makeFolders(paths, 0o700), 3);
  t.equal(statSync(join(folder, 'a', 'b')).mode & 0o777, 0o700);
});

test('it ends before the first that cannot be', async (t) => {
  const folder = t.testdir();
  const paths = ['a', 'missing/b', 'c'].map((name) => join(folder, name));
  t.equal(await makeFolders(paths, 0o755), 1);
  t.notOk(existsSync(join(folder, 'c')));
});

test('the empty ones go, and the others are counted', async (t) => {
  const folder = t.testdir({ empty: {}, full: {} });
  writeFileSync(join(folder, 'full', 'file'), '');
  const paths = ['empty', 'full', 'missing'].map((name) => join(folder, name));
  t.equal(await removeFolders(paths), 1);
  t.notOk(existsSync(join(folder, 'empty')));
  t.ok(existsSync(join(folder, 'full', 'file')));
});
