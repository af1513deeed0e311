/**
 * Folders that a layer implies. A tar may hold `tmp/x` without an entry for `tmp`; then `tmp` keeps
 * the mode and owner that the layers beneath gave it. A driver that unpacks each layer by itself
 * makes such a folder root's with 0755, which would show through. So a layer of nothing but those
 * folders, with what they really are, is laid right above: it belongs to that stack (its chainID).
 *
 * Not mended: an implied folder where a layer beneath has a symbolic link of that name.
 */
import { chmod, chown, lstat, mkdir, utimes } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { hasCode } from '../../native/errno-error.js';
import type { StorageDriver } from '../../storage-drivers/driver.js';
import type { LayerRecord } from './catalog.js';
import { chainIds, distinctKeys, mendKey } from './layer-keys.js';

interface Folder {
  readonly path: string;
  readonly stats: Stats;
}

/** `layers`, lowest first, with a mending layer above each that needs one; those are unpacked. */
export async function mendLayers(
  driver: StorageDriver,
  layers: readonly LayerRecord[],
): Promise<readonly LayerRecord[]> {
  const needed =
    driver.layerIdentity === 'diffID' && layers.some(({ implied }) => implied.length > 0);
  if (!needed) return layers;
  const chain = chainIds(layers.map(({ diffId }) => diffId));
  const mended: LayerRecord[] = [];
  for (const [height, layer] of layers.entries()) {
    const beneath = distinctKeys(mended.map(({ storageKey }) => storageKey));
    mended.push(layer);
    const folders =
      layer.implied.length === 0 || beneath.length === 0
        ? []
        : await differingFolders(driver, beneath, layer.implied);
    if (folders.length === 0) continue;
    const key = mendKey(chain[height] ?? layer.diffId);
    await layFolders(driver, { key, parents: [...beneath, layer.storageKey] }, folders);
    mended.push({ storageKey: key, diffId: '', sizeBytes: 0, implied: [] });
  }
  return mended;
}

/** Folders that are something else than root's 0755 in the layers beneath, as those are stacked. */
async function differingFolders(
  driver: StorageDriver,
  beneath: readonly string[],
  implied: readonly string[],
): Promise<readonly Folder[]> {
  const roots = driver.layerFolders(beneath);
  const found: Folder[] = [];
  for (const path of implied) {
    const stats = await topmost(roots, path);
    const differs =
      stats !== undefined &&
      (stats.uid !== 0 || stats.gid !== 0 || (stats.mode & 0o7777) !== 0o755);
    if (stats?.isDirectory() === true && differs) found.push({ path, stats });
  }
  return found;
}

async function topmost(roots: readonly string[], path: string): Promise<Stats | undefined> {
  for (const root of roots) {
    const stats = await lstatInside(root, path);
    if (stats !== undefined) return stats;
  }
  return undefined;
}

/** Each part is looked at by itself, so that no link of the image leads out of it. */
async function lstatInside(root: string, path: string): Promise<Stats | undefined> {
  let at = root;
  let stats: Stats | undefined;
  for (const part of path.split('/').filter((name) => name !== '' && name !== '.')) {
    if (part === '..' || (stats !== undefined && !stats.isDirectory())) return undefined;
    at = join(at, part);
    stats = await lstatIfThere(at);
    if (stats === undefined) return undefined;
  }
  return stats;
}

async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Shallow folders first; a folder on the way that is not among them is root's 0755, as it was. */
async function layFolders(
  driver: StorageDriver,
  layer: { readonly key: string; readonly parents: readonly string[] },
  folders: readonly Folder[],
): Promise<void> {
  if (await driver.hasLayer(layer.key)) return;
  const stage = await driver.stageLayer(layer);
  try {
    const ordered = [...folders].sort((one, other) => one.path.length - other.path.length);
    for (const { path } of ordered) {
      await mkdir(join(stage.path, dirname(path)), { recursive: true, mode: 0o755 });
      await mkdir(join(stage.path, path), { recursive: true });
    }
    for (const { path, stats } of ordered.reverse()) {
      const target = join(stage.path, path);
      await chown(target, stats.uid, stats.gid);
      await chmod(target, stats.mode & 0o7777);
      await utimes(target, stats.atime, stats.mtime);
    }
    await stage.commit();
  } catch (error) {
    await stage.abort();
    throw error;
  }
}
