/**
 * Plain folders, each a whole copy of what lies beneath it: for any filesystem, dear in space and
 * time. A layer goes by its chainID, because its folder holds all layers beneath too.
 *
 *     layers/<hex>/diff    containers/<id>/{diff,init}    empty
 *
 * `init` is a link to what was laid over the copy, `empty` an image without layers.
 */
import { existsSync } from 'node:fs';
import { mkdir, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ErrnoError } from '../../native/errno-error.js';
import {
  copyTree,
  exportTree,
  listChanges,
  syncTree,
  treeUsage,
  writeLayer,
} from '../../native/unpack/index.js';
import type { LayerKey, LayerStage, StorageDriver, WholeFolder } from '../driver.js';
import {
  type Folders,
  nameOfContainer,
  nameOfKey,
  openFolders,
  sameTree,
  type Shelf,
  treeOptions,
} from '../folders.js';
import { layInto, openInitLayers } from '../init-layer.js';

const EMPTY = 'empty';

/** Opens the driver below `root`; any filesystem will do. */
export async function createVfsDriver(root: string): Promise<StorageDriver> {
  const folders = await openFolders(root);
  await mkdir(join(root, EMPTY), { recursive: true, mode: 0o755 });
  const inits = openInitLayers(folders);
  const diff = (shelf: Shelf, name: string): string => join(folders.path(shelf, name), 'diff');
  const layerFolders = (layers: readonly string[]): readonly string[] =>
    layers.slice(-1).map((key) => diff('layers', nameOfKey(key)));
  const difference = (id: string, layers: readonly string[], ours: readonly string[]) => {
    const init = join(folders.path('containers', nameOfContainer(id)), 'init');
    return {
      folder: diff('containers', id),
      whiteouts: 'apply' as const,
      layersTopFirst: [...(existsSync(init) ? [init] : []), ...layerFolders(layers)],
      ours,
    };
  };

  return {
    name: 'vfs',
    layerIdentity: 'chainID',
    status: () => [],
    stageLayer: async (layer) => stageLayer(folders, layer),
    hasLayer: async (key) => folders.has('layers', nameOfKey(key)),
    removeLayer: async (key) => folders.discard(folders.path('layers', nameOfKey(key))),
    layerFolders,
    layerUsage: async (key) => treeUsage(diff('layers', nameOfKey(key))),
    async createContainer(id, layers) {
      const name = nameOfContainer(id);
      if (await folders.has('containers', name)) return;
      const init = await inits.folderFor(layers, layerFolders(layers));
      const staged = await copyOf(folders, layers.at(-1));
      layInto(join(staged, 'diff'), init);
      await symlink(join('..', '..', 'init', basename(init)), join(staged, 'init'));
      await syncTree(staged);
      await folders.publish(staged, 'containers', name);
    },
    mount: async (id) => wholeFolder(diff('containers', nameOfContainer(id))),
    mountLayers: (layers) => wholeFolder(layerFolders(layers)[0] ?? join(root, EMPTY)),
    removeContainer: async (id) => folders.discard(folders.path('containers', nameOfContainer(id))),
    containerUsage: async (id) => treeUsage(diff('containers', nameOfContainer(id))),
    diff: async (id, layers, outputFd, { ours, signal }) =>
      writeLayer(difference(id, layers, ours), outputFd, treeOptions(signal)),
    changes: async (id, layers, { ours, signal }) =>
      listChanges(difference(id, layers, ours), treeOptions(signal)),
    export: async (id, _layers, signal) =>
      exportTree([diff('containers', nameOfContainer(id))], treeOptions(signal)),
    reconcile: (known) =>
      folders.reconcile({
        layers: new Set([...known.layers].map(nameOfKey)),
        containers: known.containers,
      }),
    close: () => folders.close(),
  };
}

function wholeFolder(source: string): WholeFolder {
  if (!existsSync(source)) throw new ErrnoError('open', 'ENOENT', source);
  return { kind: 'bind', source };
}

/** A staged folder whose `diff` holds what the layer `key` holds, or nothing without one. */
async function copyOf(folders: Folders, key: string | undefined): Promise<string> {
  const staged = await folders.stage();
  const target = join(staged, 'diff');
  await mkdir(target, { mode: 0o755 });
  if (key === undefined) return staged;
  const source = join(folders.path('layers', nameOfKey(key)), 'diff');
  try {
    await copyTree({ layersTopFirst: [source], path: '/', target, onlyIfEmpty: false });
  } catch (error) {
    await folders.discard(staged);
    throw error;
  }
  return staged;
}

async function stageLayer(folders: Folders, layer: LayerKey): Promise<LayerStage> {
  const name = nameOfKey(layer.key);
  const staged = await copyOf(folders, layer.parents.at(-1));
  return {
    path: join(staged, 'diff'),
    whiteouts: 'apply',
    isAsKept: (signal) =>
      sameTree(join(staged, 'diff'), join(folders.path('layers', name), 'diff'), signal),
    async commit() {
      await syncTree(staged);
      await folders.publish(staged, 'layers', name);
    },
    async show() {
      await folders.show(staged, 'layers', name);
      return folders.path('layers', name);
    },
    abort: () => folders.discard(staged),
  };
}
