import { lstat, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { test, type Test } from 'tap';
import type { JsonMessage } from '../../api-spec/index.js';
import { buildImage, digest } from '../support/image-builder.js';
import { openImageWorld, type ImageWorld } from '../support/image-world.js';
import { importTar } from '../support/import-tar.js';
import { tarOf } from '../support/tar.js';

const never = new AbortController().signal;
const layer = tarOf([
  { name: 'tmp/', type: '5', mode: 0o1777 },
  { name: 'tmp/one', content: 'one' },
]);
const image = buildImage([layer], { config: { Labels: { team: 'blue' } } });

async function world(t: Test): Promise<ImageWorld> {
  const opened = await openImageWorld();
  t.teardown(() => opened.close());
  return opened;
}

async function load({ images }: ImageWorld, archive: Buffer): Promise<readonly JsonMessage[]> {
  const lines: JsonMessage[] = [];
  const sink = async (message: JsonMessage): Promise<void> => void lines.push(message);
  await images.load({
    body: Readable.from([archive]),
    quiet: true,
    platforms: [],
    sink,
    signal: never,
  });
  return lines;
}

async function bring({ images }: ImageWorld, body: Buffer, more: object = {}): Promise<string> {
  let id = '';
  await importTar(images, body, {
    repo: '',
    tag: '',
    sink: async ({ status }) => void (id = status ?? ''),
    ...more,
  });
  return id;
}

/** As old and new `docker save` write it. */
function dockerArchive(tags: readonly string[] | null, change: object = {}): Buffer {
  const manifest = [
    { Config: 'config.json', RepoTags: tags, Layers: ['one/layer.tar'], ...change },
  ];
  return tarOf([
    { name: 'one/', type: '5' },
    { name: 'one/layer.tar', content: layer },
    { name: 'config.json', content: image.config },
    { name: 'manifest.json', content: JSON.stringify(manifest) },
  ]);
}

function ociArchive(): Buffer {
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        mediaType,
        digest: digest(image.manifest),
        size: image.manifest.length,
        annotations: { 'io.containerd.image.name': 'docker.io/library/oci:1' },
      },
    ],
  };
  const blobs = [image.manifest, image.config, ...image.layers];
  return tarOf([
    { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { name: 'index.json', content: JSON.stringify(index) },
    ...blobs.map((blob) => ({ name: `blobs/sha256/${digest(blob).slice(7)}`, content: blob })),
  ]);
}

async function expectNothing(t: Test, world: ImageWorld): Promise<void> {
  t.same(await world.content.digests(), []);
  t.same(await world.unpacked(), []);
  t.same(await world.leftovers(), []);
  t.equal(world.images.count(), 0);
}

