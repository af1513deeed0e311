/** Images of several platforms under one name. */
import { buffer } from 'node:stream/consumers';
import { test } from 'tap';
import type { ImageManifestSummary } from '../../api-spec/index.js';
import { buildImage, digest, type BuiltImage } from '../support/image-builder.js';
import type { LyingRegistry } from '../support/lying-registry.js';
import { indexEntry, scene } from '../support/registry-scene.js';
import { tarOf } from '../support/tar.js';

const signal = new AbortController().signal;
const mediaType = 'application/vnd.oci.image.index.v1+json';
const imageFor = (architecture: string, variant?: string): BuiltImage =>
  buildImage([tarOf([{ name: architecture, content: architecture }])], {
    document: { architecture, ...(variant === undefined ? {} : { variant }) },
  });
const amd = imageFor('amd64');
const arm = imageFor('arm64', 'v8');
const old = imageFor('arm', 'v6');

const attestation = `sha256:${'a'.repeat(64)}`;
const index = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType,
    manifests: [
      indexEntry(amd, { os: 'linux', architecture: 'amd64' }),
      indexEntry(arm, { os: 'linux', architecture: 'arm64', variant: 'v8' }),
      indexEntry(old, { os: 'linux', architecture: 'arm', variant: 'v6' }),
      {
        ...indexEntry(amd, { os: 'unknown', architecture: 'unknown' }),
        digest: attestation,
      },
    ],
  }),
);

function serve(server: LyingRegistry): string {
  for (const [tag, image] of Object.entries({ amd, arm, old })) server.serve('multi', tag, image);
  server.manifests.set('multi:1', { bytes: index, mediaType });
  return `${server.host}/multi:1`;
}

const json = (architecture: string): string => JSON.stringify({ os: 'linux', architecture });

test('images that came by one index are kept together', async (t) => {
  const { server, world, expectNothing } = await scene(t);
  const { images } = world;
  const name = serve(server);
  await world.pull(name, { platform: 'linux/arm64' });
  await world.pull(name, { platform: 'linux/amd64' });

  await t.test('each is found by its platform', async (t) => {
    t.equal((await images.inspect(name)).Id, amd.id);
    t.equal((await images.inspect(name, { platform: json('arm64') })).Id, arm.id);
    t.equal((await images.inspect(arm.id, { platform: json('amd64') })).Id, amd.id);
    t.match(await images.history(name, { platform: json('arm64') }), [{ Id: arm.id }]);
    t.equal(images.resolve(name, 'linux/arm64').id, arm.id);
    t.equal(images.resolve(name, 'linux/s390x').id, amd.id, 'refused by whoever asked');
  });

  await t.test('one that is not here is refused in Docker’s words', async (t) => {
    const message =
      `image with reference ${name} was found but does not provide the specified platform ` +
      '(linux/s390x)';
    await t.rejects(images.inspect(name, { platform: json('s390x') }), {
      kind: 'NotFound',
      message,
    });
    await t.rejects(images.save([name], { platforms: [json('s390x')], signal }), { message });
    await t.rejects(images.inspect(name, { platform: 'nonsense' }), {
      kind: 'InvalidParameter',
      message: 'invalid platform "nonsense"',
    });
  });

  await t.test('manifests tell what the index names, and what of it is here', async (t) => {
    const { Manifests: found = [] } = await images.inspect(name, { manifests: true });
    const told = ({ ID, Available, Kind }: ImageManifestSummary): unknown => [ID, Available, Kind];
    t.same(found.map(told), [
      [digest(amd.manifest), true, 'image'],
      [digest(arm.manifest), true, 'image'],
      [digest(old.manifest), false, 'image'],
      [attestation, false, 'attestation'],
    ]);
    const [first] = found;
    t.match(first?.ImageData, { Platform: { os: 'linux', architecture: 'amd64' }, Containers: [] });
    const stored = amd.config.length + amd.manifest.length + (amd.layers[0]?.length ?? 0);
    t.equal(first?.Size.Content, stored);
    t.equal(first?.ImageData?.Size.Unpacked, 'amd64'.length);
    const rows = await images.list({ filters: {}, sharedSize: false, manifests: true });
    t.ok(rows.every(({ Manifests }) => Manifests?.length === 4));
    t.ok(await world.content.stat(digest(index)), 'the index is kept');
  });

  await t.test('one platform is saved', async (t) => {
    const tar = await buffer(
      await images.save([name], { platforms: [json('arm64')], signal }),
    );
    t.ok(tar.includes(arm.id.slice(7)));
    t.notOk(tar.includes(amd.id.slice(7)));
  });

  await t.test('the index goes with the last of them', async (t) => {
    await images.remove(name, { force: false, noprune: false });
    t.ok(await world.content.stat(digest(index)));
    t.match(await images.inspect(arm.id, { manifests: true }), {
      Manifests: [{ Available: false }, { Available: true }, {}, {}],
    });
    await images.remove(arm.id, { force: true, noprune: false });
    await expectNothing();
  });
});

test('an image goes for the platforms that are named, its name with the last', async (t) => {
  const { server, world, expectNothing } = await scene(t);
  const { images } = world;
  const name = serve(server);
  for (const platform of ['linux/arm64', 'linux/arm/v6', 'linux/amd64']) {
    await world.pull(name, { platform });
  }
  const remove = (...platforms: readonly string[]) =>
    images.remove(name, { force: false, noprune: false, platforms });
  t.equal(images.resolve(name).id, amd.id);
  await t.rejects(remove(json('s390x')), { kind: 'NotFound', message: /does not provide/ });
  world.users = { ...world.users, usersOf: () => [{ id: 'c'.repeat(64), running: true }] };
  await t.rejects(remove(json('arm64')), { kind: 'Conflict', message: /running container/ });
  world.users = { ...world.users, usersOf: () => [] };

  t.match(await remove(json('amd64')), [{ Deleted: amd.id }, {}]);
  t.not(images.resolve(name).id, amd.id, 'the name means what is left');
  t.equal(images.resolve(name, 'linux/arm64').id, arm.id);
  t.match(await images.list({ filters: {}, sharedSize: false }), { length: 2 });
  await remove(json('arm64'), JSON.stringify({ os: 'linux', architecture: 'arm', variant: 'v6' }));
  t.throws(() => images.resolve(name), /No such image/);
  await expectNothing();
});

test('an image without an index is its own only manifest', async (t) => {
  const { server, world } = await scene(t);
  server.serve('r', '1', amd);
  await world.pull(`${server.host}/r:1`);
  t.match(await world.images.inspect(`${server.host}/r:1`, { manifests: true }), {
    Manifests: [{ ID: digest(amd.manifest), Available: true, Kind: 'image' }],
  });
});

test('a lower variant serves a higher one, never the other way round', async (t) => {
  const { server, world } = await scene(t);
  const name = serve(server);
  await world.pull(name, { platform: 'linux/arm/v7' });
  t.equal(world.images.resolve(name).id, old.id);
  await t.rejects(world.pull(name, { platform: 'linux/arm/v5' }), {
    message: 'no matching manifest for linux/arm/v5 in the manifest list entries',
  });
});
