/** Archives and layers in every compression that Docker takes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { test, type Test } from 'tap';
import type { JsonMessage } from '../../api-spec/index.js';
import { bzip2Bytes, xzBytes, zstdBytes } from '../support/compressed.js';
import { buildImage, digest } from '../support/image-builder.js';
import { openImageWorld, type ImageWorld } from '../support/image-world.js';
import { importTar } from '../support/import-tar.js';
import { scene } from '../support/registry-scene.js';
import { tarOf } from '../support/tar.js';

const signal = new AbortController().signal;
const layer = tarOf([{ name: 'one', content: 'one'.repeat(1000) }]);
const image = buildImage([layer]);
const compressions = {
  none: (bytes: Buffer): Buffer => bytes,
  gzip: (bytes: Buffer): Buffer => gzipSync(bytes),
  zstd: zstdBytes,
  xz: xzBytes,
  bzip2: bzip2Bytes,
};

async function world(t: Test): Promise<ImageWorld> {
  const opened = await openImageWorld();
  t.teardown(() => opened.close());
  return opened;
}

const archiveOf = (stored: Buffer): Buffer =>
  tarOf([
    { name: 'layer.tar', content: stored },
    { name: 'config.json', content: image.config },
    {
      name: 'manifest.json',
      content: JSON.stringify([
        { Config: 'config.json', RepoTags: ['app:1'], Layers: ['layer.tar'] },
      ]),
    },
  ]);

async function load({ images }: ImageWorld, archive: Buffer): Promise<readonly JsonMessage[]> {
  const lines: JsonMessage[] = [];
  await images.load({
    body: Readable.from([archive]),
    quiet: true,
    platforms: [],
    sink: async (message) => void lines.push(message),
    signal,
  });
  return lines;
}

/** The media types of an image's layers, as a registry would get them. */
async function typesOf({ content, index }: ImageWorld): Promise<readonly string[]> {
  const [entry] = await index();
  const text = await content.readAll(entry?.digest ?? '', 100_000);
  // Written by the engine in this shape.
  const { layers } = JSON.parse(text.toString('utf8')) as { layers: { mediaType: string }[] };
  return layers.map(({ mediaType }) => mediaType);
}

const plain = 'application/vnd.oci.image.layer.v1.tar';
const kept = { none: plain, gzip: `${plain}+gzip`, zstd: `${plain}+zstd`, xz: plain, bzip2: plain };

for (const [name, compress] of Object.entries(compressions)) {
  // A key of both tables.
  const type = kept[name as keyof typeof kept];

  test(`an archive that is ${name} is loaded`, async (t) => {
    const opened = await world(t);
    const loaded = [{ stream: 'Loaded image: app:1\n' }];
    t.same(await load(opened, compress(archiveOf(layer))), loaded);
    t.equal(opened.images.resolve('app:1').id, image.id);
    t.same(await opened.leftovers(), []);
  });

  test(`a layer in an archive that is ${name} is loaded, as registries take it`, async (t) => {
    const opened = await world(t);
    await load(opened, archiveOf(compress(layer)));
    t.equal(opened.images.resolve('app:1').id, image.id);
    t.same(await typesOf(opened), [type]);
    t.same(await opened.leftovers(), []);
  });

  test(`a tar that is ${name} is imported`, async (t) => {
    const opened = await world(t);
    await importTar(opened.images, compress(layer));
    t.match(await opened.images.inspect('in:1'), { RootFS: { Layers: [digest(layer)] } });
    t.same(await typesOf(opened), [type]);
    t.same(await opened.leftovers(), []);
  });
}

test('layers that are plain, gzip and zstd are pulled', async (t) => {
  const { server, world: pulling } = await scene(t);
  const tars = ['a', 'b', 'c'].map((name) => tarOf([{ name, content: name }]));
  const [a, b, c] = tars.map((tar, at) =>
    [Buffer.from(tar), gzipSync(tar), zstdBytes(tar)][at] ?? tar,
  );
  const built = buildImage(tars, {
    manifest: {
      layers: [
        { bytes: a, suffix: '' },
        { bytes: b, suffix: '+gzip' },
        { bytes: c, suffix: '+zstd' },
      ].map(({ bytes = Buffer.alloc(0), suffix }) => {
        server.blobs.set(digest(bytes), bytes);
        return { mediaType: plain + suffix, digest: digest(bytes), size: bytes.length };
      }),
    },
  });
  server.serve('r', '1', built);
  await pulling.pull(`${server.host}/r:1`);
  t.equal(pulling.images.resolve(`${server.host}/r:1`).id, built.id);
  t.equal((await pulling.unpacked()).length, 3);
});

test('damage and ends that come too early are told, and nothing stays', async (t) => {
  for (const [name, compress] of Object.entries(compressions)) {
    if (name === 'none') continue;
    const opened = await world(t);
    const whole = compress(archiveOf(layer));
    await t.rejects(load(opened, whole.subarray(0, whole.length - 20)), { name: 'ApiError' }, name);
    t.same(await opened.content.digests(), []);
    t.same(await opened.unpacked(), []);
    t.same(await opened.leftovers(), []);
  }
});

test('a tar is imported from a URL, or its absence told', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: '/tar' }).end();
    else if (request.url === '/tar') response.end(gzipSync(layer));
    else response.writeHead(404).end('nothing here');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  // A server that listens on a port has an AddressInfo.
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const opened = await world(t);
  const lines: JsonMessage[] = [];
  const bring = (source: string): Promise<void> =>
    importTar(opened.images, Buffer.alloc(0), {
      source,
      sink: async (message) => void lines.push(message),
    });
  await bring(`${base}/moved`);
  t.same(lines[0], { status: `Downloading from ${base}/moved` });
  t.match(await opened.images.inspect('in:1'), {
    Comment: `Imported from ${base}/moved`,
    RootFS: { Layers: [digest(layer)] },
  });
  await t.rejects(bring(`${base}/none`), {
    kind: 'System',
    message: `failed to GET ${base}/none with status 404 Not Found: nothing here`,
  });
  const message = 'invalid source of an import: "ftp://example.com/x.tar"';
  await t.rejects(bring('ftp://example.com/x.tar'), { kind: 'InvalidParameter', message });
});