test('load', async (t) => {
  await t.test('a docker archive, plain or gzip, says which images came', async (t) => {
    const opened = await world(t);
    t.same(await load(opened, dockerArchive(['app:1', 'app:2'])), [
      { stream: 'Loaded image: app:1\n' },
      { stream: 'Loaded image: app:2\n' },
    ]);
    t.same(await load(opened, gzipSync(dockerArchive(['app:3']))), [
      { stream: 'Loaded image: app:3\n' },
    ]);
    t.equal(opened.images.resolve('app:3').id, image.id);
    t.same(opened.images.tagsOf(image.id), ['app:1', 'app:2', 'app:3']);
    t.match(opened.events.at(-1), { action: 'load', id: image.id });
    t.same(await opened.leftovers(), []);
  });

  await t.test('an archive without names is told by its id', async (t) => {
    const opened = await world(t);
    t.same(await load(opened, dockerArchive(null)), [{ stream: `Loaded image ID: ${image.id}\n` }]);
  });

  await t.test('an OCI layout keeps its manifest', async (t) => {
    const opened = await world(t);
    t.same(await load(opened, ociArchive()), [{ stream: 'Loaded image: oci:1\n' }]);
    t.ok(await opened.content.stat(digest(image.manifest)));
  });

  const other = `sha256:${'3'.repeat(64)}`;
  const bad: Readonly<Record<string, readonly [Buffer, string | RegExp]>> = {
    'no tar at all': [Buffer.from('hello'), 'unexpected EOF'],
    nothing: [Buffer.alloc(0), 'invalid archive: neither manifest.json nor index.json is in it'],
    'a cut one': [dockerArchive(['a:1']).subarray(0, 3000), 'unexpected EOF'],
    'a cut gzip': [gzipSync(dockerArchive(['a:1'])).subarray(0, 300), 'unexpected EOF'],
    'a name that climbs out': [
      tarOf([{ name: '../../etc/passwd', content: 'x' }]),
      'invalid name in archive: "../../etc/passwd"',
    ],
    'a link that climbs out': [
      tarOf([{ name: 'manifest.json', type: '2', link: '/etc/passwd' }]),
      'invalid entry in archive: "manifest.json"',
    ],
    'a device': [tarOf([{ name: 'x', type: '3' }]), 'invalid entry in archive: "x"'],
    'a header without bound': [
      tarOf([{ name: 'x', type: 'x', size: 2 ** 32 }]),
      'archive has an extended header of 4294967296 bytes',
    ],
    'a layer that is missing': [
      dockerArchive(['a:1'], { Layers: ['two/layer.tar'] }),
      'invalid archive: two/layer.tar is missing',
    ],
    'a bad name': [
      dockerArchive(['Upper:1']),
      'invalid reference format: repository name (library/Upper) must be lowercase',
    ],
    'another layer than the config says': [
      tarOf([
        { name: 'l', content: tarOf([{ name: 'x', content: 'y' }]) },
        { name: 'config.json', content: image.config },
        {
          name: 'manifest.json',
          content: JSON.stringify([{ Config: 'config.json', Layers: ['l'] }]),
        },
      ]),
      /^failed to register layer: invalid diffID for layer: expected sha256:/,
    ],
    'a layer that climbs out': [
      (() => {
        const tar = tarOf([{ name: '../x', content: 'y' }]);
        const { config } = buildImage([tar]);
        return tarOf([
          { name: 'l', content: tar },
          { name: 'c', content: config },
          { name: 'manifest.json', content: JSON.stringify([{ Config: 'c', Layers: ['l'] }]) },
        ]);
      })(),
      /^failed to register layer: /,
    ],
    'a blob under another digest': [
      tarOf([
        {
          name: 'index.json',
          content: JSON.stringify({
            manifests: [
              { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: other, size: 1 },
            ],
          }),
        },
        { name: `blobs/sha256/${other.slice(7)}`, content: image.manifest },
      ]),
      `invalid archive: blobs/sha256/${other.slice(7)} has digest ${digest(image.manifest)}`,
    ],
  };
  for (const [what, [archive, message]] of Object.entries(bad)) {
    await t.test(`refuses ${what} and keeps nothing`, async (t) => {
      const opened = await world(t);
      await t.rejects(load(opened, archive), { name: 'ApiError', message });
      await expectNothing(t, opened);
    });
  }

  await t.test('what save writes can be loaded again', async (t) => {
    const opened = await world(t);
    await load(opened, dockerArchive(['app:1']));
    const chunks: Buffer[] = [];
    for await (const chunk of await opened.images.save(['app:1'], { signal: never })) {
      chunks.push(Buffer.from(chunk));
    }
    await opened.images.remove('app:1', { force: false, noprune: false });
    await expectNothing(t, opened);
    t.same(await load(opened, Buffer.concat(chunks)), [{ stream: 'Loaded image: app:1\n' }]);
    t.equal(opened.images.resolve('app:1').id, image.id);
    await t.rejects(opened.images.save(['nope'], { signal: never }), {
      message: 'No such image: nope',
    });
  });
});

