/** What a load tells of while the archive still comes. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type Test } from 'tap';
import type { JsonMessage } from '../../api-spec/index.js';
import { buildImage, digest } from '../support/image-builder.js';
import { openImageWorld, type ImageWorld } from '../support/image-world.js';
import { tarOf } from '../support/tar.js';

const never = new AbortController().signal;
/** Incompressible, and larger than what is too small for a bar. */
const image = buildImage([tarOf([{ name: 'noise', content: randomBytes(6_000_000) }])]);
const [layer = Buffer.alloc(0)] = image.layers;
const blob = (content: Buffer) => ({ name: `blobs/sha256/${digest(content).slice(7)}`, content });
const index = {
  schemaVersion: 2,
  manifests: [{
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digest(image.manifest),
    size: image.manifest.length,
    annotations: { 'io.containerd.image.name': 'docker.io/library/noise:1' },
  }],
};
const archive = tarOf([
  blob(layer),
  blob(image.config),
  blob(image.manifest),
  { name: 'index.json', content: JSON.stringify(index) },
  { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
]);
const waitMs = 30_000;

async function world(t: Test): Promise<ImageWorld> {
  const opened = await openImageWorld();
  t.teardown(() => opened.close());
  return opened;
}

/** Sends half of the archive, and the rest only when `isSeen`, or never: then it rejects. */
async function* inHalves(isSeen: () => boolean): AsyncGenerator<Buffer> {
  const half = archive.length / 2;
  yield archive.subarray(0, half);
  for (const startedMs = Date.now(); !isSeen(); await sleep(10)) {
    if (Date.now() - startedMs > waitMs) throw new Error('nothing is told before the end');
  }
  yield archive.subarray(half);
}

async function load(
  { images }: ImageWorld,
  { body, quiet = false }: { readonly body: Readable; readonly quiet?: boolean },
  lines: JsonMessage[],
): Promise<readonly JsonMessage[]> {
  const sink = async (message: JsonMessage): Promise<void> => void lines.push(message);
  await images.load({ body, quiet, platforms: [], sink, signal: never });
  return lines;
}

test('the bar of a layer grows while the archive comes', async (t) => {
  const opened = await world(t);
  const lines: JsonMessage[] = [];
  await load(opened, { body: Readable.from(inHalves(() => lines.length > 0)) }, lines);
  const id = digest(layer).slice(7, 19);
  const bars = lines.filter(({ status }) => status === 'Loading layer');
  t.ok(bars.every((line) => line.id === id), 'it is about the layer alone');
  const at = bars.map(({ progressDetail }) => progressDetail as { current: number; total: number });
  t.ok(at.every(({ total }) => total === layer.length));
  t.ok((at[0]?.current ?? 0) < layer.length, 'the first was told before the end');
  t.equal(at.at(-1)?.current, layer.length, 'the last is whole');
  t.same(lines.at(-1), { stream: 'Loaded image: noise:1\n' });

  const again = await load(opened, { body: Readable.from([archive]) }, []);
  t.same(again, [{ stream: 'Loaded image: noise:1\n' }], 'nothing is told of what is here');
});

test('who asks for quiet gets it', async (t) => {
  const opened = await world(t);
  const lines = await load(opened, { body: Readable.from([archive]), quiet: true }, []);
  t.same(lines, [{ stream: 'Loaded image: noise:1\n' }]);
});
