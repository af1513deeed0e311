/** Registries that ask for patience, and layers that they may not pass on. */
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'tap';
import { filesOf } from '../support/builds.js';
import { until } from '../support/containers.js';
import { startDaemon } from '../support/daemon.js';
import { buildImage, digest } from '../support/image-builder.js';
import { layerOf, scene } from '../support/registry-scene.js';
import { openImageWorld } from '../support/image-world.js';
import { sendBlob, startLyingRegistry } from '../support/lying-registry.js';
import { tarOf } from '../support/tar.js';

const image = buildImage([tarOf([{ name: 'file', content: 'content' }])]);
const needsRoot = { skip: process.getuid?.() === 0 ? false : 'a daemon needs root' };
const tooMany = JSON.stringify({
  errors: [{ code: 'TOOMANYREQUESTS', message: 'You have reached your pull rate limit.' }],
});

test('a limit on the rate is told, with its end', async (t) => {
  const { server, world, expectNothing } = await scene(t);
  server.serve('r', '1', image);
  server.fault = (_, response) => {
    response.writeHead(429, { 'retry-after': '7200' }).end(tooMany);
    return true;
  };
  await t.rejects(world.pull(`${server.host}/r:1`), {
    message:
      'toomanyrequests: You have reached your pull rate limit. (try again in 7200 seconds)',
  });
  await expectNothing();
});

test('a blob is waited for as long as the registry asks, within reason', async (t) => {
  const { server, world, expectNothing } = await scene(t);
  server.serve('r', '1', image);
  const blob = digest(layerOf(image));
  const askedAtMs: number[] = [];
  let after = '2';
  server.fault = (request, response) => {
    if (!(request.url ?? '').endsWith(blob)) return false;
    askedAtMs.push(Date.now());
    if (askedAtMs.length > 1) return false;
    response.writeHead(429, { 'retry-after': after }).end(tooMany);
    return true;
  };
  await world.pull(`${server.host}/r:1`);
  const [first = 0, second = 0] = askedAtMs;
  t.ok(second - first >= 1900, `${second - first} ms`);

  await world.images.remove(`${server.host}/r:1`, { force: true, noprune: false });
  askedAtMs.length = 0;
  after = '3600';
  await t.rejects(world.pull(`${server.host}/r:1`), { message: /try again in 3600 seconds/ });
  t.equal(askedAtMs.length, 1);
  await world.images.recover();
  await expectNothing();
});

/** An image whose layer the registry does not have. */
function foreignImage(url: string): typeof image {
  const layer = layerOf(image);
  return buildImage(image.tars, {
    manifest: {
      layers: [
        {
          mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
          digest: digest(layer),
          size: layer.length,
          urls: [url],
        },
      ],
    },
  });
}