test('import', async (t) => {
  await t.test('a tar becomes an image of one layer', async (t) => {
    const opened = await world(t);
    const changes = ['CMD ["/x"]', 'ENV a=b', 'LABEL c=d', 'EXPOSE 80'];
    const id = await bring(opened, gzipSync(layer), {
      repo: 'in',
      tag: '2',
      message: 'hello',
      changes,
    });
    const shown = await opened.images.inspect('in:2');
    t.match(shown, {
      Id: id,
      RepoTags: ['in:2'],
      RepoDigests: [],
      Comment: 'hello',
      Os: 'linux',
      Config: { Cmd: ['/x'], Env: ['a=b'], Labels: { c: 'd' }, ExposedPorts: { '80/tcp': {} } },
      RootFS: { Type: 'layers', Layers: [digest(layer)] },
    });
    t.match(await opened.images.history('in:2'), [
      { Id: id, Tags: ['in:2'], Comment: 'hello', Size: 3 },
    ]);
    t.match(opened.events, [{ action: 'import', id, name: 'in:2' }]);
  });

  const bad: Readonly<Record<string, readonly [object, Buffer, RegExp]>> = {
    'a bad name': [{ repo: 'UP' }, layer, /must be lowercase/],
    'a bad change': [{ changes: ['RUN x'] }, layer, /^RUN is not a valid change command$/],
    'what is no tar': [{}, Buffer.from('hello'), /^failed to register layer: /],
    'a cut gzip': [{}, gzipSync(layer).subarray(0, 50), /^unexpected EOF$/],
  };
  for (const [what, [more, body, message]] of Object.entries(bad)) {
    await t.test(`refuses ${what} and keeps nothing`, async (t) => {
      const opened = await world(t);
      await t.rejects(bring(opened, body, more), { name: 'ApiError', message });
      await expectNothing(t, opened);
    });
  }
});

test('names', async (t) => {
  const opened = await world(t);
  const { images } = opened;
  await load(opened, dockerArchive(['app:1']));
  const short = image.id.slice(7, 19);

  await t.test('an image is found by name, id and the beginning of its id', async (t) => {
    for (const name of [
      'app:1',
      'docker.io/library/app:1',
      image.id,
      image.id.slice(7),
      short,
      `sha256:${short}`,
    ]) {
      t.equal(images.resolve(name).id, image.id, name);
    }
    t.throws(() => images.resolve('nope'), { message: 'No such image: nope:latest' });
    t.throws(() => images.resolve('A'), { message: /must be lowercase/ });
  });

  await t.test('a new name that is none is refused before the image is looked for', async (t) => {
    await t.rejects(images.tag('nope', { repo: 'UPPER', tag: '' }), {
      kind: 'InvalidParameter',
      message: /must be lowercase/,
    });
  });

  await t.test('a tag is another name, which may be taken from another image', async (t) => {
    await images.tag('app:1', { repo: 'other/name', tag: '' });
    t.same(images.tagsOf(image.id), ['app:1', 'other/name:latest']);
    const id = await bring(opened, layer);
    await images.tag(id, { repo: 'other/name', tag: 'latest' });
    t.equal(images.resolve('other/name').id, id);
    await t.rejects(images.tag('app:1', { repo: 'sha256', tag: '1' }), {
      message: 'refusing to create an ambiguous tag using digest algorithm as name',
    });
    await t.rejects(images.tag('app:1', { repo: 'a', tag: '-1' }), {
      message: 'invalid tag format',
    });
  });

  await t.test('an image with several names is not removed by its id without force', async (t) => {
    await images.tag('app:1', { repo: 'second', tag: '' });
    await t.rejects(images.remove(short, { force: false, noprune: false }), {
      kind: 'Conflict',
      message:
        `conflict: unable to delete ${short} (must be forced) - ` +
        'image is referenced in multiple repositories',
    });
    t.same(await images.remove('second', { force: false, noprune: false }), [
      { Untagged: 'second:latest' },
    ]);
  });

  await t.test('a filter that is none is refused', async (t) => {
    for (const [filters, message] of [
      [{ 'label!': ['x'] }, "invalid filter 'label!'"],
      [{ reference: ['['] }, 'syntax error in pattern'],
    ] as const) {
      await t.rejects(images.list({ filters, sharedSize: false }), { message });
    }
  });

  await t.test('lists are filtered', async (t) => {
    const ids = async (filters: Record<string, string[]>): Promise<readonly string[]> =>
      (await images.list({ filters, sharedSize: false })).map(({ Id }) => Id);
    t.equal((await ids({})).length, 2);
    t.same(await ids({ label: ['team=blue'] }), [image.id]);
    t.same(await ids({ reference: ['a*:1'] }), [image.id]);
    t.same(await ids({ since: ['app:1'] }), (await ids({})).slice(0, 1));
    t.same(await ids({ dangling: ['true'] }), []);
    await t.rejects(ids({ foo: ['x'] }), { message: "invalid filter 'foo'" });
    await t.rejects(ids({ dangling: ['x'] }), { message: "invalid filter 'dangling=[x]'" });
    await t.rejects(ids({ since: ['x'] }), { message: 'No such image: x:latest' });
  });

  await t.test('prune removes what has no name and no container', async (t) => {
    const id = await bring(opened, tarOf([{ name: 'big', content: 'x'.repeat(1000) }]));
    opened.users = {
      usersOf: (of) => (of === id ? [{ id: 'c', running: false }] : []),
      layersInUse: () => new Set(),
      blobsInUse: () => new Set(),
    };
    t.same(await images.prune({}), { ImagesDeleted: null, SpaceReclaimed: 0 });
    opened.users = { usersOf: () => [], layersInUse: () => new Set(), blobsInUse: () => new Set() };
    t.match(await images.prune({}), { ImagesDeleted: [{ Deleted: id }, {}], SpaceReclaimed: 1000 });
    t.equal(
      (await images.prune({ dangling: ['false'] })).ImagesDeleted?.some(
        ({ Deleted }) => Deleted === image.id,
      ),
      true,
    );
    await expectNothing(t, opened);
  });
});

