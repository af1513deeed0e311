import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'tap';
import { buildImage, digest } from '../support/image-builder.js';
import { openImageWorld } from '../support/image-world.js';
import { sendBlob, startLyingRegistry, type LyingRegistry } from '../support/lying-registry.js';
import { indexEntry, layerOf, scene } from '../support/registry-scene.js';
import { tarOf } from '../support/tar.js';

const small = tarOf([{ name: 'file', content: 'content' }]);

test('an index gives the manifest of the platform that is asked for', async (t) => {
  const { server, world } = await scene(t);
  const amd = buildImage([small]);
  const arm = buildImage([tarOf([{ name: 'arm', content: 'v7' }])], {
    document: { architecture: 'arm', variant: 'v7' },
  });
  for (const [tag, image] of Object.entries({ amd, arm })) server.serve('multi', tag, image);
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      manifests: [
        indexEntry(amd, { os: 'linux', architecture: 'amd64' }),
        indexEntry(arm, { os: 'linux', architecture: 'arm', variant: 'v7' }),
      ],
    }),
  );
  server.manifests.set('multi:1', { bytes, mediaType });
  const name = `${server.host}/multi:1`;

  const lines = await world.pull(name, { platform: 'linux/amd64' });
  t.ok(lines.some(({ status }) => status === `Digest: ${digest(bytes)}`));
  t.equal(world.images.resolve(name).id, amd.id);
  await world.pull(name, { platform: 'linux/arm/v7' });
  t.equal(world.images.resolve(name).id, arm.id);
  await t.rejects(world.pull(name, { platform: 'linux/s390x' }), {
    message: 'no matching manifest for linux/s390x in the manifest list entries',
  });
  await t.rejects(world.pull(`${server.host}/multi:amd`, { platform: 'linux/arm64' }), {
    message: /was found but does not match .*: wanted linux\/arm64, actual: linux\/amd64$/,
  });
});

test('credentials stay with the host that they are for', async (t) => {
  const image = buildImage([small]);

  await t.test('a blob that is redirected to another host is asked for without them', async (t) => {
    const { server, world } = await scene(t);
    const other = await startLyingRegistry();
    t.teardown(() => other.stop());
    server.serve('r', '1', image);
    server.fault = (request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
        return true;
      }
      if (!(request.url ?? '').includes('/blobs/')) return false;
      response.writeHead(307, { location: `http://${other.host}${request.url}` }).end();
      return true;
    };
    for (const blob of [image.config, ...image.layers]) other.blobs.set(digest(blob), blob);
    await world.pull(`${server.host}/r:1`, { auth: { username: 'a', password: 'b' } });
    t.ok(server.seen.some(({ authorization }) => authorization === 'Basic YTpi'));
    t.equal(other.seen.length, 2);
    t.ok(other.seen.every(({ authorization }) => authorization === undefined));
  });

  await t.test('a token realm at a link-local address is never asked', async (t) => {
    const { server, world, expectNothing } = await scene(t, {
      registry: { insecureRegistries: ['169.254.0.0/16'] },
    });
    server.serve('r', '1', image);
    server.fault = (_, response) => {
      const realm = 'http://169.254.169.254/token';
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="s"` }).end();
      return true;
    };
    await t.rejects(world.pull(`${server.host}/r:1`, { auth: { username: 'a', password: 'b' } }), {
      message: /may not send us to the private address 169\.254\.169\.254/,
    });
    await expectNothing();
  });

  await t.test('a token realm without TLS is never asked', async (t) => {
    const { server, world } = await scene(t);
    server.serve('r', '1', image);
    server.fault = (_, response) => {
      const realm = 'http://auth.example.com/token';
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="s"` }).end();
      return true;
    };
    await t.rejects(world.pull(`${server.host}/r:1`), {
      message: /may not send us to http:\/\/auth\.example\.com without TLS/,
    });
  });

  await t.test("without credentials for basic auth Docker's words are used", async (t) => {
    const { server, world } = await scene(t);
    server.fault = (_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    };
    await t.rejects(world.pull(`${server.host}/r:1`), {
      kind: 'System',
      message: `Get "http://${server.host}/v2/r/manifests/1": no basic auth credentials`,
    });
    await t.rejects(world.pull(`${server.host}/r:1`, { auth: { username: 'a', password: 'b' } }), {
      kind: 'System',
      message: 'unauthorized: authentication required',
    });
  });

  await t.test('denied is a 404 that suggests to log in', async (t) => {
    const { server, world } = await scene(t);
    server.fault = (request, response) => {
      if (request.url === '/v2/') return false;
      response.writeHead(403, { 'content-type': 'application/json' });
      response.end(
        '{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}',
      );
      return true;
    };
    await t.rejects(world.pull(`${server.host}/r:1`), {
      kind: 'NotFound',
      message:
        `pull access denied for ${server.host}/r, repository does not exist or may require ` +
        "'docker login': denied: requested access to the resource is denied",
    });
  });
});

