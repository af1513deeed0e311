/**
 * What an exec takes over from its container: it is what the container was started with, whatever
 * its record says by now. Of a container that an earlier daemon started, the bundle tells.
 */
import { readFile } from 'node:fs/promises';
import { systemError } from '../../api-spec/errors.js';
import type { MountRecipe } from '../../storage-drivers/driver.js';
import type { BundlePaths } from './bundle.js';
import type { NamespaceType, OciConfig, IdMapping, OciProcess } from './oci.js';
import { installedFilter, type InstalledFilter } from './seccomp/flags.js';
import type { Task } from './task.js';

/** The part of a configuration that execs take over unless they say otherwise. */
export interface ExecBasis {
  readonly process: OciProcess;
  /** Those that are not the host's. */
  readonly namespaces: readonly NamespaceType[];
  readonly uidMappings?: readonly IdMapping[];
  readonly seccomp?: InstalledFilter;
  /** No other configuration that this daemon has read has the same number. */
  readonly serial: number;
}

let lastSerial = 0;

/** A configuration is some 50 kB; what is larger was not written by us. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

const known = new WeakMap<Task, Promise<ExecBasis>>();
const recipes = new WeakMap<Task, Promise<MountRecipe>>();

/** Keeps what execs need of a configuration, which is the small part of it. */
export function rememberBasis(task: Task, config: OciConfig): void {
  known.set(task, Promise.resolve(basisOf(config)));
}

/** Reads the bundle once for each task that was not started here. */
export function execBasis(task: Task, paths: BundlePaths): Promise<ExecBasis> {
  const found = known.get(task) ?? readBasis(paths);
  known.set(task, found);
  found.catch(() => known.delete(task));
  return found;
}

/** Asks once for each task. */
export function recipeOf(
  task: Task,
  rootfs: () => Promise<MountRecipe>,
): Promise<MountRecipe> {
  const found = recipes.get(task) ?? rootfs();
  recipes.set(task, found);
  found.catch(() => recipes.delete(task));
  return found;
}

async function readBasis({ config }: BundlePaths): Promise<ExecBasis> {
  const text = await readFile(config, 'utf8');
  if (text.length > MAX_CONFIG_BYTES) throw systemError(`${config} is too large`);
  // Written by rename by ourselves; "no limit" is a number there that JSON.parse would round.
  const limits = text.replace(/("(?:soft|hard)": )18446744073709551615\b/g, '$1-1');
  return basisOf(JSON.parse(limits) as OciConfig);
}

function basisOf({ process, linux }: OciConfig): ExecBasis {
  const { seccomp, uidMappings } = linux;
  return {
    serial: ++lastSerial,
    process,
    namespaces: linux.namespaces.map(({ type }) => type),
    ...(uidMappings === undefined ? {} : { uidMappings }),
    ...(seccomp === undefined ? {} : { seccomp: installedFilter(seccomp) }),
  };
}
