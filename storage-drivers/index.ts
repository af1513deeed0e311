/** The storage drivers by name, and which to take when nobody said. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { StorageDriver } from './driver.js';
import { createOverlayDriver } from './overlay/index.js';
import { OverlayUnsupported } from './overlay/support.js';
import { createVfsDriver } from './vfs/index.js';

export type {
  Change,
  DiffOptions,
  LayerKey,
  LayersRecipe,
  LayerStage,
  MountOptions,
  MountRecipe,
  StorageDriver,
  Usage,
  WrittenLayer,
} from './driver.js';
export { OverlayUnsupported } from './overlay/support.js';

const drivers = {
  overlay: createOverlayDriver,
  /** As Docker calls it, so that its daemon.json is understood. */
  overlay2: createOverlayDriver,
  vfs: createVfsDriver,
} as const;

/** Names for `--storage-driver`. */
export const storageDriverNames: readonly string[] = Object.keys(drivers);

const isDriver = (name: string): name is keyof typeof drivers => Object.hasOwn(drivers, name);

/**
 * Opens a driver; `storage` is the data root's `storage` folder, below which it keeps its own.
 * Throws `OverlayUnsupported`, or an error that names the drivers there are.
 */
export async function createStorageDriver(name: string, storage: string): Promise<StorageDriver> {
  if (!isDriver(name)) {
    throw new Error(`unknown storage driver ${name}: there are ${storageDriverNames.join(', ')}`);
  }
  return drivers[name](join(storage, name === 'vfs' ? 'vfs' : 'overlay'));
}

/**
 * The driver that has been used below `storage` before, so that its images are not lost from sight;
 * else overlay where it can be, else vfs. `warn` is told why not overlay.
 */
export async function chooseStorageDriver(
  storage: string,
  warn: (message: string) => void,
): Promise<StorageDriver> {
  const used = (await holdsLayers(storage, 'vfs')) && !(await holdsLayers(storage, 'overlay'));
  if (used) return createStorageDriver('vfs', storage);
  try {
    return await createStorageDriver('overlay', storage);
  } catch (error) {
    if (!(error instanceof OverlayUnsupported)) throw error;
    warn(`${error.message}; using vfs, which copies every layer whole`);
    return createStorageDriver('vfs', storage);
  }
}

async function holdsLayers(storage: string, driver: string): Promise<boolean> {
  return readdir(join(storage, driver, 'layers')).then(
    (names) => names.length > 0,
    // It was never used, which is the usual answer.
    () => false,
  );
}
