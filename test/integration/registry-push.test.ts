import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test, type Test } from 'tap';
import type { JsonMessage } from '../../api-spec/index.js';
import { buildImage, digest } from '../support/image-builder.js';
import { openImageWorld, type ImageWorld } from '../support/image-world.js';
import { importTar } from '../support/import-tar.js';
import { basicUser, makeCertificate, pushImage, startRegistry } from '../support/registry.js';
import { tarOf } from '../support/tar.js';
import { startTokenServer } from '../support/token-server.js';

const never = new AbortController().signal;

async function folder(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tsdocker-push-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function world(t: Test): Promise<ImageWorld> {
  const opened = await openImageWorld();
  t.teardown(() => opened.close());
  return opened;
}

/** An image of one layer, as `docker import` makes it: its blob is a plain tar. */
async function bring({ images }: ImageWorld, name: string, content: Buffer): Promise<void> {
  const [repo = '', tag = ''] = name.split(/:(?=[^:/]*$)/);
  await importTar(images, tarOf([{ name: 'file', content }]), { repo, tag });
}

async function push(
  { images }: ImageWorld,
  image: string,
  options: { readonly tag?: string; readonly auth?: object } = {},
): Promise<readonly JsonMessage[]> {
  const lines: JsonMessage[] = [];
  const sink = async (message: JsonMessage): Promise<void> => void lines.push(message);
  const { tag = '', auth = {} } = options;
  await images.push({ image, tag, auth, sink, signal: never });
  return lines;
}

const statuses = (lines: readonly JsonMessage[]): string[] =>
  lines.flatMap(({ status }) => (status === undefined || status === 'Pushing' ? [] : [status]));

test('an image that was made here goes to a registry and comes back the same', async (t) => {
  const server = await startRegistry({ directory: await folder(t), basicAuth: true });
  t.teardown(() => server.stop());
  const one = await world(t);
  const name = `${server.host}/team/app`;
  await bring(one, `${name}:1`, Buffer.from('hello'));
  const { id } = one.images.resolve(`${name}:1`);

  const lines = await push(one, name, { tag: '1', auth: basicUser });
  const digest = (await one.images.inspect(`${name}:1`)).RepoDigests[0]?.split('@')[1] ?? '';
  t.match(digest, /^sha256:[a-f\d]{64}$/);
  t.same(statuses(lines).slice(0, 3), [
    `The push refers to repository [${name}]`, 'Preparing', 'Pushed',
  ]);
  const { aux } = lines.at(-1) ?? {};
  t.match(aux, { Tag: '1', Digest: digest });
  t.match(one.events.at(-1), { action: 'push', id: `${name}:1`, name });

  const other = await world(t);
  await other.pull(`${name}:1`, { auth: basicUser });
  t.equal(other.images.resolve(`${name}:1`).id, id);
  t.equal((await other.images.inspect(id)).RepoDigests[0], `${name}@${digest}`);

  await t.test('what is there is not sent again', async (t) => {
    t.match(statuses(await push(one, name, { tag: '1', auth: basicUser })), {
      2: 'Layer already exists', 3: new RegExp(`^1: digest: ${digest} size: \\d+$`),
    });
  });
  await t.test('a layer comes from a repository that has it', async (t) => {
    await one.images.tag(`${name}:1`, { repo: `${server.host}/other`, tag: '2' });
    const lines = await push(one, `${server.host}/other`, { tag: '2', auth: basicUser });
    t.equal(statuses(lines)[2], `Mounted from ${name}`);
    await other.pull(`${server.host}/other:2`, { auth: basicUser });
  });
  await t.test('without a tag all tags of the repository go', async (t) => {
    await one.images.tag(`${name}:1`, { repo: name, tag: 'again' });
    const lines = await push(one, name, { auth: basicUser });
    const told = lines.flatMap(({ aux }) => (aux === undefined ? [] : [String(Object(aux).Tag)]));
    t.same(told, ['1', 'again']);
  });
  await t.test('the image still saves, and nothing is left over', async (t) => {
    const tar = await one.images.save([`${name}:1`], { signal: never });
    let bytes = 0;
    for await (const chunk of tar) bytes += (chunk as Buffer).length;
    t.ok(bytes > 1000);
    t.same(await one.leftovers(), []);
    t.equal((await one.content.digests()).length, 3, 'config, manifest and one layer');
  });
  await t.test('without credentials it is refused in plain words', async (t) => {
    await t.rejects(push(one, name, { tag: '1' }), {
      kind: 'System', message: 'no basic auth credentials',
    });
  });
  await t.test('the registry tells of it without a pull', async (t) => {
    const found = await one.images.distribution(`${name}:1`, basicUser);
    t.match(found, {
      Descriptor: { digest, mediaType: 'application/vnd.oci.image.manifest.v1+json' },
      Platforms: [{ os: 'linux' }],
    });
    await t.rejects(one.images.distribution(`${name}:none`, basicUser), { message: /not found/ });
  });
});

test('an image in Docker’s own types goes on as it came', async (t) => {
  const server = await startRegistry({ directory: await folder(t) });
  t.teardown(() => server.stop());
  const tars = ['one', 'two'].map((name) => tarOf([{ name, content: name }]));
  const docker = buildImage(tars, { flavour: 'docker' });
  await pushImage(server.host, 'came', { ...docker, tag: '1' });
  const one = await world(t);
  await one.pull(`${server.host}/came:1`);
  t.equal(one.images.resolve(`${server.host}/came:1`).id, docker.id);
  await one.images.tag(`${server.host}/came:1`, { repo: `${server.host}/went`, tag: '1' });
  await push(one, `${server.host}/went`, { tag: '1' });
  t.match(await one.images.distribution(`${server.host}/went:1`, {}), {
    Descriptor: {
      digest: digest(docker.manifest),
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
    },
  });
  const archive = await one.images.save([`${server.host}/went:1`], { signal: never });
  const other = await world(t);
  const sink = async (): Promise<void> => undefined;
  await other.images.load({ body: archive, quiet: true, platforms: [], sink, signal: never });
  t.equal(other.images.resolve(`${server.host}/went:1`).id, docker.id, 'and by an archive');
});

test('what cannot be pushed is said as Docker says it', async (t) => {
  const one = await world(t);
  await bring(one, '127.0.0.1:1/known:1', Buffer.from('x'));
  await t.rejects(push(one, '127.0.0.1:1/none', { tag: '1' }), {
    message: 'An image does not exist locally with the tag: 127.0.0.1:1/none',
  });
  await t.rejects(push(one, '127.0.0.1:1/known', { tag: '2' }), {
    message: 'tag does not exist: 127.0.0.1:1/known:2',
  });
  await t.rejects(push(one, 'BAD'), { message: /must be lowercase/ });
  await t.rejects(push(one, `x@sha256:${'0'.repeat(64)}`), {
    kind: 'InvalidParameter', message: 'cannot push a digest reference',
  });
});

test('a token is asked for with the right to write, and to read where layers may come from', async (t) => {
  const directory = await folder(t);
  const files = await makeCertificate(directory);
  const tokens = await startTokenServer(files);
  t.teardown(() => tokens.stop());
  const { realm, service, issuer } = tokens;
  const tokenAuth = { realm, service, issuer, certificatePath: files.certificate };
  const server = await startRegistry({ directory, tokenAuth });
  t.teardown(() => server.stop());
  const one = await world(t);
  await bring(one, `${server.host}/a:1`, Buffer.from('token'));
  await push(one, `${server.host}/a`, { tag: '1', auth: basicUser });
  t.match(tokens.seen.at(-1)?.url, /scope=repository%3Aa%3Apull%2Cpush/);
  await one.images.tag(`${server.host}/a:1`, { repo: `${server.host}/b`, tag: '1' });
  await push(one, `${server.host}/b`, { tag: '1', auth: basicUser });
  t.match(tokens.seen.at(-1)?.url, /scope=repository%3Ab%3Apull%2Cpush&scope=repository%3Aa%3A/);
  await t.rejects(push(one, `${server.host}/a`, { tag: '1' }), { message: /^denied: / });
});

test('an upload that breaks is gone on with', async (t) => {
  const server = await startRegistry({ directory: await folder(t) });
  t.teardown(() => server.stop());
  const [host = '', port = ''] = server.host.split(':');
  let breaks = 2;
  const proxy = createServer((client) => {
    const upstream = connect(Number(port), host);
    let passed = 0;
    client.on('data', (chunk: Buffer) => {
      passed += chunk.length;
      upstream.write(chunk);
      if (breaks === 0 || passed < 4_000_000) return;
      breaks -= 1;
      client.destroy();
      upstream.end();
    });
    upstream.pipe(client);
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.on('close', () => upstream.end());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.teardown(() => proxy.close());
  // A server that listens on a port has an AddressInfo.
  const through = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const one = await world(t);
  await bring(one, `${through}/big:1`, randomBytes(12_000_000));
  const lines = await push(one, `${through}/big`, { tag: '1' });
  t.equal(breaks, 0);
  t.ok(statuses(lines).includes('Retrying in 1 seconds'));
  const other = await world(t);
  await other.pull(`${through}/big:1`);
  t.equal(other.images.resolve(`${through}/big:1`).id, one.images.resolve(`${through}/big:1`).id);
});

test('a search asks the index, and filters what it finds', async (t) => {
  const asked: (string | undefined)[] = [];
  const hits = [
    { name: 'busy', star_count: 5, is_official: true, is_automated: false, description: 'a' },
    { name: 'me/busy', star_count: 1, is_official: false, is_automated: false, description: 'b' },
  ];
  const index = createHttpServer((request, response) => {
    asked.push(request.url);
    response.end(JSON.stringify({ results: hits }));
  });
  await new Promise<void>((resolve) => index.listen(0, '127.0.0.1', resolve));
  t.teardown(() => index.close());
  // A server that listens on a port has an AddressInfo.
  const host = `127.0.0.1:${(index.address() as AddressInfo).port}`;
  const { images } = await world(t);
  const search = (filters: Record<string, string[]>, limit = 25) =>
    images.search({ term: `${host}/busy`, limit, filters, auth: {} });
  t.same(await search({}), hits);
  t.same(asked, ['/v1/search?q=busy&n=25']);
  t.same((await search({ stars: ['3'] })).map(({ name }) => name), ['busy']);
  t.same((await search({ 'is-official': ['false'] })).map(({ name }) => name), ['me/busy']);
  await t.rejects(search({ stars: ['x'] }), { message: "invalid filter 'stars=[x]'" });
  await t.rejects(search({}, 500), { message: 'limit 500 is outside the range of [1, 100]' });
});

test('layers that are sent side by side all get in with one password', async (t) => {
  const server = await startRegistry({ directory: await folder(t), basicAuth: true });
  t.teardown(() => server.stop());
  const { images } = await world(t);
  const name = `${server.host}/app`;
  const image = buildImage(
    ['a', 'b', 'c', 'd'].map((file) => tarOf([{ name: file, content: randomBytes(100_000) }])),
  );
  const layers = image.tars.map((content, height) => ({ name: `${height}.tar`, content }));
  const config = { Config: 'config.json', RepoTags: [`${name}:1`] };
  const archive = tarOf([
    ...layers,
    { name: 'config.json', content: image.config },
    {
      name: 'manifest.json',
      content: JSON.stringify([{ ...config, Layers: layers.map((layer) => layer.name) }]),
    },
  ]);
  const [body, sink] = [Readable.from([archive]), async () => undefined];
  await images.load({ body, quiet: true, platforms: [], sink, signal: never });
  const lines: JsonMessage[] = [];
  const keep = async (message: JsonMessage): Promise<void> => void lines.push(message);
  await images.push({ image: name, tag: '1', auth: basicUser, sink: keep, signal: never });
  t.equal(statuses(lines).filter((status) => status === 'Pushed').length, 4);
});
