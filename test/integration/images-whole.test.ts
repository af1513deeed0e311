/** An image of several platforms goes out and comes back as a whole. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test, type Test } from 'tap';
import type { ImageManifestSummary, JsonMessage } from '../../api-spec/index.js';
import { lacking } from '../support/debian-package.js';
import { buildImage } from '../support/image-builder.js';
import { openImageWorld, type ImageWorld } from '../support/image-world.js';
import { expectNothing, indexEntry, scene } from '../support/registry-scene.js';
import { startRegistry } from '../support/registry.js';
import { skopeo, temporaryFolder } from '../support/skopeo.js';
import { tarOf } from '../support/tar.js';

const signal = new AbortController().signal;
const architectures = ['amd64', 'arm64', 's390x'] as const;
const [amd, arm, third] = architectures.map((architecture) =>
  buildImage([tarOf([{ name: architecture, content: architecture }])], {
    document: { architecture },
  }),
);
const json = (architecture: string): string => JSON.stringify({ os: 'linux', architecture });

/** Two of three platforms, pulled by one name. */
async function pulled(t: Test): Promise<{
  readonly name: string;
  readonly images: ImageWorld['images'];
  /** One more of them; the name is the last one's. */
  readonly pull: (platform: string) => Promise<unknown>;
}> {
  const { server, world } = await scene(t);
  if (amd === undefined || arm === undefined || third === undefined) throw new Error('no image');
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const images = [amd, arm, third];
  const manifests = images.map((image, at) => {
    server.serve('multi', `only-${at}`, image);
    return indexEntry(image, { os: 'linux', architecture: architectures[at] });
  });
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  server.manifests.set('multi:1', { bytes, mediaType });
  const name = `${server.host}/multi:1`;
  const pull = (platform: string): Promise<unknown> => world.pull(name, { platform });
  for (const platform of ['linux/arm64', 'linux/amd64']) await pull(platform);
  return { name, images: world.images, pull };
}

/** Another engine's images after `docker load`. */
async function loaded(
  t: Test,
  archive: Buffer,
  ...platforms: readonly string[]
): Promise<ImageWorld & { readonly lines: readonly JsonMessage[] }> {
  const world = await openImageWorld();
  t.teardown(() => world.close());
  const lines: JsonMessage[] = [];
  const sink = async (line: JsonMessage): Promise<void> => void lines.push(line);
  const body = Readable.from([archive]);
  await world.images.load({ body, quiet: true, platforms, sink, signal });
  return { ...world, lines };
}

async function manifests(
  images: ImageWorld['images'],
  name: string,
): Promise<readonly ImageManifestSummary[]> {
  const { Manifests = [] } = await images.inspect(name, { manifests: true });
  return Manifests;
}

test('what is here of an image is saved as a whole, and comes back so', async (t) => {
  const { name, images } = await pulled(t);
  const whole = await buffer(await images.save([name], { signal }));
  const other = await loaded(t, whole);
  t.same(other.lines, [{ stream: `Loaded image: ${name}\n` }]);
  t.equal((await other.images.inspect(name)).Id, amd?.id);
  t.equal((await other.images.inspect(name, { platform: json('arm64') })).Id, arm?.id);
  const told = await manifests(other.images, name);
  t.same(told, await manifests(images, name));
  t.same(
    told.map(({ Available }) => Available),
    [true, true, false],
  );
  t.same(await buffer(await other.images.save([name], { signal })), whole, 'and goes out again');
  await other.images.remove(name, { force: false, noprune: false });
  await other.images.remove(arm?.id ?? '', { force: false, noprune: false });
  await expectNothing(t, other);
});

test('one platform alone is saved, and loaded', async (t) => {
  const { name, images } = await pulled(t);
  const saved = await buffer(await images.save([name], { platforms: [json('arm64')], signal }));
  const whole = await buffer(await images.save([name], { signal }));
  for (const one of [await loaded(t, saved), await loaded(t, whole, json('arm64'))]) {
    t.equal((await one.images.inspect(name)).Id, arm?.id);
    t.equal((await one.images.list({ filters: {}, sharedSize: false })).length, 1);
  }
  const both = await loaded(t, whole, json('arm64'), json('amd64'));
  t.equal((await both.images.list({ filters: {}, sharedSize: false })).length, 2);
  await expectNothing(t, await loaded(t, whole, json('s390x')));
});

test('a push takes the index along when all that it names is here', async (t) => {
  const directory = await temporaryFolder(t);
  const registry = await startRegistry({ directory });
  t.teardown(() => registry.stop());
  const { name, images, pull } = await pulled(t);
  const push = async (to: string, platform = ''): Promise<string> => {
    await images.tag(name, { repo: `${registry.host}/${to}`, tag: '1' });
    const sink = async (): Promise<void> => undefined;
    const image = `${registry.host}/${to}`;
    await images.push({ image, tag: '1', platform, auth: {}, sink, signal });
    const { Descriptor, Platforms } = await images.distribution(`${image}:1`, {});
    const names = (Platforms ?? []).map(({ architecture }) => architecture).join();
    return `${Descriptor.mediaType.split('.').at(-1)} ${names}`;
  };
  t.equal(await push('part'), 'v1+json amd64', 'one of three is missing');
  await pull('linux/s390x');
  await pull('linux/amd64');
  t.equal(await push('whole'), 'v1+json amd64,arm64,s390x');
  t.equal(await push('single', json('arm64')), 'v1+json arm64');

  const other = await openImageWorld();
  t.teardown(() => other.close());
  await other.pull(`${registry.host}/whole:1`, { platform: 'linux/arm64' });
  t.equal(other.images.resolve(`${registry.host}/whole:1`).id, arm?.id);
  t.same(
    (await other.images.inspect(`${registry.host}/whole:1`)).RepoDigests,
    (await images.inspect(name)).RepoDigests.filter((one) => one.includes('/whole@')),
    'under the same digest',
  );
});

test('skopeo reads each platform of the archive', { skip: lacking('skopeo') }, async (t) => {
  const { name, images } = await pulled(t);
  const folder = await temporaryFolder(t);
  const path = join(folder, 'whole.tar');
  await writeFile(path, await buffer(await images.save([name], { signal })));
  const idBy = async (from: string, architecture: string): Promise<string> => {
    const to = await temporaryFolder(t);
    await skopeo(t, ['--override-arch', architecture, 'copy', from, `dir:${to}`]);
    const text = await readFile(join(to, 'manifest.json'), 'utf8');
    return (JSON.parse(text) as { config: { digest: string } }).config.digest;
  };
  t.equal(await idBy(`oci-archive:${path}:${name}`, 'amd64'), amd?.id);
  t.equal(await idBy(`oci-archive:${path}:${name}`, 'arm64'), arm?.id);
  t.equal(await idBy(`docker-archive:${path}:${name}`, 'amd64'), amd?.id);
});
