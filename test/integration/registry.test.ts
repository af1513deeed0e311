import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type Test } from 'tap';
import { buildImage, digest, type BuiltImage } from '../support/image-builder.js';
import { openImageWorld, type ImageWorld, type WorldOptions } from '../support/image-world.js';
import { sendBlob, startLyingRegistry, type LyingRegistry } from '../support/lying-registry.js';
import { entryOf, tarOf } from '../support/tar.js';

const small = tarOf([{ name: 'file', content: 'content' }]);

interface Scene {
  readonly server: LyingRegistry;
  readonly world: ImageWorld;
  /** Nothing of the image is there: no row, no blob, no layer, no temporary file. */
  expectNothing(): Promise<void>;
}

async function scene(t: Test, options?: WorldOptions): Promise<Scene> {
  const server = await startLyingRegistry();
  t.teardown(() => server.stop());
  const world = await openImageWorld(options);
  t.teardown(() => world.close());
  const expectNothing = async (): Promise<void> => {
    t.same(await world.images.list({ filters: {}, sharedSize: false }), []);
    t.same(await world.content.digests(), []);
    t.same(await world.unpacked(), []);
    t.same(await world.leftovers(), []);
  };
  return { server, world, expectNothing };
}

interface Lie {
  readonly image?: BuiltImage;
  /** Changes what the registry serves. */
  readonly tell: (server: LyingRegistry, image: BuiltImage) => void;
  readonly message: string | RegExp;
  readonly kind?: string;
}

const layerOf = (image: BuiltImage): Buffer => image.layers[0] ?? Buffer.alloc(0);

/** Replaces the manifest, which then has another digest, and another type if it is to. */
function reshape(image: BuiltImage, change: (manifest: Record<string, never>) => object): Buffer {
  const manifest: unknown = JSON.parse(image.manifest.toString('utf8'));
  // The builder's own manifest: an object.
  return Buffer.from(JSON.stringify(change(manifest as Record<string, never>)));
}

const ociManifest = 'application/vnd.oci.image.manifest.v1+json';

function serveManifest(server: LyingRegistry, bytes: Buffer, mediaType = ociManifest): void {
  server.manifests.set('lie:1', { bytes, mediaType });
}

const bomb = tarOf([{ name: 'zeros', content: Buffer.alloc(400 * 2 ** 20) }]);

