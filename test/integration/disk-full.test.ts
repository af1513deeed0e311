/** A disk that fills up in the middle: a clear error, nothing registered, temporary files gone. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { test, type Test } from 'tap';
import { buildImage } from '../support/image-builder.js';
import { openImageWorld, type ImageWorld } from '../support/image-world.js';
import { importTar } from '../support/import-tar.js';
import { startLyingRegistry } from '../support/lying-registry.js';
import { expectNothing } from '../support/registry-scene.js';
import { tarOf } from '../support/tar.js';

const run = promisify(execFile);
const skip = process.geteuid?.() === 0 ? false : 'mounts need root';
const signal = new AbortController().signal;
const megabyte = 2 ** 20;

/** A data root of so many megabytes, 64 of which the engine leaves alone. */
async function smallWorld(t: Test, megabytes: number): Promise<ImageWorld> {
  const directory = await mkdtemp(join(tmpdir(), 'tsdocker-full-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory]);
  t.teardown(() => run('umount', ['-l', directory]));
  const world = await openImageWorld({ directory });
  t.teardown(() => world.end());
  return world;
}

/** Small as it comes, large when it is unpacked. */
const swelling = tarOf([{ name: 'letters', content: Buffer.alloc(90 * megabyte, 'x') }]);
/** As large as it comes. */
const random = tarOf([{ name: 'random', content: randomBytes(40 * megabyte) }]);
const noSpace = { kind: 'NoSpace', message: /no space left on device/ };

test('a pull that does not fit', { skip }, async (t) => {
  const server = await startLyingRegistry();
  t.teardown(() => server.stop());

  await t.test('by what it announces is refused before it begins', async (t) => {
    const world = await smallWorld(t, 90);
    server.serve('r', 'large', buildImage([random], { gzipLevel: 0 }));
    await t.rejects(world.pull(`${server.host}/r:large`), {
      kind: 'NoSpace',
      message: /^not enough space in .*: the image needs at least \d+ bytes, \d+ are free$/,
    });
    await expectNothing(t, world);
  });

  await t.test('once it is unpacked ends with a clear error', async (t) => {
    const world = await smallWorld(t, 100);
    const small = tarOf([{ name: 'small', content: 'small' }]);
    server.serve('r', 'swelling', buildImage([small, swelling]));
    await t.rejects(world.pull(`${server.host}/r:swelling`), noSpace);
    // What came whole is kept for the next attempt, a day at most.
    t.same(await world.images.list({ filters: {}, sharedSize: false }), []);
    t.same(await world.content.digests(), []);
    t.same(await world.unpacked(), []);
    t.ok((await world.leftovers()).every((name) => name.startsWith('partial-')));

    // What was half unpacked goes in the background.
    const { directory } = world;
    for (let waited = 0; waited < 100; waited += 1) {
      const { bavail, bsize } = await statfs(directory);
      if (bavail * bsize > 90 * megabyte) break;
      await pause(100);
    }
    server.serve('r', 'small', buildImage([small]));
    await world.pull(`${server.host}/r:small`);
    t.ok(world.images.resolve(`${server.host}/r:small`), 'what fits still does');
  });
});

for (const [what, megabytes, layer] of [
  ['as it comes', 30, random],
  ['once it is unpacked', 100, gzipSync(swelling)],
] as const) {
  test(`a load that does not fit ${what}`, { skip }, async (t) => {
    const world = await smallWorld(t, megabytes);
    const image = buildImage([what === 'as it comes' ? random : swelling]);
    const archive = tarOf([
      { name: 'layer.tar', content: layer },
      { name: 'config.json', content: image.config },
      {
        name: 'manifest.json',
        content: JSON.stringify([
          { Config: 'config.json', RepoTags: ['app:1'], Layers: ['layer.tar'] },
        ]),
      },
    ]);
    const body = Readable.from([archive]);
    const sink = async (): Promise<void> => undefined;
    const loading = world.images.load({ body, quiet: true, platforms: [], sink, signal });
    await t.rejects(loading, noSpace);
    await expectNothing(t, world);
  });

  test(`an import that does not fit ${what}`, { skip }, async (t) => {
    const world = await smallWorld(t, megabytes);
    const importing = importTar(world.images, layer);
    await t.rejects(importing, noSpace);
    await expectNothing(t, world);
  });
}
