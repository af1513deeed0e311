import { test } from 'tap';
import { buildImage, digest, type BuiltImage } from '../support/image-builder.js';
import type { LyingRegistry } from '../support/lying-registry.js';
import { layerOf, ociManifest, scene } from '../support/registry-scene.js';
import { entryOf, tarOf } from '../support/tar.js';

const small = tarOf([{ name: 'file', content: 'content' }]);

interface Lie {
  readonly image?: BuiltImage;
  /** Changes what the registry serves. */
  readonly tell: (server: LyingRegistry, image: BuiltImage) => void;
  readonly message: string | RegExp;
  readonly kind?: string;
}

/** Replaces the manifest, which then has another digest, and another type if it is to. */
function reshape(image: BuiltImage, change: (manifest: Record<string, never>) => object): Buffer {
  const manifest: unknown = JSON.parse(image.manifest.toString('utf8'));
  // The builder's own manifest: an object.
  return Buffer.from(JSON.stringify(change(manifest as Record<string, never>)));
}

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
    image: buildImage([small], {
      document: { rootfs: { diff_ids: [`sha256:${'1'.repeat(64)}`] } },
    }),
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
    message:
      /^error pulling image configuration: image config verification failed for digest sha256:/,
  },
  'a config that is no config': {
    image: buildImage([small], { config: { Env: 'PATH=/bin' } }),
    tell: () => undefined,
    message: 'invalid image configuration: config.Env is missing or of the wrong type',
  },
  'a document that is manifest and index at once': {
    tell: (server, image) =>
      serveManifest(
        server,
        reshape(image, (manifest) => ({ ...manifest, manifests: [] })),
      ),
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
      serveManifest(
        server,
        reshape(image, (manifest) => ({ ...manifest, layers: Array(200).fill({}) })),
      ),
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
      const failure: unknown = await world
        .pull(`${server.host}/lie:1`)
        .catch((error: unknown) => error);
      t.match(failure, { name: 'ApiError', message, ...(kind === undefined ? {} : { kind }) });
      await expectNothing();
    });
  }
});

/** Where the bytes of a gzip stream mean something else each. */
function placesOf(gzip: Buffer): Readonly<Record<string, number>> {
  const { length } = gzip;
  return {
    'first of its mark': 0, 'second of its mark': 1, method: 2, flags: 3, time: 4, system: 9,
    'first of its content': 10, 'middle of its content': length >> 1,
    'last of its content': length - 9, 'sum': length - 8, 'size': length - 4, 'last': length - 1,
  };
}

const flipped = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 0x10;
  return copy;
};

test('a byte that is wrong is found, wherever it is', async (t) => {
  const image = buildImage([tarOf([{ name: 'file', content: 'content '.repeat(500) }])]);
  const layer = layerOf(image);
  const { server, world, expectNothing } = await scene(t);
  const refused = async (reference: string, what: string): Promise<void> => {
    const failure: unknown = await world.pull(reference).catch((error: unknown) => error);
    t.match(failure, { name: 'ApiError' }, what);
    await world.images.recover();
    await expectNothing();
  };
  const tag = `${server.host}/lie:1`;
  const ends = (bytes: Buffer): readonly number[] => [0, 1, bytes.length >> 1, bytes.length - 1];
  const whole = (): void => server.serve('lie', '1', image);
  for (const [name, at] of Object.entries(placesOf(layer))) {
    whole();
    server.blobs.set(digest(layer), flipped(layer, at));
    await refused(tag, `layer: ${name}`);
  }
  for (const at of ends(image.config)) {
    whole();
    server.blobs.set(image.id, flipped(image.config, at));
    await refused(tag, `config: byte ${at}`);
  }
  server.blobs.set(image.id, image.config.subarray(0, image.config.length >> 1));
  await refused(tag, 'config: ends in its middle');
  const byDigest = `${server.host}/lie@${digest(image.manifest)}`;
  for (const at of ends(image.manifest)) {
    whole();
    const bytes = flipped(image.manifest, at);
    server.manifests.set(`lie:${digest(image.manifest)}`, { bytes, mediaType: ociManifest });
    await refused(byDigest, `manifest: byte ${at}`);
  }
  server.manifests.clear();
  whole();
  await world.pull(byDigest);
});
