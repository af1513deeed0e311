/** Caches of `RUN --mount`: who shares one, what they count for, how they go. */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test, type Test } from 'tap';
import type { BuildCache } from '../../api-spec/index.js';
import { buildOn, type BuildAnswer } from '../support/builds.js';
import { startDaemon, type DaemonOptions, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

const base = 'FROM tsdocker-demo\n';

async function world(t: Test, options: DaemonOptions = {}): Promise<TestDaemon> {
  const daemon = await startDaemon(t, options);
  await importDemoImage(daemon.api);
  return daemon;
}

const build = ({ socket }: TestDaemon, lines: string, signal?: AbortSignal): Promise<BuildAnswer> =>
  buildOn(socket, {
    files: { Dockerfile: `${base}${lines}` },
    query: { nocache: '1' },
    ...(signal === undefined ? {} : { signal }),
  });

async function caches({ api }: TestDaemon): Promise<readonly BuildCache[]> {
  const usage = (await api.get('/system/df?type=build-cache')).json;
  const rows = (usage as { BuildCache: readonly BuildCache[] | null }).BuildCache ?? [];
  return rows.filter(({ Type }) => Type === 'exec.cachemount');
}

async function prune({ api }: TestDaemon, query: object, filters: object = {}) {
  const text = new URLSearchParams({ ...query, filters: JSON.stringify(filters) }).toString();
  const { json } = await api.post(`/build/prune?${text}`);
  return { gone: (json.CachesDeleted ?? []) as string[], bytes: Number(json.SpaceReclaimed) };
}

const folders = ({ dataRoot }: TestDaemon): readonly string[] =>
  readdirSync(join(dataRoot, 'build', 'cache'));

/** Writes so many bytes into the cache of that id. */
const filling = (id: string, kibibytes: number): string =>
  `RUN --mount=type=cache,id=${id},target=/c head -c ${kibibytes}k /dev/zero > /c/x\n`;

async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await pause(50);
}

test('a cache has a row with its size and its uses, also after a restart', async (t) => {
  const daemon = await world(t);
  const line = 'RUN --mount=type=cache,target=/c echo again >> /c/log; cat /c/log\n';
  await build(daemon, filling('big', 100) + line);
  const again = await build(daemon, line);
  t.match(again.text, 'again\nagain\n');
  const rows = await caches(daemon);
  t.match(rows, [
    { Description: /^cached mount \/c from RUN .* with id "big"$/, Size: 102400, UsageCount: 1 },
    { Description: /^cached mount \/c from RUN .*log$/, Size: 12, UsageCount: 2 },
  ]);
  t.ok(rows.every(({ InUse, Shared }) => !InUse && !Shared));
  mkdirSync(join(daemon.dataRoot, 'build', 'cache', 'stray'));
  await daemon.kill9();
  await daemon.start();
  t.same(await caches(daemon), rows);
  t.equal(folders(daemon).length, 2, 'what no row names is gone');
  t.match((await build(daemon, line)).text, 'again\nagain\nagain\n');
});

test('prune takes caches by type, id and age, as far as sizes say', async (t) => {
  const daemon = await world(t);
  const all = filling('a', 100) + filling('b', 200) + filling('c', 300);
  const names = async (): Promise<string> =>
    (await caches(daemon)).map(({ Description }) => /"(.)"/.exec(Description)?.[1]).join('');
  const kib = (count: number): string => String(count * 1024);
  await build(daemon, all);
  await prune(daemon, { all: '1' }, { type: ['regular'] });
  t.equal(await names(), 'abc');
  t.same(await prune(daemon, {}, { until: ['24h'], type: ['exec.cachemount'] }), {
    gone: [], bytes: 0,
  });
  t.same(await prune(daemon, { 'reserved-space': kib(600) }), { gone: [], bytes: 0 });
  const { ID = '' } = (await caches(daemon))[1] ?? {};
  t.same(await prune(daemon, {}, { id: [ID] }), { gone: [ID], bytes: 200 * 1024 });
  t.equal(await names(), 'ac');
  t.equal((await prune(daemon, { 'keep-storage': kib(350) })).bytes, 100 * 1024, 'the oldest');
  t.equal(await names(), 'c');
  await build(daemon, all);
  await prune(daemon, { all: '1' }, { type: ['regular'] });
  t.same(await prune(daemon, { 'min-free-space': '1' }), { gone: [], bytes: 0 }, 'it is free');
  t.equal((await prune(daemon, { 'max-used-space': kib(500) })).bytes, 100 * 1024);
  const most = { 'min-free-space': String(2 ** 52), 'reserved-space': kib(300) };
  t.equal((await prune(daemon, most)).bytes, 200 * 1024, 'what is reserved stays');
  t.equal(await names(), 'c');
  t.equal((await prune(daemon, {}, { type: ['exec.cachemount'] })).bytes, 300 * 1024);
  t.same([await names(), folders(daemon)], ['', []]);
});

