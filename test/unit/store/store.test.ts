import { copyFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import Database from 'better-sqlite3';
import { ApiError } from '../../../api-spec/errors.js';
import { NewerSchemaError, openStore } from '../../../daemon/store/index.js';

const migrations = ['CREATE TABLE things (id TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT'];
const insert = (id: string, size: number) => ({
  sql: 'INSERT INTO things (id, size) VALUES (?, ?)',
  params: [id, size],
});

test('what was committed is read back, here and after opening again', async (t) => {
  const path = join(t.testdir(), 'db');
  const store = openStore(path, migrations);
  await store.commit([insert('a', 1), insert('b', 2)], 'full');
  await store.commit([insert('c', 3)], 'normal');
  t.same(store.rows('SELECT id, size FROM things ORDER BY id').map((row) => row['id']), [
    'a',
    'b',
    'c',
  ]);
  await store.close();
  const again = openStore(path, migrations);
  t.teardown(() => again.close());
  t.equal(again.rows('SELECT 1 AS one FROM things').length, 3);
});

test('a refused transaction changes nothing and takes none of its neighbours along', async (t) => {
  const store = openStore(join(t.testdir(), 'db'), migrations);
  t.teardown(() => store.close());
  const [first, second, third] = await Promise.allSettled([
    store.commit([insert('a', 1)], 'full'),
    store.commit([insert('b', 1), insert('a', 2)], 'full'),
    store.commit([insert('c', 1)], 'normal'),
  ]);
  t.equal(first.status, 'fulfilled');
  t.equal(third.status, 'fulfilled');
  t.equal(second.status, 'rejected');
  t.ok(second.status === 'rejected' && second.reason instanceof ApiError);
  t.same(store.rows('SELECT id FROM things ORDER BY id').map((row) => row['id']), ['a', 'c']);
});

test('commits are seen in the order of the calls', async (t) => {
  const store = openStore(join(t.testdir(), 'db'), migrations);
  t.teardown(() => store.close());
  const update = { sql: 'UPDATE things SET size = size * 10 + ? WHERE id = ?' };
  await store.commit([insert('a', 0)], 'normal');
  await Promise.all(
    [1, 2, 3, 4].map((digit) =>
      store.commit([{ ...update, params: [digit, 'a'] }], digit % 2 === 0 ? 'full' : 'normal'),
    ),
  );
  t.same(store.rows('SELECT size FROM things'), [{ size: 1234 }]);
});

test('what needs no sync is there at once, refusals change nothing, the log stays small', async (t) => {
  const path = join(t.testdir(), 'db');
  const store = openStore(path, migrations);
  t.teardown(() => store.close());
  const size = { sql: 'UPDATE things SET size = ? WHERE id = ?' };
  await store.commit([insert('a', 0)], 'normal');
  const refused = store.commit([{ ...size, params: [7, 'a'] }, insert('a', 1)], 'normal');
  await t.rejects(refused, ApiError);
  t.same(store.rows('SELECT size FROM things'), [{ size: 0 }]);
  for (let turn = 1; turn <= 8000; turn += 1) {
    const written = store.commit([{ ...size, params: [turn, 'a'] }], 'normal');
    if (turn === 1) t.same(store.rows('SELECT size FROM things'), [{ size: 1 }]);
    await written;
  }
  t.same(store.rows('SELECT size FROM things'), [{ size: 8000 }]);
  t.equal(statSync(`${path}-wal`).size, 8 * 1024 * 1024, 'it never left its room');
});

test('a database of a newer program is refused and not touched', async (t) => {
  const path = join(t.testdir(), 'db');
  const raw = new Database(path);
  raw.pragma('user_version = 7');
  raw.close();
  t.throws(() => openStore(path, migrations), NewerSchemaError);
  const after = new Database(path);
  t.teardown(() => after.close());
  t.equal(after.pragma('user_version', { simple: true }), 7);
});

test('a checkpoint beside writers loses nothing and keeps their order', async (t) => {
  const path = join(t.testdir(), 'db');
  const store = openStore(path, migrations);
  const append = { sql: "UPDATE things SET size = size + 1 WHERE id = 'a' AND size = ?" };
  await store.commit([insert('a', 0)], 'full');
  // So many that several checkpoints fall in, and that some wait for one.
  const commits = Array.from({ length: 3000 }, (_, turn) =>
    store.commit([{ ...append, params: [turn] }], turn % 50 === 0 ? 'full' : 'normal'),
  );
  const settled = await Promise.allSettled(commits);
  t.ok(settled.every(({ status }) => status === 'fulfilled'));
  t.same(store.rows('SELECT size FROM things'), [{ size: 3000 }], 'each saw the one before it');
  await store.close();
  const again = openStore(path, migrations);
  t.teardown(() => again.close());
  t.same(again.rows('SELECT size FROM things'), [{ size: 3000 }]);
});

test('the log has its room on the disk before it is full', async (t) => {
  const path = join(t.testdir(), 'db');
  const store = openStore(path, migrations);
  t.teardown(() => store.close());
  await store.commit([insert('a', 1)], 'full');
  const { size, blocks } = statSync(`${path}-wal`);
  t.ok(blocks * 512 >= 8 * 2 ** 20, `${blocks} blocks`);
  t.equal(size, 8 * 2 ** 20, 'all of it has been written: a sync waits for data alone');
});

test('what nobody waits for goes with the next transaction, or soon', async (t) => {
  const path = join(t.testdir(), 'db');
  const store = openStore(path, migrations);
  const ids = (): readonly unknown[] =>
    store.rows('SELECT id FROM things ORDER BY rowid').map(({ id }) => id);
  store.soon(() => [insert('a', 1)]);
  t.same(ids(), [], 'it waits for others');
  await store.commit([insert('b', 1)], 'normal');
  t.same(ids(), ['a', 'b'], 'and is carried out before them');
  store.soon(() => [insert('c', 1)]);
  await sleep(100);
  t.same(ids(), ['a', 'b', 'c'], 'but not for long');
  store.soon(() => [insert('d', 1)]);
  store.flush();
  t.same(ids(), ['a', 'b', 'c', 'd']);
  store.soon(() => [insert('e', 1)]);
  await store.close();
  const again = openStore(path, migrations);
  t.teardown(() => again.close());
  t.equal(again.rows("SELECT 1 AS one FROM things WHERE id = 'e'").length, 1, 'nor lost');
});

test('of what waits and who comes, neither is refused for the other', async (t) => {
  const warned: string[] = [];
  const path = join(t.testdir(), 'db');
  const store = openStore(path, migrations, (reason) => warned.push(reason));
  t.teardown(() => store.close());
  await store.commit([insert('a', 1)], 'normal');
  store.soon(() => [insert('b', 1)]);
  await t.rejects(store.commit([insert('a', 2)], 'normal'), ApiError);
  store.soon(() => [insert('c', 1)]);
  store.soon(() => [insert('d', 1), insert('a', 3)]);
  await store.commit([insert('e', 1)], 'full');
  t.same(store.rows('SELECT id FROM things ORDER BY id').map(({ id }) => id), ['a', 'b', 'c', 'e']);
  t.match(warned, [/a change is lost: .*UNIQUE/]);
});

test('what a daemon that was killed left in the log is found before the zeros', async (t) => {
  const folder = t.testdir();
  const store = openStore(join(folder, 'db'), migrations);
  t.teardown(() => store.close());
  await store.commit([insert('a', 1)], 'full');
  await store.commit([insert('b', 2)], 'normal');
  for (const end of ['', '-wal']) {
    copyFileSync(join(folder, `db${end}`), join(folder, `killed${end}`));
  }
  const after = openStore(join(folder, 'killed'), migrations);
  t.same(after.rows('SELECT id, size FROM things ORDER BY id'), [
    { id: 'a', size: 1 }, { id: 'b', size: 2 },
  ]);
  await after.commit([insert('c', 3)], 'full');
  await after.close();
  const again = openStore(join(folder, 'killed'), migrations);
  t.teardown(() => again.close());
  t.equal(again.rows('SELECT 1 AS one FROM things').length, 3);
});
