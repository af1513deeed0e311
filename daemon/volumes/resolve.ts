/** Right before a start: every mount gets a source that is there, and empty volumes are filled. */
import { closeSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { MountPoint } from '../../api-spec/index.js';
import { invalidParameter, notFound } from '../../api-spec/errors.js';
import { ErrnoError, hasCode } from '../../native/errno-error.js';
import { isAbsent, O_PATH, openInRoot } from '../../native/inside.js';
import { copyTree, removeTree, syncTree } from '../../native/unpack/index.js';
import type { MountRecipe } from '../../storage-drivers/driver.js';
import type { ResolvedMount } from '../containers/needs.js';
import type { ContainerRecord, MountedImage } from '../containers/record.js';
import { findVolume, markCopied, usesOfContainer, usesOfVolume, type VolumeUse } from './book.js';
import type { VolumesContext } from './context.js';
import type { MountSpec } from './mount-spec.js';
import { subpathsOf, tmpfsSpecs, userSpecs } from './plan.js';
import { requireSource } from './prepare.js';

/** Parents before what lies in them: in this order they can be mounted. */
export async function resolveMounts(
  context: VolumesContext,
  record: ContainerRecord,
  recipe: MountRecipe,
): Promise<readonly ResolvedMount[]> {
  const specs = new Map(userSpecs(record.hostConfig).map((spec) => [spec.destination, spec]));
  const subpaths = { ...subpathsOf(record.hostConfig), ...record.subpaths };
  const held = record.mounts.length === 0 ? [] : usesOfContainer(context.store, record.id);
  const uses = new Map(held.map((use) => [use.destination, use]));
  const resolved: ResolvedMount[] = [];
  for (const point of record.mounts) {
    const subpath = subpaths[point.Destination] ?? '';
    const image = record.imageMounts?.[point.Destination];
    if (point.Type === 'image' && image !== undefined) {
      resolved.push(imageMount(context, image, { destination: point.Destination, subpath }));
      continue;
    }
    const use = uses.get(point.Destination);
    if (point.Type === 'volume' && use !== undefined) await readyVolume(context, use, recipe);
    const mount = await resolveOne(point, subpath, specs.get(point.Destination));
    // What a build mounts into its steps is the engine's own.
    resolved.push(mount.type === 'bind' && record.ephemeral === true
      ? { ...mount, isOurs: true }
      : mount);
  }
  for (const { destination, options } of tmpfsSpecs(record.hostConfig)) {
    resolved.push({ type: 'tmpfs', destination, options });
  }
  return resolved.sort((one, other) => depth(one) - depth(other));
}

function depth({ destination }: ResolvedMount): number {
  return destination.split('/').length;
}

async function resolveOne(
  point: MountPoint,
  subpath: string,
  spec: MountSpec | undefined,
): Promise<ResolvedMount> {
  const destination = point.Destination;
  if (point.Type === 'tmpfs') {
    const options = spec?.type === 'tmpfs' ? spec.options : point.RW ? [] : ['ro'];
    return { type: 'tmpfs', destination, options };
  }
  const bind = spec?.type === 'bind' ? spec : undefined;
  if (point.Type === 'bind') await readySource(point.Source, bind?.create ?? true);
  if (subpath !== '') requireSubpath(point.Source, subpath);
  return {
    type: 'bind',
    isOurs: point.Type === 'volume',
    source: point.Source,
    ...(subpath === '' ? {} : { subpath }),
    destination,
    readonly: !point.RW,
    recursiveReadonly: bind?.recursiveReadonly ?? false,
    propagation: point.Propagation,
    recursive: bind?.recursive ?? true,
  };
}

function imageMount(
  { layers }: VolumesContext,
  image: MountedImage,
  { destination, subpath }: { readonly destination: string; readonly subpath: string },
): ResolvedMount {
  if (subpath !== '' && !layers.has(image.layers, subpath)) throw noAccess(subpath, 'ENOENT');
  const recipe = layers.mount(image.layers);
  const part = { ...(subpath === '' ? {} : { subpath }), destination };
  if (recipe.kind === 'overlay') return { type: 'overlay', stack: recipe, ...part };
  return {
    type: 'bind', isOurs: true, source: recipe.source, ...part, readonly: true,
    recursiveReadonly: false, propagation: '', recursive: false,
  };
}

/** What is looked at here may be another when it is mounted: then the mount fails. */
function requireSubpath(volume: string, subpath: string): void {
  try {
    closeSync(openInRoot(volume, subpath, O_PATH));
  } catch (error) {
    if (!(error instanceof ErrnoError)) throw error;
    throw noAccess(join(volume, subpath), isAbsent(error) ? 'ENOENT' : error.code, error);
  }
}

function noAccess(path: string, code: string, cause?: unknown): Error {
  const why = code === 'ENOENT' ? 'no such file or directory' : code;
  return notFound(`cannot access path ${path}: lstat ${path}: ${why}`, cause);
}

/** `-v` makes a folder where nothing is, as root's 0755; a file or socket is taken as it is. */
async function readySource(source: string, create: boolean): Promise<void> {
  try {
    await requireSource({ source });
  } catch (error) {
    if (!create) throw error;
    try {
      await mkdir(source, { recursive: true, mode: 0o755 });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw invalidParameter(`error while creating mount source path '${source}': ${why}`, cause);
    }
  }
}

async function readyVolume(
  context: VolumesContext,
  use: VolumeUse,
  recipe: MountRecipe,
): Promise<void> {
  await context.oneByOne(use.volume, async () => {
    await context.local.make(use.volume);
    const volume = findVolume(context.store, use.volume);
    await context.local.attach(use.volume, volume?.options ?? {});
    if (!use.copy) return;
    await fill(context, use, recipe);
    await context.store.commit([markCopied(use)], 'normal');
  });
}

/** Layers as overlayfs stacks them, or the one folder that holds everything. */
function rootsOf(recipe: MountRecipe): readonly string[] {
  return recipe.kind === 'bind' ? [recipe.source] : [recipe.upperdir, ...recipe.lowerdirs];
}

/**
 * Where nobody else has the volume, it is filled beside and put into place by one rename, so that a
 * crash leaves it empty or full; else in place, as the others hold the folder itself.
 */
async function fill(context: VolumesContext, use: VolumeUse, recipe: MountRecipe): Promise<void> {
  const data = context.local.mountpoint(use.volume);
  const copy = { layersTopFirst: rootsOf(recipe), path: use.destination, onlyIfEmpty: true };
  const volume = findVolume(context.store, use.volume);
  const isPlain = volume?.options['type'] === undefined;
  const isOurs = usesOfVolume(context.store, use.volume).length === 1;
  if (!isPlain || !isOurs) {
    await copyTree({ ...copy, target: data });
    return;
  }
  const beside = join(dirname(data), '_copy');
  await removeTree(beside);
  await mkdir(beside, { mode: 0o755 });
  const { copied } = await copyTree({ ...copy, target: beside });
  if (copied) {
    await syncTree(beside);
    await renamedOverEmpty(beside, data);
  }
  await removeTree(beside);
}

/** rename(2) replaces an empty folder and refuses one that holds something: then that stays. */
async function renamedOverEmpty(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
  }
}
