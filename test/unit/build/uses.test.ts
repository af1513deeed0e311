import { join } from 'node:path';
import { test } from 'tap';
import { openCache, type CacheRecord } from '../../../daemon/build/cache.js';
import { buildTables } from '../../../daemon/build/tables.js';
import { openStore } from '../../../daemon/store/index.js';

const record = (key: string, lastUsedAtMs: number): CacheRecord => ({
  key, id: '', parent: '', document: '', cmdIsOwn: false, kind: 'regular', description: '',
  storageKey: '', diffId: '', blobSizeBytes: 0, sizeBytes: 0, createdAtMs: 0, lastUsedAtMs,
  usageCount: 0,
});

const uses = (cache: ReturnType<typeof openCache>) =>
  cache.all().map(({ key, lastUsedAtMs, usageCount }) => [key, lastUsedAtMs, usageCount]);

test('uses are counted together, and seen by whoever looks', async (t) => {
  const path = join(t.testdir(), 'db');
  const store = openStore(path, [buildTables]);
  const cache = openCache(store);
  for (const [key, atMs] of [['a', 1], ['b', 2], ["'c", 3]] as const) {
    cache.add(record(key, atMs), []);
  }
  await cache.flush(() => Promise.resolve());
  cache.touch(['a', "'c"], 10);
  cache.touch(new Set(['a']), 11);
  cache.touch(['gone'], 11);
  cache.touch([], 12);
  t.same(uses(cache), [['b', 2, 0], ["'c", 10, 1], ['a', 11, 2]]);
  t.same(uses(cache), [['b', 2, 0], ["'c", 10, 1], ['a', 11, 2]], 'each is counted once');
  cache.touch(['b'], 20);
  cache.close();
  await store.close();
  const next = openStore(path, [buildTables]);
  t.teardown(() => next.close());
  t.same(uses(openCache(next)), [["'c", 10, 1], ['a', 11, 2], ['b', 20, 1]], 'by the next daemon');
});
