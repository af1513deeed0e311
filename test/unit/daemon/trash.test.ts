import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { openTrash } from '../../../daemon/trash.js';
import { until } from '../../support/containers.js';

test('what is taken is gone by its name at once, and wholly a moment later', async (t) => {
  const root = t.testdir();
  const errors: unknown[] = [];
  const trash = openTrash(join(root, 'trash'), (error) => errors.push(error));
  for (const name of ['one', 'two']) {
    mkdirSync(join(root, name, 'folder'), { recursive: true });
    writeFileSync(join(root, name, 'folder', 'file'), 'x');
    await trash.take(join(root, name));
    t.notOk(existsSync(join(root, name)));
  }
  t.equal(readdirSync(join(root, 'trash')).length, 2, 'it waits until nobody is disturbed by it');
  await trash.take(join(root, 'absent'));
  await until('the trash is empty', async () => readdirSync(join(root, 'trash')).length === 0);
  t.same(errors, []);
});

test('what an earlier daemon left is removed', async (t) => {
  const root = t.testdir({ trash: { left: { file: 'x' } } });
  const trash = openTrash(join(root, 'trash'), (error) => t.fail(String(error)));
  await trash.empty();
  t.same(readdirSync(join(root, 'trash')), []);
});
