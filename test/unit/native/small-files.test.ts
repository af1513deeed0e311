/** Small files at once: in place, and as far as it came. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { writeSmallFiles } from '../../../native/small-files.js';

test('files are made, or written anew in place', async (t) => {
  const folder = t.testdir({ old: 'much longer than before' });
  const { ino } = statSync(join(folder, 'old'));
  const files = [['old', 'größer'], ['new', 'x'.repeat(200_000)], ['empty', '']]
    .map(([name = '', text = '']) => ({ path: join(folder, name), text }));
  t.equal(await writeSmallFiles(files, 0o640), 3);
  for (const { path, text } of files) t.equal(readFileSync(path, 'utf8'), text);
  t.equal(statSync(join(folder, 'old')).ino, ino, 'who has it mounted sees it');
  t.equal(statSync(join(folder, 'new')).mode & 0o777, 0o640);
});

test('it ends before the first that cannot be', async (t) => {
  const folder = t.testdir();
  writeFileSync(join(folder, 'file'), '');
  const files = ['a', 'file/b', 'c'].map((name) => ({ path: join(folder, name), text: name }));
  t.equal(await writeSmallFiles(files, 0o644), 1);
  t.throws(() => statSync(join(folder, 'c')), { code: 'ENOENT' });
});