const lies: Readonly<Record<string, Lie>> = {
  'a layer with other bytes than its digest': {
    tell: (server, image) => {
      const bytes = Buffer.from(layerOf(image));
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      server.blobs.set(digest(layerOf(image)), bytes);
    },
    message: /^filesystem layer verification failed for digest sha256:|^failed to register layer: /,
  },
  'a layer that is longer than announced': {
    tell: (server, image) => {
      const longer = Buffer.concat([layerOf(image), Buffer.alloc(70_000)]);
      server.blobs.set(digest(layerOf(image)), longer);
    },
    message: /larger than the announced|^failed to register layer: /,
  },
  'a layer whose announced size is too small': {
    tell: (server, image) =>
      serveManifest(
        server,
        reshape(image, (manifest) => ({
          ...manifest,
          layers: [
            {
              mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
              digest: digest(layerOf(image)),
              size: layerOf(image).length - 1,
            },
          ],
        })),
      ),
    message: /larger than the announced|^failed to register layer: /,
  },
  'a config that promises other layers': {
    image: buildImage([small], { document: { rootfs: { diff_ids: [`sha256:${'1'.repeat(64)}`] } } }),
    tell: () => undefined,
    message: /^failed to register layer: wrong diff id calculated on extraction/,
  },
  'a config with more layers than the manifest': {
    image: buildImage([small], {
      document: { rootfs: { diff_ids: [digest(small), digest(small)] } },
    }),
    tell: () => undefined,
    message: "layers from manifest don't match image configuration",
  },
  'a config with other bytes than its digest': {
    tell: (server, image) => {
      const changed = Buffer.from(image.config.toString('utf8').replace('amd64', 'amd63'));
      server.blobs.set(image.id, changed);
    },
    message: /^error pulling image configuration: image config verification failed for digest sha256:/,
  },
  'a config that is no config': {
    image: buildImage([small], { config: { Env: 'PATH=/bin' } }),
    tell: () => undefined,
    message: 'invalid image configuration: config.Env is missing or of the wrong type',
  },
  'a document that is manifest and index at once': {
    tell: (server, image) =>
      serveManifest(server, reshape(image, (manifest) => ({ ...manifest, manifests: [] }))),
    message: 'ocimanifest: expected manifest but found index',
  },
  'a manifest of another type than its header says': {
    tell: (server, image) =>
      serveManifest(server, image.manifest, 'application/vnd.docker.distribution.manifest.v2+json'),
    message:
      "mediaType in manifest should be 'application/vnd.docker.distribution.manifest.v2+json' " +
      `not '${ociManifest}'`,
  },
  'a manifest that is a web page': {
    tell: (server, image) => serveManifest(server, image.manifest, 'text/html'),
    message: 'unsupported media type text/html',
  },
  'a manifest that is not JSON': {
    tell: (server) => serveManifest(server, Buffer.from('nonsense')),
    message: 'manifest invalid: not a JSON object',
  },
  'a manifest without end': {
    tell: (server) => serveManifest(server, Buffer.alloc(5 * 2 ** 20, ' ')),
    message: 'manifest is larger than 4194304 bytes',
  },
  'a manifest with other bytes than its digest': {
    tell: (server, image) => {
      server.fault = (request, response) => {
        if (request.url !== '/v2/lie/manifests/1') return false;
        response.setHeader('content-type', ociManifest);
        response.setHeader('docker-content-digest', `sha256:${'2'.repeat(64)}`);
        response.end(image.manifest);
        return true;
      };
    },
    message: `manifest verification failed for digest sha256:${'2'.repeat(64)}`,
  },
  'a layer of a type that is no layer': {
    tell: (server, image) =>
      serveManifest(
        server,
        reshape(image, (manifest) => ({
          ...manifest,
          layers: [{ mediaType: 'application/foo', digest: digest(layerOf(image)), size: 1 }],
        })),
      ),
    message: 'unsupported media type application/foo',
  },
  'a digest that is a path': {
    tell: (server, image) =>
      serveManifest(
        server,
        reshape(image, (manifest) => ({
          ...manifest,
          layers: [
            {
              mediaType: 'application/vnd.oci.image.layer.v1.tar',
              digest: 'sha256:../../../../etc/passwd',
              size: 1,
            },
          ],
        })),
      ),
    message: 'manifest invalid: layer has invalid digest sha256:../../../../etc/passwd',
  },
  'a million layers': {
    tell: (server, image) =>
      serveManifest(server, reshape(image, (manifest) => ({ ...manifest, layers: Array(200).fill({}) }))),
    message: 'max depth exceeded: 200 layers, at most 127',
  },
  'a tar that climbs out': {
    image: buildImage([tarOf([{ name: '../../escaped', content: 'x' }])]),
    tell: () => undefined,
    message: /^failed to register layer: /,
  },
  'a tar that climbs out through a link': {
    image: buildImage([
      tarOf([
        { name: 'out', type: '2', link: '/tmp' },
        { name: 'out/tsdocker-escaped', content: 'x' },
      ]),
    ]),
    tell: () => undefined,
    message: /^failed to register layer: /,
  },
  'a tar that is cut off': {
    image: buildImage([Buffer.concat(entryOf({ name: 'x', content: 'y', size: 5000 }))]),
    tell: () => undefined,
    message: /^failed to register layer: /,
  },
  'a bomb: 400 MB of zeros in 2 MB': {
    image: buildImage([bomb], { gzipLevel: 9 }),
    tell: () => undefined,
    kind: 'TooLarge',
    message: /^failed to register layer: /,
  },
};

test('a registry that lies is told off, and nothing stays', async (t) => {
  for (const [what, { image, tell, message, kind }] of Object.entries(lies)) {
    await t.test(what, async (t) => {
      const { server, world, expectNothing } = await scene(t);
      const built = image ?? buildImage([small]);
      server.serve('lie', '1', built);
      tell(server, built);
      const failure: unknown = await world.pull(`${server.host}/lie:1`).catch((error: unknown) => error);
      t.match(failure, { name: 'ApiError', message, ...(kind === undefined ? {} : { kind }) });
      await expectNothing();
    });
  }
});

test('an index gives the manifest of the platform that is asked for', async (t) => {
  const { server, world } = await scene(t);
  const amd = buildImage([small]);
  const arm = buildImage([tarOf([{ name: 'arm', content: 'v7' }])], {
    document: { architecture: 'arm', variant: 'v7' },
  });
  for (const [tag, image] of Object.entries({ amd, arm })) server.serve('multi', tag, image);
  const entry = (image: BuiltImage, platform: object): object => ({
    mediaType: ociManifest,
    digest: digest(image.manifest),
    size: image.manifest.length,
    platform,
  });
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      manifests: [
        entry(amd, { os: 'linux', architecture: 'amd64' }),
        entry(arm, { os: 'linux', architecture: 'arm', variant: 'v7' }),
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
    message: /was found but does not match the specified platform: wanted linux\/arm64, actual: linux\/amd64$/,
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

  await t.test('without credentials for basic auth Docker\'s words are used', async (t) => {
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
      response.end('{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}');
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
        ...(start === 0 ? {} : { 'content-range': `bytes ${start}-${layer.length - 1}/${layer.length}` }),
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
    const ranges = server.seen.flatMap(({ path, range }) => (path.endsWith(digest(layer)) ? [range] : []));
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
