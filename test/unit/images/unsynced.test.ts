import { test } from 'tap';
import { createUnsynced } from '../../../daemon/images/unsynced.js';

test('what was added is synced once, together, before a settle resolves', async (t) => {
  const calls: (readonly string[])[] = [];
  const unsynced = createUnsynced(async (paths) => void calls.push(paths));
  await unsynced.settle();
  t.same(calls, [], 'nothing to do');
  for (const path of ['/b', '/a', '/b']) unsynced.add(path);
  await Promise.all([unsynced.settle(), unsynced.settle()]);
  t.same(calls, [['/a', '/b']]);
});

test('a sync that failed is told, and tried again by the next settle', async (t) => {
  const calls: (readonly string[])[] = [];
  let isBroken = true;
  const unsynced = createUnsynced(async (paths) => {
    calls.push(paths);
    if (isBroken) throw new Error('EIO');
    await Promise.resolve();
  });
  unsynced.add('/a');
  await t.rejects(unsynced.settle(), new Error('EIO'));
  isBroken = false;
  unsynced.add('/b');
  await unsynced.settle();
  t.same(calls, [['/a'], ['/a', '/b']]);
});
