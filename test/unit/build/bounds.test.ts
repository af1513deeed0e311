import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { keepBounded } from '../../../daemon/build/bounds.js';
import { openCache } from '../../../daemon/build/cache.js';
import { buildTables } from '../../../daemon/build/tables.js';
import { openStore } from '../../../daemon/store/index.js';

test('of too many records those go that were used longest ago', async (t) => {
  const store = openStore(join(t.testdir(), 'db'), [buildTables]);
  t.teardown(() => store.close());
  const cache = openCache(store);
  for (let age = 0; age < 30; age += 1) {
    cache.add(
      {
        key: `k${age}`, id: '', parent: '', document: '', cmdIsOwn: false, kind: 'regular',
        description: '', storageKey: '', diffId: '', blobSizeBytes: 0, sizeBytes: 0,
        createdAtMs: 0, lastUsedAtMs: 1000 - age, usageCount: 0,
      },
      [],
    );
  }
  await cache.flush(() => Promise.resolve());
  const cacheMounts = {
    all: () => [],
    remove: () => Promise.resolve([]),
    take: () => Promise.reject(new Error('nobody takes one here')),
    recover: () => Promise.resolve([]),
  };
  const bounded = keepBounded(
    {
      cache,
      cacheMounts,
      isShared: () => false,
      collect: () => Promise.resolve(),
      disk: () => Promise.resolve({ freeBytes: 2 ** 40, sizeBytes: 2 ** 40 }),
      nowMs: () => 2000,
    },
    {
      bounds: { maxBytes: undefined, policies: [], maxRecords: 10 },
      warn: (message) => t.fail(message),
    },
  );
  bounded.check();
  while (cache.totals().records > 10) await turn();
  t.same(cache.all().map(({ key }) => key), [...Array(10).keys()].map((age) => `k${9 - age}`));
});
