import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { openFolders } from '../../../storage-drivers/folders.js';

test('a container that wrote nothing goes without a process, another with one', async (t) => {
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
  await folders.discard(bare);
  t.notOk(existsSync(bare), 'its name is free at once');
  const closing = folders.close();
  t.same(readdirSync(trash), [], 'gone before any process could have run');
  await closing;

  const again = await openFolders(root);
  const full = make('full');
  writeFileSync(join(full, 'diff', 'file'), '');
  await again.discard(full);
  t.equal(readdirSync(trash).length, 1, 'what was written takes its time');
  await again.close();
  t.same(readdirSync(trash), []);
});
