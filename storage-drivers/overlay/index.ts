/**
 * overlayfs: each layer is unpacked by itself, under its diffID, and the kernel stacks them.
 * Nothing is mounted here; `mount` says what the shim is to mount.
 *
 *     layers/<hex>/diff        the layer, with whiteouts as overlayfs wants them
 *     layers/<hex>/opaque      there when its root hides all layers beneath
 *     containers/<id>/{diff,work}
 *     init/<16 hex>            lies between a container and its layers
 *     l/<20 hex>               link to a layer's diff, for kernels that take a page of options
 *     l/<16 hex>               the same to what lies between
 *     empty                    beneath an image that is mounted alone: overlayfs wants two folders
 */
// The calls of a create or a start are synchronous: some twenty microseconds each on the data
// root's own disk, a tenth of what a turn through the thread pool takes.
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isOpaqueFolder } from '../../native/inside.js';
import { inUserNamespace } from '../../native/userns.js';
import {
  type Difference,
  exportTree,
  listChanges,
  syncTree,
  treeUsage,
  writeLayer,
} from '../../native/unpack/index.js';
import type {
  LayersRecipe,
  LayerStage,
  MountOptions,
  MountRecipe,
  StorageDriver,
  TakenLayer,
} from '../driver.js';
import { ErrnoError } from '../../native/errno-error.js';
import {
  type Folders,
  nameOfContainer,
  nameOfKey,
  openFolders,
  sameTree,
  treeOptions,
} from '../folders.js';
import { type InitLayers, openInitLayers } from '../init-layer.js';
import { openLinks, type Links } from './links.js';
import { checkOverlay } from './support.js';

/** A mount's options fit a page with 127 of them; 80 bits are not found twice on purpose. */
const SHORT_NAME_DIGITS = 20;

const EMPTY = 'empty';

/** Off whatever the kernel's default: with them the upper folder alone is no diff any more. */
const options = (): readonly string[] =>
  inUserNamespace()
    // Which switches the other two off, and refuses to be told so.
    ? ['index=off', 'userxattr']
    : ['index=off', 'metacopy=off', 'redirect_dir=off'];

/** Opens the driver below `root`; refuses a filesystem that overlayfs cannot lie on. */
export async function createOverlayDriver(root: string): Promise<StorageDriver> {
  const folders = await openFolders(root);
  const links = await openLinks(join(root, 'l'));
  await mkdir(join(root, EMPTY), { recursive: true, mode: 0o755 });
  const backing = await checkOverlay(root);
  const inits = openInitLayers(folders);
  const stackOf = (layers: readonly string[]): Promise<Stack> => openStack(folders, inits, layers);
  const differenceOf = async (id: string, layers: readonly string[], ours: readonly string[]) => {
    const { init, lower } = await stackOf(layers);
    const folder = diffOf(folders, 'containers', nameOfContainer(id));
    const layersTopFirst = [init, ...lower];
    return { folder, whiteouts: 'overlay', layersTopFirst, ours } satisfies Difference;
  };

  return {
    name: 'overlay',
    layerIdentity: 'diffID',
    status: () => statusOf(backing),
    stageLayer: async ({ key }) => stageAt(await stageFolder(folders), { folders, links }, key),
    hasLayer: async (key) => folders.has('layers', nameOfKey(key)),
    removeLayer: (key) => removeLayer(folders, links, nameOfKey(key)),
    layerFolders: (layers) =>
      layerNames(folders, layers).map((name) => diffOf(folders, 'layers', name)),
    layerUsage: async (key) => treeUsage(diffOf(folders, 'layers', nameOfKey(key))),
    async createContainer(id, layers) {
      await stackOf(layers);
      makeUpper(folders.path('containers', nameOfContainer(id)));
    },
    async mount(id, layers, options) {
      const container = folders.path('containers', nameOfContainer(id));
      if (!hasUpper(container)) makeUpper(container);
      // What a volatile mount left means "do not trust after a power cut"; a start is meant to.
      const distrust = join(container, 'work', 'work', 'incompat');
      if (existsSync(distrust)) rmSync(distrust, { recursive: true, force: true });
      return recipe(links, container, await stackOf(layers), options);
    },
    mountLayers: (layers) => layersRecipe(folders, links, layers),
    removeContainer: async (id) => folders.discard(folders.path('containers', nameOfContainer(id))),
    containerUsage: async (id) => treeUsage(diffOf(folders, 'containers', nameOfContainer(id))),
    diff: async (id, layers, outputFd, { ours, signal }) =>
      writeLayer(await differenceOf(id, layers, ours), outputFd, treeOptions(signal)),
    take: async (id, layers, outputFd, { ours, signal }) =>
      take({ folders, links }, await differenceOf(id, layers, ours), outputFd, signal),
    changes: async (id, layers, { ours, signal }) =>
      listChanges(await differenceOf(id, layers, ours), treeOptions(signal)),
    async export(id, layers, signal) {
      const { folder, layersTopFirst } = await differenceOf(id, layers, []);
      return exportTree([folder, ...layersTopFirst], treeOptions(signal));
    },
    async reconcile(known) {
      const layers = new Set([...known.layers].map(nameOfKey));
      const told = await folders.reconcile({ layers, containers: known.containers });
      await mendLinks(folders, links);
      return told;
    },
    close: () => folders.close(),
  };
}

function statusOf(backing: string): readonly (readonly [string, string])[] {
  return [
    ['Backing Filesystem', backing],
    ['Supports d_type', 'true'],
    ['Using metacopy', 'false'],
    ['Native Overlay Diff', 'true'],
    ['userxattr', String(inUserNamespace())],
  ];
}