test('a connection that breaks', async (t) => {
  const random = Buffer.from(Array.from({ length: 600_000 }, (_, at) => (at * 7919) % 251));
  const image = buildImage([tarOf([{ name: 'large', content: random }])], { gzipLevel: 0 });
  const layer = layerOf(image);

  /** Sends `bytes` of what is asked for, then hangs up. */
  const breakAfter = (server: LyingRegistry, bytes: number): void => {
    server.fault = (request, response) => {
      if (request.url !== `/v2/r/blobs/${digest(layer)}`) return false;
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      if (layer.length - start <= bytes) return false;
      response.writeHead(start === 0 ? 200 : 206, {
        'content-length': layer.length - start,
        ...(start === 0
          ? {}
          : { 'content-range': `bytes ${start}-${layer.length - 1}/${layer.length}` }),
      });
      response.write(layer.subarray(start, start + bytes), () => response.destroy());
      return true;
    };
  };

  await t.test('is taken up where it broke, as often as it breaks', async (t) => {
    const { server, world } = await scene(t);
    server.serve('r', '1', image);
    breakAfter(server, 200_000);
    await world.pull(`${server.host}/r:1`);
    const ranges = server.seen.flatMap(({ path, range }) =>
      path.endsWith(digest(layer)) ? [range] : [],
    );
    t.equal(ranges[0], undefined);
    t.ok(ranges.length >= 3 && ranges.slice(1).every((range) => /^bytes=\d+-$/.test(range ?? '')));
  });

  await t.test('for good leaves a partial that the next pull goes on with', async (t) => {
    const { server, world } = await scene(t);
    server.serve('r', '1', image);
    const controller = new AbortController();
    const pulling = world.pull(`${server.host}/r:1`, {
      signal: controller.signal,
      onLine: ({ status, progressDetail }) => {
        if (status === 'Downloading' && (progressDetail?.current ?? 0) > 0) controller.abort();
      },
    });
    let sent = 0;
    server.fault = (request, response) => {
      if (request.url !== `/v2/r/blobs/${digest(layer)}` || sent > 0) return false;
      sent = 300_000;
      response.writeHead(200, { 'content-length': layer.length });
      response.write(layer.subarray(0, sent));
      return true;
    };
    await t.rejects(pulling, { name: 'AbortError' });
    t.same(await world.leftovers(), [`partial-${digest(layer).slice(7)}`]);
    t.same(await world.unpacked(), []);
    await world.pull(`${server.host}/r:1`);
    const [, second] = server.seen.filter(({ path }) => path.endsWith(digest(layer)));
    t.match(second?.range, /^bytes=[1-9]\d*-$/);
    t.same(await world.leftovers(), []);
  });

  await t.test('does not stop another pull of the same layer when one leaves', async (t) => {
    const { server, world } = await scene(t);
    server.serve('r', '1', image);
    const controller = new AbortController();
    let release = (): void => undefined;
    server.fault = (request, response) => {
      if (request.url !== `/v2/r/blobs/${digest(layer)}`) return false;
      release = () => sendBlob(response, layer, request.headers.range);
      return true;
    };
    const leaving = world.pull(`${server.host}/r:1`, { signal: controller.signal });
    const staying = world.pull(`${server.host}/r:1`);
    while (server.seen.every(({ path }) => !path.endsWith(digest(layer)))) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    controller.abort();
    await t.rejects(leaving, { name: 'AbortError' });
    release();
    await staying;
    t.equal(world.images.resolve(`${server.host}/r:1`).id, image.id);
    t.equal(server.seen.filter(({ path }) => path.endsWith(digest(layer))).length, 1);
  });
});

test('layers that were complete are not fetched again after another one failed', async (t) => {
  const { server, world } = await scene(t);
  const image = buildImage([small, tarOf([{ name: 'other', content: 'x' }])]);
  const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = image.layers;
  server.serve('r', '1', image);
  server.blobs.delete(digest(second));
  await t.rejects(world.pull(`${server.host}/r:1`), { message: /^blob unknown/ });
  t.same(await world.unpacked(), []);
  server.blobs.set(digest(second), second);
  const before = server.seen.filter(({ path }) => path.endsWith(digest(first))).length;
  await world.pull(`${server.host}/r:1`);
  const after = server.seen.filter(({ path }) => path.endsWith(digest(first))).length;
  t.ok(before <= 1);
  t.equal(after, 1);
});

test('a mirror is asked first, without credentials, and passed over when it fails', async (t) => {
  const mirror = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization ?? '-'}`);
    response.writeHead(500).end();
  });
  const asked: string[] = [];
  await new Promise<void>((resolve) => mirror.listen(0, '127.0.0.1', resolve));
  t.teardown(() => mirror.close());
  // A server that listens on a port has an AddressInfo.
  const { port } = mirror.address() as AddressInfo;
  const world = await openImageWorld({ registry: { mirrors: [`http://127.0.0.1:${port}`] } });
  t.teardown(() => world.close());
  const signal = AbortSignal.timeout(20_000);
  const pulling = world.pull('busybox:1', { auth: { username: 'a', password: 'b' }, signal });
  await t.rejects(pulling, { message: /registry-1\.docker\.io/ });
  t.same(asked, ['/v2/library/busybox/manifests/1 -']);
});
