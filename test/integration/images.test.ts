import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import type { JsonMessage } from '../../api-spec/index.js';
import { buildImage, digest } from '../support/image-builder.js';
import { openImageWorld, type ImageWorld, type WorldOptions } from '../support/image-world.js';
import { pushImage, startRegistry, type RegistryUnderTest } from '../support/registry.js';
import { tarOf } from '../support/tar.js';

const base = tarOf([
  { name: 'bin/', type: '5' },
  { name: 'bin/true', content: 'one', mode: 0o755 },
]);
const upper = tarOf([
  { name: 'etc/', type: '5' },
  { name: 'etc/motd', content: 'two' },
]);

async function world(t: Test, options?: WorldOptions): Promise<ImageWorld> {
  const opened = await openImageWorld(options);
  t.teardown(() => opened.close());
  return opened;
}

async function registry(t: Test): Promise<RegistryUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), 'tsdocker-registry-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const started = await startRegistry({ directory });
  t.teardown(() => started.stop());
  return started;
}

const statuses = (lines: readonly JsonMessage[], id?: string): readonly string[] =>
  lines.filter((line) => id === undefined || line.id === id).map((line) => line.status ?? '');

test('images from a real registry', async (t) => {
  const server = await registry(t);
  const image = buildImage([base, upper]);
  await pushImage(server.host, 'test/app', { ...image, tag: '1' });
  const name = `${server.host}/test/app:1`;

  await t.test('a pull says what Docker says, in its order', async (t) => {
    const { pull, images, events, leftovers } = await world(t);
    const lines = await pull(name);
    const layer = digest(image.layers[0] ?? Buffer.alloc(0)).slice(7, 19);
    t.match(lines[0], { status: 'Pulling from test/app', id: '1' });
    const steps = statuses(lines, layer).filter((one, at, all) => one !== all[at - 1]);
    t.same(steps, [
      'Pulling fs layer',
      'Downloading',
      'Verifying Checksum',
      'Download complete',
      'Extracting',
      'Pull complete',
    ]);
    t.same(statuses(lines).slice(-2), [
      `Digest: ${digest(image.manifest)}`,
      `Status: Downloaded newer image for ${name}`,
    ]);
    t.equal(images.resolve(name).id, image.id);
    t.same(images.resolve(name).config.Cmd, ['/bin/true']);
    t.match(events, [{ action: 'pull', id: name, name: `${server.host}/test/app` }]);
    t.same(await leftovers(), []);
  });

  await t.test('a second pull fetches nothing and says so', async (t) => {
    const { pull } = await world(t);
    await pull(name);
    const lines = await pull(name);
    t.same(statuses(lines), [
      'Pulling from test/app',
      `Digest: ${digest(image.manifest)}`,
      `Status: Image is up to date for ${name}`,
    ]);
  });

  await t.test('a layer that is here already is not fetched again', async (t) => {
    const other = buildImage([base, tarOf([{ name: 'x', content: 'y' }])]);
    await pushImage(server.host, 'test/app', { ...other, tag: '2' });
    const { pull, unpacked } = await world(t);
    await pull(name);
    const lines = await pull(`${server.host}/test/app:2`);
    const shared = digest(image.layers[0] ?? Buffer.alloc(0)).slice(7, 19);
    t.same(statuses(lines, shared), ['Already exists']);
    t.equal((await unpacked()).length, 3);
  });

  await t.test('the layout on disk names the image for other tools', async (t) => {
    const { pull, index, content } = await world(t);
    await pull(name);
    const [entry] = await index();
    t.match(entry, {
      digest: digest(image.manifest),
      annotations: { 'org.opencontainers.image.ref.name': name },
    });
    for (const blob of [image.manifest, image.config, ...image.layers]) {
      t.ok(await content.stat(digest(blob)));
    }
  });

  await t.test('an image outlives a restart', async (t) => {
    const first = await openImageWorld();
    await first.pull(name);
    const second = await first.reopen();
    t.teardown(() => second.close());
    t.equal(second.images.resolve(name).id, image.id);
    t.same(
      await second.driver.reconcile({ layers: second.images.layerKeys(), containers: new Set() }),
      [],
    );
  });

  await t.test('vfs unpacks the layers in order, each over the one beneath', async (t) => {
    const { pull, images, unpacked } = await world(t, { driver: 'vfs' });
    await pull(name);
    t.equal(images.resolve(name).layers.length, 2);
    t.equal((await unpacked()).length, 2);
  });

  await t.test("what is not there is refused in Docker's words", async (t) => {
    const { pull } = await world(t);
    await t.rejects(pull(`${server.host}/test/app:no`), {
      kind: 'NotFound',
      message:
        `manifest for ${server.host}/test/app:no not found: ` +
        'manifest unknown: manifest unknown',
    });
    await t.rejects(pull('127.0.0.1:1/x:y'), {
      kind: 'System',
      message: 'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
    });
    await t.rejects(pull('Upper:1'), {
      kind: 'InvalidParameter',
      message: 'invalid reference format: repository name (library/Upper) must be lowercase',
    });
  });

  await t.test('two pulls at once share the work', async (t) => {
    const { pull, unpacked } = await world(t);
    const [one, two] = await Promise.all([pull(name), pull(name)]);
    t.match(statuses(one).at(-1), /Downloaded newer/);
    t.match(statuses(two).at(-1), /Status: /);
    t.equal((await unpacked()).length, 2);
  });

  await t.test('removing the last name removes everything', async (t) => {
    const { pull, images, content, unpacked, index, events } = await world(t);
    await pull(name);
    const removed = await images.remove(name, { force: false, noprune: false });
    t.match(removed, [
      { Untagged: name },
      { Untagged: `${server.host}/test/app@${digest(image.manifest)}` },
      { Deleted: image.id },
      { Deleted: /^sha256:/ },
      { Deleted: digest(base) },
    ]);
    t.same(await content.digests(), []);
    t.same(await unpacked(), []);
    t.same(await index(), []);
    t.same(
      events.map(({ action }) => action),
      ['pull', 'untag', 'delete'],
      'of a digest that goes along nobody is told',
    );
  });

  await t.test('the last tag of a repository takes its digests along', async (t) => {
    const { pull, images } = await world(t);
    await pull(name);
    await images.tag(name, { repo: 'other', tag: '1' });
    t.match(await images.remove(name, { force: false, noprune: false }), [
      { Untagged: name },
      { Untagged: `${server.host}/test/app@${digest(image.manifest)}` },
    ]);
    t.match(await images.inspect('other:1'), { RepoTags: ['other:1'], RepoDigests: [] });
  });

  await t.test('a pull that meets a removal ends with a whole image or none', async (t) => {
    const { pull, images, content, driver } = await world(t);
    for (let round = 0; round < 8; round += 1) {
      await pull(name);
      const removing = images.remove(name, { force: false, noprune: false });
      await new Promise((resolve) => setTimeout(resolve, round));
      await Promise.allSettled([removing, pull(name)]);
      if (images.count() === 0) continue;
      for (const layer of images.resolve(name).layers) t.ok(await driver.hasLayer(layer));
      for (const blob of [image.manifest, image.config, ...image.layers]) {
        t.ok(await content.stat(digest(blob)));
      }
    }
    t.pass('every round ended');
  });

  await t.test('layers of a container survive the removal of its image', async (t) => {
    const opened = await world(t);
    await opened.pull(name);
    const { layers } = opened.images.resolve(name);
    opened.users = {
      usersOf: () => [{ id: 'c'.repeat(64), running: false }],
      layersInUse: () => new Set(layers),
      blobsInUse: () => new Set(),
    };
    const refused = opened.images.remove(name, { force: false, noprune: false });
    await t.rejects(refused, {
      kind: 'Conflict',
      message:
        `conflict: unable to remove repository reference "${name}" (must force) - container ` +
        `cccccccccccc is using its referenced image ${image.id.slice(7, 19)}`,
    });
    const short = image.id.slice(7, 19);
    await t.rejects(opened.images.remove(short, { force: false, noprune: false }), {
      message:
        `conflict: unable to delete ${short} (must be forced) - ` +
        'image is being used by stopped container cccccccccccc',
    });
    await opened.images.remove(short, { force: true, noprune: false });
    t.equal(opened.images.byId(image.id), undefined);
    t.equal((await opened.unpacked()).length, 2);
    opened.users = { usersOf: () => [], layersInUse: () => new Set(), blobsInUse: () => new Set() };
    await opened.images.releaseLayers(layers);
    t.same(await opened.unpacked(), []);
  });
});
