/** The store as others see it: by skopeo and umoci, in place, and by what lies on the disk. */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'tap';
import { bytesBelow } from '../support/bytes-below.js';
import { lacking, packageFolder } from '../support/debian-package.js';
import { buildImage } from '../support/image-builder.js';
import { scene } from '../support/registry-scene.js';
import { skopeo, temporaryFolder } from '../support/skopeo.js';
import { tarOf } from '../support/tar.js';

const run = promisify(execFile);
const layers = [
  tarOf([
    { name: 'etc/', type: '5' },
    { name: 'etc/one', content: 'one' },
    { name: 'etc/same', type: '1', link: 'etc/one' },
    { name: 'big', content: Buffer.alloc(300_000, 'b') },
  ]),
  tarOf([
    { name: 'etc/two', content: 'two' },
    { name: '.wh.big', content: '' },
  ]),
];
const image = buildImage(layers, { config: { Labels: { team: 'blue' } } });

const skip = lacking('skopeo', 'umoci');

test('other tools read the layout in place', { skip }, async (t) => {
  const { server, world } = await scene(t);
  server.serve('team/app', '1', image);
  const name = `${server.host}/team/app:1`;
  await world.pull(name);
  await world.images.tag(name, { repo: 'app', tag: 'two' });
  const layout = join(world.directory, 'image');

  await t.test('skopeo sees each tag, and copies the image', async (t) => {
    const target = join(await temporaryFolder(t), 'copy');
    for (const tag of [name, 'docker.io/library/app:two']) {
      const source = `oci:${layout}:${tag}`;
      const config = await skopeo(t, ['inspect', '--config', source]);
      t.match(JSON.parse(config), { config: { Labels: { team: 'blue' } } }, tag);
    }
    await skopeo(t, ['copy', `oci:${layout}:${name}`, `dir:${target}`]);
    // Both layers, the config, the manifest and a version.
    t.equal((await readdir(target)).length, 5);
  });

  await t.test('umoci unpacks it', async (t) => {
    const umoci = join(await packageFolder('umoci'), 'usr/bin/umoci');
    const bundle = join(await temporaryFolder(t), 'bundle');
    const { stdout } = await run(umoci, ['list', '--layout', layout]);
    t.ok(stdout.split('\n').includes(name), stdout);
    await run(umoci, ['unpack', '--image', `${layout}:${name}`, bundle]);
    const root = join(bundle, 'rootfs');
    t.same((await readdir(join(root, 'etc'))).sort(), ['one', 'same', 'two']);
    t.notOk((await readdir(root)).includes('big'));
  });
});

test('sizes are those of the files on disk, each layer counted once', async (t) => {
  const { server, world } = await scene(t);
  const other = buildImage([...layers, tarOf([{ name: 'three', content: 'three' }])]);
  server.serve('r', '1', image);
  server.serve('r', '2', other);
  await world.pull(`${server.host}/r:1`);
  await world.pull(`${server.host}/r:2`);
  const onDisk = (): Promise<number> =>
    bytesBelow(join(world.directory, 'storage', world.driver.name, 'layers'));
  t.equal(world.images.layersSizeBytes(), await onDisk());
  t.equal(world.images.layersSizeBytes(), 300_000 + 'onetwothree'.length);

  await world.images.remove(`${server.host}/r:2`, { force: false, noprune: false });
  t.equal(world.images.layersSizeBytes(), await onDisk());
  await world.images.remove(`${server.host}/r:1`, { force: false, noprune: false });
  t.equal(world.images.layersSizeBytes(), 0);
  t.equal(await onDisk(), 0);
});
