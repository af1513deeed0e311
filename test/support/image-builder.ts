/** Images made of a few words, for registries, archives and layouts in tests. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

/** `sha256:…` */
export function digest(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The bytes of an image, and its id. */
export interface BuiltImage {
  readonly id: string;
  readonly config: Buffer;
  /** Compressed. */
  readonly layers: readonly Buffer[];
  /** Plain. */
  readonly tars: readonly Buffer[];
  readonly manifest: Buffer;
}

/** What differs from the plain image. */
export interface BuildOptions {
  readonly config?: object;
  /** Fields of the config document itself. */
  readonly document?: object;
  readonly manifest?: object;
  readonly flavour?: 'oci' | 'docker';
  readonly gzipLevel?: number;
}

/** An image of these layers, lowest first. */
export function buildImage(tars: readonly Buffer[], options: BuildOptions = {}): BuiltImage {
  const docker = options.flavour === 'docker';
  const layers = tars.map((tar) => gzipSync(tar, { level: options.gzipLevel ?? 1 }));
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      created: '2020-01-02T03:04:05Z',
      config: { Cmd: ['/bin/true'], ...options.config },
      rootfs: { type: 'layers', diff_ids: tars.map(digest) },
      history: tars.map((_, height) => ({
        created: '2020-01-02T03:04:05Z',
        created_by: `layer ${height}`,
      })),
      ...options.document,
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: docker
        ? 'application/vnd.docker.distribution.manifest.v2+json'
        : 'application/vnd.oci.image.manifest.v1+json',
      config: {
        mediaType: docker
          ? 'application/vnd.docker.container.image.v1+json'
          : 'application/vnd.oci.image.config.v1+json',
        digest: digest(config),
        size: config.length,
      },
      layers: layers.map((layer) => ({
        mediaType: docker
          ? 'application/vnd.docker.image.rootfs.diff.tar.gzip'
          : 'application/vnd.oci.image.layer.v1.tar+gzip',
        digest: digest(layer),
        size: layer.length,
      })),
      ...options.manifest,
    }),
  );
  return { id: digest(config), config, layers, tars, manifest };
}