function diffOf(folders: Folders, shelf: 'layers' | 'containers', name: string): string {
  return join(folders.path(shelf, name), 'diff');
}

/** Topmost first, as far down as anything shows through. */
function layerNames(folders: Folders, layers: readonly string[]): readonly string[] {
  requireLayers(folders, layers);
  return visible(folders, [...layers].reverse().map(nameOfKey));
}

function shortName(name: string): string {
  return name.slice(0, SHORT_NAME_DIGITS);
}

async function stageFolder(folders: Folders): Promise<string> {
  const staged = await folders.stage();
  await mkdir(join(staged, 'diff'), { mode: 0o755 });
  return staged;
}

async function removeLayer(folders: Folders, links: Links, name: string): Promise<void> {
  await links.remove(shortName(name));
  await folders.discard(folders.path('layers', name));
}

interface Place {
  readonly folders: Folders;
  readonly links: Links;
}

async function take(
  place: Place,
  difference: Difference,
  outputFd: number,
  signal: AbortSignal | undefined,
): Promise<TakenLayer> {
  const staged = await stageFolder(place.folders);
  try {
    const options = { ...treeOptions(signal), into: join(staged, 'diff') };
    const written = await writeLayer(difference, outputFd, options);
    return { written, stage: (key) => stageAt(staged, place, key) };
  } catch (error) {
    await place.folders.discard(staged);
    throw error;
  }
}

function stageAt(staged: string, { folders, links }: Place, key: string): LayerStage {
  const name = nameOfKey(key);
  const path = join(staged, 'diff');
  const markOpaque = async (): Promise<void> => {
    if (isOpaqueFolder(path)) await writeFile(join(staged, 'opaque'), '');
  };
  return {
    path,
    whiteouts: 'overlay',
    isAsKept: (signal) => sameTree(path, diffOf(folders, 'layers', name), signal),
    async commit() {
      await markOpaque();
      await syncTree(staged);
      await folders.publish(staged, 'layers', name);
      makeLayerLink(links, name);
    },
    async show() {
      await markOpaque();
      await folders.show(staged, 'layers', name);
      makeLayerLink(links, name);
      return folders.path('layers', name);
    },
    abort: () => folders.discard(staged),
  };
}

/** Made again where a power cut took it: an empty upper folder is what a new container has. */
function makeUpper(container: string): void {
  mkdirSync(container, { recursive: true, mode: 0o700 });
  mkdirSync(join(container, 'diff'), { recursive: true, mode: 0o755 });
  mkdirSync(join(container, 'work'), { recursive: true, mode: 0o700 });
}

const hasUpper = (container: string): boolean =>
  ['diff', 'work'].every((name) => existsSync(`${container}/${name}`));

function requireLayers(folders: Folders, layers: readonly string[]): void {
  for (const key of layers) {
    const path = diffOf(folders, 'layers', nameOfKey(key));
    if (!existsSync(path)) throw new ErrnoError('open', 'ENOENT', path);
  }
}

/** What containers of one image lie on. */
interface Stack {
  /** Of the layers, topmost first. */
  readonly names: readonly string[];
  /** Their folders. */
  readonly lower: readonly string[];
  readonly init: string;
}

async function openStack(
  folders: Folders,
  inits: InitLayers,
  layers: readonly string[],
): Promise<Stack> {
  const names = layerNames(folders, layers);
  const lower = names.map((name) => diffOf(folders, 'layers', name));
  return { names, lower, init: await inits.folderFor(layers, lower) };
}

function recipe(
  links: Links,
  container: string,
  { names, lower, init }: Stack,
  { volatile }: MountOptions,
): MountRecipe {
  const initName = basename(init);
  links.make(initName, join('..', 'init', initName));
  for (const name of names) makeLayerLink(links, name);
  return {
    kind: 'overlay',
    lowerdirs: [init, ...lower],
    upperdir: join(container, 'diff'),
    workdir: join(container, 'work'),
    volatile,
    options: options(),
    shortNames: { dir: links.dir, lowerdir: [initName, ...names.map(shortName)].join(':') },
  };
}

function layersRecipe(
  folders: Folders,
  links: Links,
  layers: readonly string[],
): LayersRecipe {
  const names = layerNames(folders, layers);
  const empty = join(folders.root, EMPTY);
  if (names.length === 0) return { kind: 'bind', source: empty };
  links.make(EMPTY, join('..', EMPTY));
  for (const name of names) makeLayerLink(links, name);
  return {
    kind: 'overlay',
    lowerdirs: [...names.map((name) => diffOf(folders, 'layers', name)), empty],
    options: options(),
    shortNames: { dir: links.dir, lowerdir: [...names.map(shortName), EMPTY].join(':') },
  };
}

/**
 * Down to the first layer whose root is opaque: overlayfs does not look at that attribute there.
 */
function visible(folders: Folders, topFirst: readonly string[]): readonly string[] {
  for (const [index, name] of topFirst.entries()) {
    const isOpaque = existsSync(join(folders.path('layers', name), 'opaque'));
    if (isOpaque) return topFirst.slice(0, index + 1);
  }
  return topFirst;
}

function makeLayerLink(links: Links, name: string): void {
  links.make(shortName(name), join('..', 'layers', name, 'diff'));
}

async function mendLinks(folders: Folders, links: Links): Promise<void> {
  await links.clear();
  for (const name of await folders.names('layers')) makeLayerLink(links, name);
}
