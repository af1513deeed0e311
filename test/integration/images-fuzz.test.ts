/** Documents of images with anything in any place: refused, or an image that can be looked at. */
import { Readable } from 'node:stream';
import { test } from 'tap';
import { ApiError } from '../../api-spec/errors.js';
import { buildImage, digest } from '../support/image-builder.js';
import { openImageWorld } from '../support/image-world.js';
import { ociManifest, scene } from '../support/registry-scene.js';
import { tarOf } from '../support/tar.js';

const never = new AbortController().signal;
const tar = tarOf([{ name: 'file', content: 'content' }]);
const image = buildImage([tar], {
  config: {
    Env: ['A=b'],
    Labels: { a: 'b' },
    Volumes: { '/v': {} },
    ExposedPorts: { '80/tcp': {} },
    Healthcheck: { Test: ['CMD', 'x'], Interval: 1_000_000_000 },
  },
});

const strange: readonly unknown[] = [
  null,
  -1,
  2 ** 60,
  0.5,
  '',
  '../../x',
  'x'.repeat(70_000),
  true,
  [],
  [null],
  {},
  { '': null },
  { constructor: 1, toString: 2 },
  ['a', ['b']],
];

/** Every copy of a JSON value in which one place holds something else, or is not there. */
function* mutations(value: unknown): Generator {
  yield* strange;
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    for (const other of mutations(child)) yield withChild(value, key, other);
    yield withChild(value, key, undefined);
  }
}

function withChild(value: object, key: string, child: unknown): unknown {
  if (Array.isArray(value)) {
    const list: readonly unknown[] = value;
    return list.map((each, at) => (String(at) === key ? child : each));
  }
  return { ...value, [key]: child };
}

/** As many as a test may take, spread over all of them. */
function sample(document: Buffer, count: number): readonly Buffer[] {
  const parsed: unknown = JSON.parse(document.toString('utf8'));
  const all = [...mutations(parsed)].map((each) => Buffer.from(JSON.stringify(each)));
  const step = Math.max(1, all.length / count);
  return Array.from({ length: Math.min(count, all.length) }, (_, at) => {
    return all[Math.floor(at * step)] ?? Buffer.alloc(0);
  });
}

test('a manifest with anything in any place', async (t) => {
  const { server, world } = await scene(t);
  server.serve('r', '1', image);
  let kept = 0;
  for (const bytes of sample(image.manifest, 150)) {
    server.manifests.set('r:1', { bytes, mediaType: ociManifest });
    try {
      await world.pull(`${server.host}/r:1`);
      kept += 1;
      await world.images.inspect(`${server.host}/r:1`, { manifests: true });
      await world.images.remove(`${server.host}/r:1`, { force: true, noprune: false });
    } catch (error) {
      if (!(error instanceof ApiError)) t.fail(`${String(error)}: ${bytes.toString('utf8')}`);
    }
  }
  t.ok(kept > 0, 'what does not matter is not refused');
  t.same(await world.images.list({ filters: {}, sharedSize: false }), []);
  await world.images.recover();
  t.same(await world.content.digests(), []);
  t.same(await world.unpacked(), []);
});

test('a config with anything in any place', async (t) => {
  const world = await openImageWorld();
  t.teardown(() => world.close());
  let kept = 0;
  for (const config of sample(image.config, 250)) {
    const manifest = [{ Config: 'c', RepoTags: ['app:1'], Layers: ['l'] }];
    const archive = tarOf([
      { name: 'l', content: tar },
      { name: 'c', content: config },
      { name: 'manifest.json', content: JSON.stringify(manifest) },
    ]);
    const sink = async (): Promise<void> => undefined;
    const body = Readable.from([archive]);
    try {
      await world.images.load({ body, quiet: true, platforms: [], sink, signal: never });
      kept += 1;
      t.equal(world.images.resolve('app:1').id, digest(config));
      await world.images.inspect('app:1');
      await world.images.history('app:1');
      await world.images.list({ filters: { label: ['a=b'] }, sharedSize: true });
      await world.images.remove('app:1', { force: true, noprune: false });
    } catch (error) {
      const text = config.toString('utf8').slice(0, 500);
      if (!(error instanceof ApiError)) t.fail(`${String(error)}: ${text}`);
    }
  }
  t.ok(kept > 0, 'what does not matter is not refused');
  t.same(await world.images.list({ filters: {}, sharedSize: false }), []);
  t.same(await world.content.digests(), []);
  t.same(await world.unpacked(), []);
  t.same(await world.leftovers(), []);
});

test('a client that leaves in the middle of a load leaves nothing', async (t) => {
  const world = await openImageWorld();
  t.teardown(() => world.close());
  const leaving = new AbortController();
  const archive = tarOf([
    { name: 'l', content: tar },
    { name: 'big', content: Buffer.alloc(200_000) },
  ]);
  async function* stalling(): AsyncGenerator<Buffer> {
    yield archive.subarray(0, 100_000);
    setTimeout(() => leaving.abort(new Error('left')), 200);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  const body = Readable.from(stalling(), { objectMode: false });
  const sink = async (): Promise<void> => undefined;
  const loading = world.images.load({
    body,
    quiet: true,
    platforms: [],
    sink,
    signal: leaving.signal,
  });
  await t.rejects(loading, { message: 'left' });
  t.same(await world.content.digests(), []);
  t.same(await world.unpacked(), []);
  t.same(await world.leftovers(), []);
});
