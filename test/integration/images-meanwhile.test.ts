/** While images come and go: layers side by side, and a layout that others can read. */
import { createHash } from 'node:crypto';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'tap';
import { until } from '../support/containers.js';
import { buildImage, digest } from '../support/image-builder.js';
import type { ImageWorld } from '../support/image-world.js';
import { scene } from '../support/registry-scene.js';
import { tarOf } from '../support/tar.js';

const layer = (name: string): Buffer => tarOf([{ name, content: name.repeat(100_000) }]);

test('layers are unpacked side by side, and none waits for those beneath', async (t) => {
  const { server, world } = await scene(t);
  const image = buildImage(['bottom', 'middle', 'top'].map(layer), { gzipLevel: 0 });
  server.serve('r', '1', image);
  const [bottom, middle, top] = image.layers.map((bytes) => digest(bytes));
  const stages = async (): Promise<number> =>
    (await readdir(join(world.directory, 'storage', 'overlay', 'stage'))).length;
  const held = new Map<string, () => void>();
  server.fault = (request, response) => {
    const wanted = image.layers.find((bytes) => (request.url ?? '').endsWith(digest(bytes)));
    if (wanted === undefined || digest(wanted) === top) return false;
    response.writeHead(200, { 'content-length': wanted.length });
    response.write(wanted.subarray(0, wanted.length >> 1));
    held.set(digest(wanted), () => response.end(wanted.subarray(wanted.length >> 1)));
    return true;
  };
  const pulling = world.pull(`${server.host}/r:1`);
  // Nothing of what follows would come about if one waited for another.
  const topIsThere = async (): Promise<boolean> => (await world.unpacked()).length === 1;
  await until('the uppermost is there', topIsThere, 30_000);
  await until('two are being unpacked', async () => (await stages()) === 2, 30_000);
  for (const blob of [middle, bottom]) held.get(blob ?? '')?.();
  await pulling;
  t.equal((await world.unpacked()).length, 3);
  t.equal(held.size, 2);
});

interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

const pathOf = ({ digest: name }: Descriptor): string => `blobs/${name.replace(':', '/')}`;

async function indexOf(folder: string): Promise<readonly Descriptor[]> {
  const text = await readFile(join(folder, 'index.json'), 'utf8');
  // An index by its place.
  return (JSON.parse(text) as { manifests: readonly Descriptor[] }).manifests;
}

/** Reads a layout as crane does: from its index down to each blob; what is wrong with it. */
async function faultsOf(folder: string): Promise<readonly string[]> {
  const layout = await readFile(join(folder, 'oci-layout'), 'utf8');
  const faults = layout.includes('"imageLayoutVersion":"1.0.0"') ? [] : [layout];
  for (const manifest of await indexOf(folder)) {
    faults.push(...(await faultsOfEntry(folder, manifest, maxAttempts)));
  }
  return faults;
}

const maxAttempts = 5;

/** It may have been removed after the index was read, or come again since: then another look. */
async function faultsOfEntry(
  folder: string,
  manifest: Descriptor,
  attempts: number,
): Promise<readonly string[]> {
  try {
    return await faultsOfImage(folder, manifest);
  } catch (error) {
    const now = await indexOf(folder);
    if (!now.some(({ digest: name }) => name === manifest.digest)) return [];
    if (attempts <= 1) return [`${manifest.digest}: ${String(error)}`];
    return faultsOfEntry(folder, manifest, attempts - 1);
  }
}

async function faultsOfImage(folder: string, manifest: Descriptor): Promise<readonly string[]> {
  const bytes = await readFile(join(folder, pathOf(manifest)));
  const sum = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const isWhole = sum === manifest.digest && bytes.length === manifest.size;
  const faults = isWhole ? [] : [`${manifest.digest}: other bytes`];
  // A manifest by its digest.
  const { config, layers } = JSON.parse(bytes.toString()) as {
    config: Descriptor; layers: readonly Descriptor[];
  };
  for (const blob of [config, ...layers]) {
    const { size } = await stat(join(folder, pathOf(blob)));
    if (size !== blob.size) faults.push(`${blob.digest}: ${size} bytes`);
  }
  return faults;
}

/** Names come, move and go, and with them images. */
async function busyLife(world: ImageWorld, host: string, rounds: number): Promise<void> {
  const never = new AbortController().signal;
  for (let round = 0; round < rounds; round += 1) {
    await world.pull(`${host}/r:1`);
    await world.images.tag(`${host}/r:1`, { repo: 'other', tag: `${round}` });
    await world.pull(`${host}/r:2`);
    const body = Readable.from([await saved(world, [`other:${round}`])]);
    await world.images.remove(`${host}/r:1`, { force: true, noprune: false });
    await world.images.remove(`other:${round}`, { force: true, noprune: false });
    const sink = async (): Promise<void> => undefined;
    await world.images.load({ body, quiet: true, platforms: [], sink, signal: never });
    await world.images.remove(`other:${round}`, { force: true, noprune: false });
    await world.images.remove(`${host}/r:2`, { force: true, noprune: false });
  }
}

async function saved(world: ImageWorld, names: readonly string[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const signal = new AbortController().signal;
  // No encoding is set: chunks are bytes.
  for await (const chunk of await world.images.save(names, { signal })) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

test('the layout is valid at all times, for who reads it while images come and go', async (t) => {
  const { server, world, expectNothing } = await scene(t);
  for (const name of ['1', '2']) {
    server.serve('r', name, buildImage(['shared', `own ${name}`].map(layer), { gzipLevel: 0 }));
  }
  // As a daemon does at its start.
  await world.images.recover();
  const folder = join(world.directory, 'image');
  let isOver = false;
  const life = busyLife(world, server.host, 12).finally(() => (isOver = true));
  const faults: string[] = [];
  let reads = 0;
  const reader = async (): Promise<void> => {
    while (!isOver) {
      faults.push(...(await faultsOf(folder)));
      reads += 1;
      await pause(1);
    }
  };
  await Promise.all([life, reader(), reader()]);
  t.same([...new Set(faults)], []);
  t.ok(reads > 20, `${reads} reads`);
  await expectNothing();
});
