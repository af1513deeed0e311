import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import type { Test } from 'tap';
import { createEvents } from '../../../daemon/events/index.js';
import type { Happening } from '../../../daemon/events/index.js';
import { matches } from '../../../daemon/events/filter.js';
import { baseTables } from '../../../daemon/store/schema.js';
import { openStore } from '../../../daemon/store/index.js';

const happening = (action: string, attributes: Record<string, string> = {}): Happening => ({
  type: 'container',
  action,
  id: 'abc123',
  attributes: { name: 'web', image: 'nginx:1', ...attributes },
});

const setUp = (t: Test, nowNs?: () => bigint) => {
  const store = openStore(join(t.testdir(), 'db'), [baseTables]);
  t.teardown(() => store.close());
  return createEvents(store, nowNs === undefined ? {} : { nowNs });
};

test('filters: any value of one name, every name, labels all', (t) => {
  const event = happening('exec_create: sh', { tier: 'front', zone: 'a' });
  const yes = [
    {},
    { container: ['nope', 'abc'] },
    { container: ['web'] },
    { container: ['we'] },
    { event: ['exec_create'] },
    { image: ['nginx'] },
    { label: ['tier', 'zone=a'] },
    { type: ['container'], scope: ['local'] },
  ];
  for (const filters of yes) t.ok(matches(event, filters), JSON.stringify(filters));
  const no = [
    { container: ['xyz'] },
    { event: ['exec'] },
    { image: ['ngin'] },
    { label: ['tier', 'zone=b'] },
    { type: ['image'] },
    { type: ['container'], volume: ['web'] },
  ];
  for (const filters of no) t.notOk(matches(event, filters), JSON.stringify(filters));
  t.end();
});

test('what happened is found again, what happens is told, each once and in order', async (t) => {
  const events = setUp(t);
  await events.emit(happening('create'));
  const ended = new AbortController();
  const seen: string[] = [];
  const watched = (async () => {
    for await (const { action } of events.watch({ sinceNs: 0n, filters: {} }, ended.signal)) {
      seen.push(action);
      if (action === 'die') ended.abort();
    }
  })();
  await events.emit(happening('start'));
  await events.emit(happening('die'));
  await watched;
  t.same(seen, ['create', 'start', 'die']);
});

test('times grow strictly even when the clock stands or goes back', async (t) => {
  const clock = [5n, 5n, 3n];
  const events = setUp(t, () => clock.shift() ?? 0n);
  for (const action of ['a', 'b', 'c']) await events.emit(happening(action));
  const times: bigint[] = [];
  const range = { sinceNs: 0n, untilNs: 100n, filters: {} };
  for await (const { timeNs } of events.watch(range, new AbortController().signal)) {
    times.push(timeNs);
  }
  t.same(times, [5n, 6n, 7n]);
});

test('a range that is past ends by itself', async (t) => {
  const events = setUp(t);
  await events.emit(happening('create'));
  const until = BigInt(Date.now()) * 1_000_000n + 50_000_000n;
  let count = 0;
  const range = { sinceNs: 0n, untilNs: until, filters: {} };
  for await (const { action } of events.watch(range, new AbortController().signal)) {
    t.equal(action, 'create');
    count += 1;
  }
  t.equal(count, 1);
});

test('an end alone tells all that was, as in Docker', async (t) => {
  const events = setUp(t);
  await events.emit(happening('create'));
  await events.emit(happening('start'));
  const told: string[] = [];
  const untilNs = BigInt(Date.now() + 50) * 1_000_000n;
  const range = { untilNs, filters: {} };
  for await (const { action } of events.watch(range, AbortSignal.timeout(5000))) told.push(action);
  t.same(told, ['create', 'start']);
});

test('what is being written when somebody asks is of the past', async (t) => {
  const events = setUp(t);
  const emitted = events.emit(happening('destroy'));
  const seen: string[] = [];
  const range = { sinceNs: 0n, untilNs: BigInt(Date.now()) * 1_000_000n + 1_000_000n, filters: {} };
  for await (const { action } of events.watch(range, new AbortController().signal)) {
    seen.push(action);
  }
  t.same(seen, ['destroy']);
  await emitted;
});

test('what nobody waits for is stored with others, in its place', async (t) => {
  const store = openStore(join(t.testdir(), 'db'), [baseTables]);
  t.teardown(() => store.close());
  const stored = (): string[] =>
    store.rows<{ action: string }>('SELECT action FROM events ORDER BY seq')
      .map(({ action }) => action);
  const events = createEvents(store);
  events.soon(happening('first'));
  events.soon(happening('second'));
  t.same(stored(), [], 'while nobody listens it waits for others');
  await events.emit(happening('third'));
  t.same(stored(), ['first', 'second', 'third'], 'what is stamped later is stored later');
  events.soon(happening('fourth'));
  await sleep(100);
  t.equal(stored().at(-1), 'fourth', 'it does not wait for long');
  events.soon(happening('fifth'));
  store.flush();
  t.equal(stored().at(-1), 'fifth');
});

test('what nobody waits for is told to who listens, and not to who comes later', async (t) => {
  const events = setUp(t);
  const ended = new AbortController();
  const seen: string[] = [];
  const watch = async (): Promise<void> => {
    for await (const { action } of events.watch({ filters: {} }, ended.signal)) seen.push(action);
  };
  events.soon(happening('before'));
  const watched = watch();
  await sleep(50);
  events.soon(happening('now'));
  await sleep(50);
  ended.abort();
  await watched;
  t.same(seen, ['now']);
});

test('what could not be stored is told to who made the book', async (t) => {
  const store = openStore(join(t.testdir(), 'db'), [baseTables]);
  const lost: unknown[] = [];
  const events = createEvents(store, { onLost: (error) => lost.push(error) });
  const ended = new AbortController();
  const watched = events.watch({ filters: {} }, ended.signal);
  await store.close();
  events.soon(happening('lost'));
  await sleep(50);
  ended.abort();
  await watched.return();
  t.match(lost, [/the database is closed/]);
});