test('a cache that a step has is not pruned', async (t) => {
  const daemon = await world(t);
  const ending = new AbortController();
  const sleeping = build(daemon, 'RUN --mount=type=cache,target=/c sleep 600\n', ending.signal);
  sleeping.catch(() => undefined);
  await until(async () => (await caches(daemon)).some(({ InUse }) => InUse));
  t.same((await prune(daemon, { all: '1' })).gone, []);
  t.equal(folders(daemon).length, 1);
  const waits = new AbortController();
  const locked = 'RUN --mount=type=cache,sharing=locked,target=/c true\n';
  const waiting = build(daemon, locked, waits.signal);
  waiting.catch(() => undefined);
  await pause(300);
  waits.abort();
  await t.rejects(waiting, 'who waits can leave');
  t.match(await caches(daemon), [{ UsageCount: 1, InUse: true }]);
  ending.abort();
  await t.rejects(sleeping);
  await until(async () => (await caches(daemon)).every(({ InUse }) => !InUse));
  t.equal((await prune(daemon, {})).gone.length, 1);
});

/** Two builds at once, each in a cache of its own way; what each of them says. */
async function together(daemon: TestDaemon, sharing: string, command: string): Promise<unknown> {
  const meet = '--mount=type=cache,id=meet,target=/meet';
  const one = (me: string, other: string): Promise<BuildAnswer> =>
    build(
      daemon,
      `RUN ${meet} --mount=type=cache,id=${sharing},sharing=${sharing},target=/c ` +
        `me=${me}; other=${other}; ${command}\n`,
    );
  const answers = await Promise.all([one('a', 'b'), one('b', 'a')]);
  return answers.map(({ text }) => /^said (.*)/m.exec(text)?.[1]);
}

test('shared is with others, private is alone, locked is one after the other', async (t) => {
  const daemon = await world(t);
  const meeting =
    'touch /c/$me; touch /meet/$me; until test -e /meet/$other; do usleep 20000; done; ' +
    'echo said $(ls /c)';
  t.same(await together(daemon, 'shared', meeting), ['a b', 'a b']);
  await prune(daemon, {});
  t.same(await together(daemon, 'private', meeting), ['a', 'b']);
  t.equal((await caches(daemon)).length, 3, 'each has had its own');
  const alone = 'mkdir /c/in && usleep 300000 && rmdir /c/in && echo said ok';
  t.same(await together(daemon, 'locked', alone), ['ok', 'ok']);
  const shared = build(
    daemon,
    'RUN --mount=type=cache,id=x,target=/c touch /c/in; usleep 500000; rm /c/in\n',
  );
  await until(async () => (await caches(daemon)).some((row) => row.InUse));
  const locked = 'RUN --mount=type=cache,id=x,sharing=locked,target=/c echo said $(ls /c) end\n';
  t.match((await build(daemon, locked)).text, /^said end/m, 'locked waits for those who share');
  t.match((await shared).text, 'Successfully built');
});

test('steps that lock the same caches in another order do not wait for ever', async (t) => {
  const daemon = await world(t);
  const lock = (id: string): string =>
    `--mount=type=cache,id=${id},sharing=locked,target=/${id} `;
  const line = (ids: readonly string[]): string =>
    `RUN ${ids.map(lock).join('')}mkdir /x/in /y/in && usleep 50000 && rmdir /x/in /y/in\n`;
  const orders = [['x', 'y'], ['y', 'x'], ['x', 'y'], ['y', 'x']];
  const answers = await Promise.all(orders.map((ids) => build(daemon, line(ids).repeat(3))));
  for (const answer of answers) t.match(answer.text, 'Successfully built');
  const twice = lock('x') + lock('x').replace('/x', '/same');
  const one = await build(daemon, `RUN ${twice}touch /x/f; ls /same; rm /x/f\n`);
  t.match(one.text, /^f$/m, 'a step waits for no cache that it has');
});

test('a cache may begin with what a stage has', async (t) => {
  const daemon = await world(t);
  const Dockerfile =
    `${base.trim()} AS seed\nRUN mkdir /d && echo seed > /d/x && chown 7:8 /d\n${base}` +
    'RUN --mount=type=cache,from=seed,source=/d,target=/c ' +
    'stat -c "%u %g" /c; cat /c/x; echo more >> /c/x\n';
  const options = { files: { Dockerfile }, query: { nocache: '1' } };
  t.match((await buildOn(daemon.socket, options)).text, '7 8\nseed\n');
  t.match((await buildOn(daemon.socket, options)).text, 'seed\nmore\n', 'once');
});

test('the cache stays within its bounds by itself', async (t) => {
  const daemonJson = { builder: { gc: { enabled: true, defaultKeepStorage: '350kb' } } };
  const daemon = await world(t, { daemonJson });
  await build(daemon, filling('a', 100) + filling('b', 200) + filling('c', 300));
  await until(async () => (await caches(daemon)).length === 1 && folders(daemon).length === 1);
  t.match(await caches(daemon), [{ Description: /"c"/ }]);
});

test('policies say what goes first, and what may stay', async (t) => {
  const policy = [
    { filter: { description: { 'nothing has this': true } }, keepStorage: '1kb' },
    { filter: ['type=exec.cachemount'], keepStorage: '350kb', all: true },
  ];
  const daemon = await world(t, { daemonJson: { builder: { gc: { enabled: true, policy } } } });
  t.notMatch(daemon.log(), 'has no effect');
  await build(daemon, filling('a', 100) + filling('b', 200) + filling('c', 300));
  await until(async () => (await caches(daemon)).length === 1 && folders(daemon).length === 1);
  t.match(await caches(daemon), [{ Description: /"c"/ }]);
  const usage = (await daemon.api.get('/system/df?type=build-cache')).json;
  const { BuildCache } = usage as { BuildCache: readonly BuildCache[] };
  t.equal(BuildCache.filter(({ Type }) => Type === 'regular').length, 3, 'steps are not named');
});
