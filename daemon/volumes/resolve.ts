/** Right before a start: every mount gets a source that is there, and empty volumes are filled. */
import { closeSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { MountPoint } from '../../api-spec/index.js';
import { invalidParameter, notFound } from '../../api-spec/errors.js';
import { ErrnoError } from '../../native/errno-error.js';
import { isAbsent, O_PATH, openInRoot } from '../../native/inside.js';
import { copyTree, removeTree, syncTree } from '../../native/unpack/index.js';
import type { MountRecipe } from '../../storage-drivers/driver.js';
import type { ResolvedMount } from '../containers/needs.js';
import type { ContainerRecord } from '../containers/record.js';
import { findVolume, markCopied, usesOfContainer, usesOfVolume, type VolumeUse } from './book.js';
import type { VolumesContext } from './context.js';
import type { MountSpec } from './mount-spec.js';
import { tmpfsSpecs, userSpecs } from './plan.js';
import { requireSource } from './prepare.js';

/** Parents before what lies in them: in this order they can be mounted. */
export async function resolveMounts(
  context: VolumesContext,
  record: ContainerRecord,
  recipe: MountRecipe,
): Promise<readonly ResolvedMount[]> {
  const specs = new Map(userSpecs(record.hostConfig).map((spec) => [spec.destination, spec]));
  const held = usesOfContainer(context.store, record.id);
  const uses = new Map(held.map((use) => [use.destination, use]));
  const resolved: ResolvedMount[] = [];
  for (const point of record.mounts) {
    const use = uses.get(point.Destination);
    if (point.Type === 'volume' && use !== undefined) await readyVolume(context, use, recipe);
    resolved.push(await resolveOne(point, specs.get(point.Destination)));
  }
  for (const { destination, options } of tmpfsSpecs(record.hostConfig)) {
    resolved.push({ type: 'tmpfs', destination, options });
  }
  return resolved.sort((one, other) => depth(one) - depth(other));
}

function depth({ destination }: ResolvedMount): number {
  return destination.split('/').length;
}

async function resolveOne(point: MountPoint, spec: MountSpec | undefined): Promise<ResolvedMount> {
  const destination = point.Destination;
  if (point.Type === 'tmpfs') {
    const options = spec?.type === 'tmpfs' ? spec.options : point.RW ? [] : ['ro'];
    return { type: 'tmpfs', destination, options };
  }
  const bind = spec?.type === 'bind' ? spec : undefined;
  if (point.Type === 'bind') await readySource(point.Source, bind?.create ?? true);
  const subpath = spec?.type === 'volume' ? spec.subpath : '';
  if (subpath !== '') requireSubpath(point.Source, subpath);
  return {
    type: 'bind',
    source: point.Source,
    ...(subpath === '' ? {} : { subpath }),
    destination,
    readonly: !point.RW,
    recursiveReadonly: bind?.recursiveReadonly ?? false,
    propagation: point.Propagation,
    recursive: bind?.recursive ?? true,
  };
}

/** What is looked at here may be another when it is mounted: then the mount fails. */
function requireSubpath(volume: string, subpath: string): void {
  try {
    closeSync(openInRoot(volume, subpath, O_PATH));
  } catch (error) {
    if (!(error instanceof ErrnoError)) throw error;
    const path = join(volume, subpath);
    const why = isAbsent(error) ? 'no such file or directory' : error.code;
    throw notFound(`cannot access path ${path}: lstat ${path}: ${why}`, error);
  }
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
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}
