/** What counts as cache, for how long, and what pruning takes. */
import type { Test } from 'tap';
import { test } from 'tap';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildOn, type BuildAnswer, type BuildOptions } from '../support/builds.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';

const base = 'FROM tsdocker-demo\n';
const hits = ({ text: said }: BuildAnswer): number => said.split(' ---> Using cache').length - 1;

async function world(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return daemon;
}

interface Row {
  readonly ID: string;
  readonly Type: string;
  readonly Description: string;
  readonly Shared: boolean;
  readonly Size: number;
  readonly UsageCount: number;
}

async function rows({ api }: TestDaemon): Promise<readonly Row[]> {
  const usage = (await api.get('/system/df?type=build-cache')).json;
  return (usage as { BuildCache: readonly Row[] | null }).BuildCache ?? [];
}

async function prune({ api }: TestDaemon, query: Record<string, string>) {
  const answer = await api.post(`/build/prune?${new URLSearchParams(query).toString()}`);
  const { CachesDeleted, SpaceReclaimed } = answer.json;
  return { gone: (CachesDeleted ?? []) as string[], bytes: Number(SpaceReclaimed) };
}

function load(socketPath: string, archive: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path: '/images/load', method: 'POST' }, (answer) => {
      text(answer).then(resolve, reject);
    });
    sent.once('error', reject).end(archive);
  });
}

test('an image is cache only if --cache-from names it, as far as it is the same', async (t) => {
  const one = await world(t);
  const uuid = 'cat /proc/sys/kernel/random/uuid';
  const Dockerfile = `${base}RUN ${uuid} > /u\nENV X=1\nRUN echo 2 > /two\n`;
  const made: BuildOptions = { files: { Dockerfile }, query: { t: 'origin' } };
  const origin = await buildOn(one.socket, made);
  const archive = (await one.api.get('/images/get?names=origin&names=tsdocker-demo')).bytes;
  const two = await startDaemon(t);
  t.match(await load(two.socket, archive), 'Loaded image');
  t.equal(hits(await buildOn(two.socket, { files: { Dockerfile } })), 0, 'it is not asked for');
  await prune(two, { all: '1' });
  const query = { cachefrom: JSON.stringify(['absent', 'origin']) };
  const cached = await buildOn(two.socket, { files: { Dockerfile }, query });
  t.equal(hits(cached), 3);
  t.equal(cached.imageId, origin.imageId, 'and it is the same image');
  const changed = Dockerfile.replace('X=1', 'X=2');
  t.equal(hits(await buildOn(two.socket, { files: { Dockerfile: changed }, query })), 1);
  const other = `FROM scratch\n${Dockerfile.slice(base.length)}`;
  const unfit = await buildOn(two.socket, { files: { Dockerfile: other }, query });
  t.equal(hits(unfit), 0, 'another base is another history');
});

test('the same history over other layers is no hit', async (t) => {
  const daemon = await world(t);
  const Dockerfile = `${base}RUN echo 1 > /one\nRUN echo 2 > /two\n`;
  await buildOn(daemon.socket, { files: { Dockerfile }, query: { t: 'poison' } });
  // The same instructions, on a base that only has the same name.
  const evil = { Dockerfile: `${base}RUN echo evil > /bin/evil\n` };
  await buildOn(daemon.socket, { files: evil, query: { t: 'tsdocker-demo' } });
  await prune(daemon, { all: '1' });
  const query = { cachefrom: JSON.stringify(['poison']) };
  t.equal(hits(await buildOn(daemon.socket, { files: { Dockerfile }, query })), 0);
});

test('prune takes what its filters say', async (t) => {
  const daemon = await world(t);
  const Dockerfile =
    `${base}RUN head -c 100000 /dev/urandom > /r\nCOPY a /a\n` +
    'RUN --mount=type=cache,target=/c true\nLABEL mark=mine\n';
  const made = { files: { Dockerfile, a: 'A' }, query: { t: 'kept' } };
  await buildOn(daemon.socket, made);
  const filters = (value: object): Record<string, string> => ({ filters: JSON.stringify(value) });
  const all = await rows(daemon);
  const types = ['exec.cachemount', 'regular', 'regular', 'regular', 'source.local'];
  t.same(all.map(({ Type }) => Type).sort(), types);
  const only = async (what: object): Promise<number> =>
    (await prune(daemon, { all: '1', ...filters(what) })).gone.length;
  t.equal(await only({ until: ['24h'] }), 0, 'nothing is that old');
  t.equal(await only({ 'unused-for': ['24h'] }), 0);
  t.equal(await only({ id: ['0000'] }), 0);
  t.equal(await only({ inuse: ['true'] }), 0);
  t.equal(await only({ type: ['source.local'] }), 1);
  t.equal(await only({ description: ['mark=mine'] }), 1);
  const [row] = await rows(daemon);
  t.equal(await only({ id: [row?.ID ?? ''] }), 1);
  t.equal((await rows(daemon)).length, 2);
  await buildOn(daemon.socket, made);
  await sleep(1100);
  const before = await rows(daemon);
  t.ok(before.length > 1);
  t.equal(await only({ until: ['1s'] }), before.length, 'all are older than a second');
  const nonsense = encodeURIComponent('{"until":["x"]}');
  const wrong = await daemon.api.post(`/build/prune?filters=${nonsense}`);
  t.equal(wrong.status, 400);
});

test('prune leaves what images stand on, and keeps so much storage', async (t) => {
  const daemon = await world(t);
  const kib = (name: string, count: number): string =>
    `RUN head -c ${count * 1024} /dev/urandom > /${name}\n`;
  const Dockerfile = `${base}${kib('a', 100)}${kib('b', 200)}${kib('c', 300)}`;
  await buildOn(daemon.socket, { files: { Dockerfile }, query: { t: 'kept' } });
  t.same(await prune(daemon, {}), { gone: [], bytes: 0 }, 'the image stands on all of it');
  await daemon.api.delete('/images/kept?force=1');
  const kept = await prune(daemon, { all: '1', 'keep-storage': String(550 * 1024) });
  t.equal(kept.gone.length, 1, 'the oldest goes first');
  t.equal(kept.bytes, 100 * 1024);
  t.same((await rows(daemon)).map(({ Size }) => Size).sort(), [200 * 1024, 300 * 1024].sort());
  const rest = await prune(daemon, {});
  t.equal(rest.bytes, 500 * 1024);
  t.same(await rows(daemon), []);
});
