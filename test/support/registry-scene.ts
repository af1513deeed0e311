/** A registry of our own beside an image service: the stage of the tests about pulls. */
import type { Test } from 'tap';
import { digest, type BuiltImage } from './image-builder.js';
import { openImageWorld, type ImageWorld, type WorldOptions } from './image-world.js';
import { startLyingRegistry, type LyingRegistry } from './lying-registry.js';

/** Both end with the test. */
export interface Scene {
  readonly server: LyingRegistry;
  readonly world: ImageWorld;
  /** Nothing of the image is there: no row, no blob, no layer, no temporary file. */
  readonly expectNothing: () => Promise<void>;
}

/** Opens both. */
export async function scene(t: Test, options?: WorldOptions): Promise<Scene> {
  const server = await startLyingRegistry();
  t.teardown(() => server.stop());
  const world = await openImageWorld(options);
  t.teardown(() => world.close());
  return { server, world, expectNothing: () => expectNothing(t, world) };
}

/** Nothing of any image is there: no row, no blob, no layer, no temporary file. */
export async function expectNothing(t: Test, world: ImageWorld): Promise<void> {
  t.same(await world.images.list({ filters: {}, sharedSize: false }), []);
  t.same(await world.content.digests(), []);
  t.same(await world.unpacked(), []);
  t.same(await world.leftovers(), []);
}

/** The lowest layer. */
export const layerOf = (image: BuiltImage): Buffer => image.layers[0] ?? Buffer.alloc(0);

/** Media type. */
export const ociManifest = 'application/vnd.oci.image.manifest.v1+json';

/** What an index says of one image. */
export const indexEntry = (image: BuiltImage, platform: object): object => ({
  mediaType: ociManifest,
  digest: digest(image.manifest),
  size: image.manifest.length,
  platform,
});