test('a foreign layer is fetched where the manifest says, without credentials', async (t) => {
  const { server, world } = await scene(t);
  const seen: (string | undefined)[] = [];
  const elsewhere = createServer((request, response) => {
    seen.push(request.headers.authorization);
    sendBlob(response, layerOf(image), request.headers.range);
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  t.teardown(() => elsewhere.close());
  // A server that listens on a port has an AddressInfo.
  const { port } = elsewhere.address() as AddressInfo;
  server.serve('r', '1', foreignImage(`http://127.0.0.1:${port}/layer`));
  server.blobs.delete(digest(layerOf(image)));
  server.fault = (request, response) => {
    if (request.headers.authorization !== undefined) return false;
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return true;
  };
  await world.pull(`${server.host}/r:1`, { auth: { username: 'a', password: 'b' } });
  t.same(seen, [undefined]);

  await t.test('a push leaves it out, and says so', async (t) => {
    const lines: unknown[] = [];
    const puts: string[] = [];
    server.fault = (request, response) => {
      if (request.method === 'PUT') puts.push(request.url ?? '');
      if (request.method === 'HEAD') return false;
      response.writeHead(201).end();
      return true;
    };
    await world.images.push({
      image: `${server.host}/r`,
      tag: '1',
      auth: {},
      sink: async ({ status }) => void lines.push(status),
      signal: new AbortController().signal,
    });
    t.ok(lines.includes('Skipped foreign layer'));
    t.same(puts, ['/v2/r/manifests/1']);
  });
});

test('a foreign layer at a private address is refused', async (t) => {
  const { server, world, expectNothing } = await scene(t);
  server.serve('r', '1', foreignImage('http://169.254.169.254/latest'));
  server.blobs.delete(digest(layerOf(image)));
  await t.rejects(world.pull(`${server.host}/r:1`), {
    message: /may not send us to (http:\/\/169|the private address 169)/,
  });
  await expectNothing();
});

test('a download goes on by Range after a restart of the engine', async (t) => {
  const server = await startLyingRegistry();
  t.teardown(() => server.stop());
  const world = await openImageWorld();
  const large = buildImage([tarOf([{ name: 'big', content: Buffer.alloc(3_000_000, 'x') }])], {
    gzipLevel: 0,
  });
  server.serve('r', '1', large);
  const blob = layerOf(large);
  const leave = new AbortController();
  server.fault = (request, response) => {
    if (!(request.url ?? '').endsWith(digest(blob))) return false;
    response.writeHead(200, { 'content-length': blob.length });
    response.write(blob.subarray(0, 1_000_000));
    // By then at least some of it is on disk.
    setTimeout(() => leave.abort(new Error('power cut')), 1000);
    return true;
  };
  const pulling = world.pull(`${server.host}/r:1`, { signal: leave.signal });
  await t.rejects(pulling, { message: 'power cut' });
  server.fault = () => false;
  const next = await world.reopen();
  t.teardown(() => next.close());
  await next.pull(`${server.host}/r:1`);
  const { range } = server.seen.filter(({ path }) => path.endsWith(digest(blob))).at(-1) ?? {};
  t.match(range, /^bytes=[1-9]\d*-$/);
  t.same(await next.leftovers(), []);
});

test('a download goes on by Range after kill -9 of the daemon', needsRoot, async (t) => {
  const server = await startLyingRegistry();
  t.teardown(() => server.stop());
  const daemon = await startDaemon(t);
  const content = randomBytes(3_000_000);
  const large = buildImage(
    [tarOf([{ name: 'big', content }]), tarOf([{ name: 'small', content: 'small' }])],
    { gzipLevel: 0 },
  );
  server.serve('r', '1', large);
  const blob = layerOf(large);
  server.fault = (request, response) => {
    if (!(request.url ?? '').endsWith(digest(blob))) return false;
    // The rest never comes.
    response.writeHead(200, { 'content-length': blob.length });
    response.write(blob.subarray(0, 1_000_000));
    return true;
  };
  const pull = () => daemon.api.post(`/images/create?fromImage=${server.host}/r&tag=1`);
  const cut = pull();
  cut.catch(() => undefined);
  const parts = join(daemon.dataRoot, 'tmp');
  const partBytes = (): number => {
    const names = readdirSync(parts).filter((name) => name.startsWith('partial-'));
    return Math.max(0, ...names.map((name) => statSync(join(parts, name)).size));
  };
  await until('a part of it is on the disk', () => Promise.resolve(partBytes() > 900_000));
  await daemon.kill9();
  await t.rejects(cut);
  const kept = partBytes();
  server.fault = () => false;
  const askedBefore = server.seen.length;
  await daemon.start();
  t.equal(partBytes(), kept, 'a start keeps it');
  t.match((await pull()).text, 'Downloaded newer image');
  const again = server.seen.slice(askedBefore).filter(({ path }) => path.endsWith(digest(blob)));
  t.same(again.map(({ range }) => range), [`bytes=${kept}-`], 'only the rest is fetched');
  t.equal(partBytes(), 0, 'and nothing of it is left over');
  const files = await filesOf(daemon.socket, `${server.host}/r:1`);
  const sum = createHash('sha256').update(content).digest('hex');
  t.match(files.get('big'), { content: sum });
  t.match(files.get('small'), { content: 'small' });
});
