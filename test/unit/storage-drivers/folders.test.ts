import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { openFolders } from '../../../storage-drivers/folders.js';

test('what is discarded is gone by its name at once, and wholly at the end', async (t) => {
  const root = t.testdir();
  const folders = await openFolders(root);
  const make = (name: string): string => {
    const path = folders.path('containers', name);
    mkdirSync(join(path, 'diff'), { recursive: true });
    mkdirSync(join(path, 'work', 'work'), { recursive: true });
    return path;
  };
  const trash = join(root, 'trash');
  const bare = make('bare');
  const small = make('small');
  writeFileSync(join(small, 'diff', 'file'), '');
  const large = make('large');
  for (let nth = 0; nth < 400; nth += 1) writeFileSync(join(large, 'diff', String(nth)), '');
  for (const path of [bare, small, large]) {
    await folders.discard(path);
    t.notOk(existsSync(path), 'its name is free at once');
  }
  t.equal(readdirSync(trash).length, 3, 'they are gathered');
  await folders.close();
  t.same(readdirSync(trash), []);
});

const ext4Magic = 0xef53;

test('what is staged begins elsewhere on the disk each time', async (t) => {
  const root = t.testdir();
  const folders = await openFolders(root);
  await folders.close();
  if (statfsSync(root).type !== ext4Magic) return t.pass('', { skip: 'no ext4 here' });
  const { stdout, error } = spawnSync('lsattr', ['-d', join(root, 'stage')], { encoding: 'utf8' });
  if (error !== undefined) return t.pass('', { skip: 'no lsattr: apt-get install e2fsprogs' });
  const [flags = ''] = stdout.split(' ');
  t.match(flags, 'T');
});
