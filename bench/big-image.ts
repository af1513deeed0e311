import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip, gunzip } from 'node:zlib';
import { pack } from 'tar-stream';

/** How large the image is. */
export interface BigImageWish {
  readonly files: number;
  /** Of all layers together, compressed. */
  readonly compressedBytes: number;
}

interface Layer {
  readonly digest: string;
  readonly diffId: string;
  readonly sizeBytes: number;
}

/** Real files come from here; they make names, sizes and compressibility like a system's. */
const sources = ['/usr/share', '/usr/lib', '/usr/include'];
const topUpBytes = 500_000;
const mostTopUps = 400;
const largestRealBytes = 2_000_000;
const layerMedia = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
const layerShares = [0.6, 0.3, 0.1];

/** Writes an image as a static registry serves it: real files, then random ones up to the size. */
export async function makeBigImage(folder: string, wish: BigImageWish): Promise<void> {
  const real = realFiles();
  const layers: Layer[] = [];
  for (const [at, share] of layerShares.entries()) {
    const part = {
      files: Math.round(wish.files * share),
      compressedBytes: wish.compressedBytes * share,
    };
    layers.push(await makeLayer({ folder, name: `layer${at}`, real }, part));
  }
  const config = JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    created: '2026-01-01T00:00:00Z',
    config: { Cmd: ['/bin/true'] },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created: '2026-01-01T00:00:00Z', created_by: 'bench' })),
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
    config: {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      digest: await put(folder, config),
      size: Buffer.byteLength(config),
    },
    layers: layers.map(
      ({ digest, sizeBytes }) => ({ mediaType: layerMedia, digest, size: sizeBytes }),
    ),
  });
  await writeFile(join(folder, 'latest'), await put(folder, manifest));
}

/**
 * Writes the same image as a docker archive with plain layers, as `docker save` does, and with this
 * name.
 */
export async function makeArchive(folder: string, path: string, name: string): Promise<void> {
  const read = async (digest: string): Promise<Buffer> =>
    buffer(createReadStream(join(folder, digest.replace(':', '-'))));
  // Both documents are ours, of `makeBigImage`.
  const manifest = JSON.parse((await read(await latest(folder))).toString('utf8')) as {
    readonly config: { readonly digest: string };
    readonly layers: readonly { readonly digest: string }[];
  };
  const archive = pack();
  const written = pipeline(archive, createWriteStream(path));
  const layers: string[] = [];
  for (const [at, { digest }] of manifest.layers.entries()) {
    const plain = await gunzipped(await read(digest));
    layers.push(`layer${at}/layer.tar`);
    archive.entry({ name: `layer${at}/layer.tar`, mode: 0o644 }, plain);
  }
  archive.entry({ name: 'config.json', mode: 0o644 }, await read(manifest.config.digest));
  const images = [{ Config: 'config.json', RepoTags: [`${name}:latest`], Layers: layers }];
  archive.entry({ name: 'manifest.json', mode: 0o644 }, JSON.stringify(images));
  archive.finalize();
  await written;
}

const gunzipped = promisify(gunzip);

async function latest(folder: string): Promise<string> {
  return readFile(join(folder, 'latest'), 'utf8');
}

async function put(folder: string, text: string): Promise<string> {
  const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;
  await writeFile(join(folder, digest.replace(':', '-')), text);
  return digest;
}

interface LayerPlace {
  readonly folder: string;
  readonly name: string;
  readonly real: AsyncGenerator<string>;
}

async function makeLayer({ folder, name, real }: LayerPlace, wish: BigImageWish): Promise<Layer> {
  const archive = pack();
  const plain = hashing();
  const packed = hashing();
  const path = join(folder, name);
  const written = pipeline(
    archive,
    plain.through,
    createGzip({ level: 6 }),
    packed.through,
    createWriteStream(path),
  );
  // The producer waits for the compressor, so what came out so far tells how much is missing.
  const filling = fill(archive, { name, real }, { wish, compressed: packed.sizeBytes });
  await Promise.all([written, filling]);
  const digest = packed.digest();
  await rename(path, join(folder, digest.replace(':', '-')));
  return { digest, diffId: plain.digest(), sizeBytes: packed.sizeBytes() };
}

interface Filling {
  readonly wish: BigImageWish;
  readonly compressed: () => number;
}

async function fill(
  archive: ReturnType<typeof pack>,
  { name, real }: { readonly name: string; readonly real: AsyncGenerator<string> },
  { wish, compressed }: Filling,
): Promise<void> {
  const reserveBytes = wish.compressedBytes * 0.1;
  const add = async (path: string, content: Buffer): Promise<void> => {
    await new Promise<void>((resolve, reject) => {
      const header = { name: path, mode: 0o644, size: content.length };
      const sink = archive.entry(header, (problem) =>
        problem === null || problem === undefined ? resolve() : reject(problem),
      );
      sink.end(content);
    });
  };
  let made = 0;
  while (made < wish.files) {
    const isRoomy = compressed() < wish.compressedBytes - reserveBytes;
    const source = isRoomy ? await real.next() : undefined;
    if (source !== undefined && source.done !== true) {
      await add(`${name}${source.value}`, await buffer(createReadStream(source.value)));
    } else {
      const rest = Math.max(wish.compressedBytes - compressed(), 0) / (wish.files - made);
      await add(
        `${name}/random/${made}`,
        randomBytes(Math.min(Math.round(rest), largestRealBytes)),
      );
    }
    made++;
  }
  // The compressor lags behind: what is still missing goes into a few more files.
  for (let more = 0; compressed() < wish.compressedBytes && more < mostTopUps; more++) {
    await add(`${name}/random/more${more}`, randomBytes(topUpBytes));
  }
  archive.finalize();
}

/** Plain readable files of the system, in the order of their names. */
async function* realFiles(): AsyncGenerator<string> {
  for (const source of sources) yield* walk(source);
}

async function* walk(folder: string): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile() && (await lstat(path)).size <= largestRealBytes) yield path;
  }
}

interface Hashing {
  readonly through: Transform;
  readonly digest: () => string;
  readonly sizeBytes: () => number;
}

function hashing(): Hashing {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const through = new Transform({
    transform(chunk: Buffer, _encoding, done): void {
      hash.update(chunk);
      sizeBytes += chunk.length;
      done(null, chunk);
    },
  });
  let digest: string | undefined;
  return {
    through,
    digest: () => (digest ??= `sha256:${hash.digest('hex')}`),
    sizeBytes: () => sizeBytes,
  };
}

/** The bytes of all layers in a folder, for the report. */
export async function imageBytes(folder: string): Promise<number> {
  const sizes = await Promise.all(
    (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

