/** `GET /system/df` says what lies on the disk: layers once, containers, volumes and the cache. */
import { join } from 'node:path';
import { test, type Test } from 'tap';
import type { SystemDataUsageResponse } from '../../api-spec/index.js';
import { buildOn } from '../support/builds.js';
import { bytesBelow } from '../support/bytes-below.js';
import { run } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';

const zeros = (bytes: number, path: string): string => `head -c ${bytes} /dev/zero > ${path}`;

async function build({ socket }: TestDaemon, t: string, Dockerfile: string): Promise<void> {
  const { text } = await buildOn(socket, { files: { Dockerfile }, query: { t } });
  if (!text.includes('Successfully built')) throw new Error(text);
}

/** A base, one image on the other, one with a stage that only the cache keeps. */
async function world(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  const linked = `${zeros(100_000, '/a')} && ln /a /b && ln -s /a /c`;
  await build(daemon, 'one', `FROM tsdocker-demo\nRUN ${linked}\n`);
  await build(daemon, 'two', `FROM one\nRUN ${zeros(5000, '/d')} && rm /a\n`);
  const staged = `FROM tsdocker-demo AS x\nRUN ${zeros(7777, '/x')}\n`;
  await build(daemon, 'three', `${staged}FROM tsdocker-demo\nCOPY --from=x /x /y\n`);
  return daemon;
}

async function usage({ api }: TestDaemon, query = ''): Promise<SystemDataUsageResponse> {
  return (await api.get(`/system/df${query}`)).json as SystemDataUsageResponse;
}

const onDisk = ({ dataRoot }: TestDaemon): Promise<number> =>
  bytesBelow(join(dataRoot, 'storage', 'overlay', 'layers'));

test('system df is true to the byte counts on disk', async (t) => {
  const daemon = await world(t);
  const { api } = daemon;
  const base = (await api.get('/images/tsdocker-demo/json')).json as { readonly Size: number };

  await t.test('layers are counted once, those of the cache among them', async (t) => {
    const { LayersSize } = await usage(daemon);
    t.equal(LayersSize, await onDisk(daemon));
    t.equal(LayersSize, base.Size + 100_000 + 5000 + 2 * 7777);
  });

  await t.test('an image is as large as its layers, and shares those of others', async (t) => {
    const { Images } = await usage(daemon);
    const rows = (Images ?? []).map(({ RepoTags: [name], Size, SharedSize }): unknown => [
      name,
      Size - base.Size,
      SharedSize - base.Size,
    ]);
    t.same(rows.sort(), [
      ['one:latest', 100_000, 100_000],
      ['three:latest', 7777, 0],
      ['tsdocker-demo:latest', 0, 0],
      ['two:latest', 105_000, 100_000],
    ]);
  });

  await t.test('of the cache, what is not shared is its own', async (t) => {
    const { BuildCache } = await usage(daemon);
    const own = (BuildCache ?? []).filter(({ Shared }) => !Shared).map(({ Size }) => Size);
    t.equal(own.reduce((sum, size) => sum + size, 0), 7777);
  });

  await t.test('containers and volumes are what was written to them', async (t) => {
    const script = `${zeros(3000, '/w')}; ${zeros(4321, '/v/f')}; ln /v/f /v/g`;
    const id = await run(daemon, { command: ['sh', '-c', script], host: { Binds: ['data:/v'] } });
    await api.post(`/containers/${id}/wait`);
    const { Containers, Volumes: volumes } = await usage(daemon);
    t.match(Containers, [{ SizeRw: 3000, SizeRootFs: base.Size + 3000 }]);
    t.match(volumes, [{ Name: 'data', UsageData: { Size: 4321, RefCount: 1 } }]);
    t.equal(await bytesBelow(join(daemon.dataRoot, 'volumes', 'data')), 4321);
  });

  await t.test('type= tells of these kinds alone', async (t) => {
    const kinds = { container: 'Containers', image: 'Images', volume: 'Volumes' } as const;
    for (const [type, key] of Object.entries(kinds)) {
      const { LayersSize, ...told } = await usage(daemon, `?type=${type}`);
      const there = Object.entries(told).filter(([, rows]) => (rows as object | null) !== null);
      t.same(there.map(([name]) => name), [key]);
      t.equal((LayersSize ?? 0) > 0, type === 'image');
    }
  });

  await t.test('what is pruned is not there any more', async (t) => {
    const { Containers } = await usage(daemon);
    for (const { Id } of Containers ?? []) await api.delete(`/containers/${Id}?force=1&v=1`);
    const before = await onDisk(daemon);
    const cache = (await api.post('/build/prune?all=1')).json as { SpaceReclaimed: number };
    t.equal(cache.SpaceReclaimed, 7777);
    const filters = encodeURIComponent(JSON.stringify({ dangling: ['false'] }));
    const images = await api.post(`/images/prune?filters=${filters}`);
    t.match(images.json, { SpaceReclaimed: before - 7777 });
    t.equal(await onDisk(daemon), 0);
    t.match(await usage(daemon), { LayersSize: 0 });
  });
});