test('a start removes what a crash left, and nothing else', async (t) => {
  const first = await openImageWorld();
  await load(first, dockerArchive(['app:1']));
  const keep = await first.content.digests();
  await first.content.put(Buffer.from('a blob without an image'));
  await writeFile(join(first.directory, 'tmp', 'ingest-0123'), 'half');
  await mkdir(join(first.directory, 'storage/overlay/stage/x'), { recursive: true });
  await writeFile(join(first.directory, 'image', 'index.json'), '{"manifests":[]}');
  const second = await first.reopen();
  t.teardown(() => second.close());
  t.same((await second.content.digests()).slice().sort(), keep.slice().sort());
  t.equal((await second.index()).length, 1);
  await second.driver.reconcile({ layers: second.images.layerKeys(), containers: new Set() });
  t.same(await second.leftovers(), []);
});

test('a folder that a layer only implies keeps the mode of the layers beneath', async (t) => {
  const opened = await world(t);
  const implying = tarOf([{ name: 'tmp/two', content: 'two' }]);
  const built = buildImage([layer, implying]);
  const archive = tarOf([
    { name: 'a', content: layer },
    { name: 'b', content: implying },
    { name: 'c', content: built.config },
    {
      name: 'manifest.json',
      content: JSON.stringify([{ Config: 'c', RepoTags: ['m:1'], Layers: ['a', 'b'] }]),
    },
  ]);
  await load(opened, archive);
  const { layers } = opened.images.resolve('m:1');
  t.equal(layers.length, 3);
  const [topmost = ''] = opened.driver.layerFolders(layers);
  t.equal((await lstat(join(topmost, 'tmp'))).mode & 0o7777, 0o1777);
  await opened.images.remove('m:1', { force: false, noprune: false });
  t.same(await opened.unpacked(), []);
});
