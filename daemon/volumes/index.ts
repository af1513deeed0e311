/**
 * Volumes: folders that outlive containers, and all the other mounts that a container asks for.
 * A volume is held by every container that mounts it, running or not; what is held is not removed.
 */
import { conflict, notFound } from '../../api-spec/errors.js';
import type {
  Volume,
  VolumeCreateRequest,
  VolumeListResponse,
  VolumePruneResponse,
} from '../../api-spec/index.js';
import { treeUsage } from '../../native/unpack/index.js';
import type { VolumesNeed } from '../containers/needs.js';
import type { Store } from '../store/store.js';
import {
  allVolumes,
  containersWithUses,
  deleteUses,
  deleteVolume,
  findVolume,
  insertVolume,
  showVolume,
  usesOfContainer,
  usesOfVolume,
  type VolumeRecord,
} from './book.js';
import { createQueue, type LayersNeed, type VolumeEvents, type VolumesContext } from './context.js';
import { type Filters, matchesList, matchesPrune } from './filters.js';
import { checkDriver, openLocalVolumes, removeIfEmpty } from './local-driver.js';
import { anonymousLabel, checkVolumeName, isVolumeName, newVolumeName } from './names.js';
import { newVolume, prepareMounts, volumeEvent } from './prepare.js';
import { subpathsOf, userSpecs } from './plan.js';
import { resolveMounts } from './resolve.js';

export type { LayersNeed, VolumeEvents } from './context.js';
export { volumeTables } from './tables.js';

/** A volume on a server that hangs is shown without its size. */
const USAGE_TIMEOUT_MS = 5_000;

/**
 * Volumes as containers need them and as the API shows them; changes are durable when they return.
 */
export interface VolumesService extends VolumesNeed {
  list(filters: Filters): Promise<VolumeListResponse>;
  /** Idempotent: a volume of that name is the answer, whatever the options. */
  create(body: VolumeCreateRequest): Promise<Volume>;
  inspect(name: string): Promise<Volume>;
  /** `ApiError` 409 while a container holds it; `force` makes absence a success. */
  remove(name: string, options: { readonly force: boolean }): Promise<void>;
  /** Anonymous ones that nothing holds, unless the filter `all` says true. */
  prune(filters: Filters): Promise<VolumePruneResponse>;
  /** Every volume with its size and how many containers hold it: for the data usage. */
  usage(): Promise<readonly Volume[]>;
  /**
   * After a start of the daemon: frees what containers held that do not exist, adopts folders that
   * have no record (their data is somebody's), and says what it did.
   */
  recover(knownContainers: ReadonlySet<string>): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Opens the service; `root` is the data root's `volumes`. */
export async function createVolumes(options: {
  readonly root: string;
  readonly store: Store;
  readonly events: VolumeEvents;
  readonly layers: LayersNeed;
}): Promise<VolumesService> {
  const local = await openLocalVolumes(options.root);
  const { store, events, layers } = options;
  const context: VolumesContext = { store, events, local, layers, oneByOne: createQueue() };
  const show = (record: VolumeRecord): Volume => showVolume(record, local.mountpoint(record.name));
  const inUse = (name: string): boolean => usesOfVolume(store, name).length > 0;

  return {
    images: (hostConfig) => userSpecs(hostConfig).filter((spec) => spec.type === 'image'),
    subpaths: subpathsOf,
    prepare: (id, request) => prepareMounts(context, id, request),
    resolve: (record, recipe) => resolveMounts(context, record, recipe),
    release: (id, { removeAnonymous }) => release(context, id, removeAnonymous),
    async list(filters) {
      const found = allVolumes(store).filter((volume) => matchesList(volume, filters, inUse));
      return { Volumes: found.map(show), Warnings: null };
    },
    create: async (body) => show(await createVolume(context, body)),
    inspect: async (name) => show(requireVolume(context, name)),
    async remove(name, { force }) {
      if (force && findVolume(store, name) === undefined) return;
      await removeVolume(context, requireVolume(context, name).name);
    },
    prune: (filters) => prune(context, filters),
    usage: () => Promise.all(allVolumes(store).map((volume) => withUsage(context, volume))),
    recover: (known) => recover(context, options.root, known),
    close: () => local.close(),
  };
}

function requireVolume({ store }: VolumesContext, name: string): VolumeRecord {
  const volume = findVolume(store, name);
  if (volume === undefined) throw notFound(`get${name === '' ? '' : ` ${name}`}: no such volume`);
  return volume;
}

async function createVolume(
  context: VolumesContext,
  body: VolumeCreateRequest,
): Promise<VolumeRecord> {
  const asked = body.Name ?? '';
  const name = asked === '' ? newVolumeName() : asked;
  checkVolumeName(name);
  const options = body.DriverOpts ?? {};
  const there = findVolume(context.store, name);
  if (there !== undefined) {
    checkDriver(name, body.Driver ?? '', {});
    return there;
  }
  checkDriver(name, body.Driver ?? '', options);
  const labels = asked === '' ? { ...body.Labels, [anonymousLabel]: '' } : (body.Labels ?? {});
  const volume = newVolume(name, labels, options);
  await context.local.make(name);
  await commit(context, 'create', volume);
  return findVolume(context.store, name) ?? volume;
}

async function commit(
  { store, events }: VolumesContext,
  action: 'create' | 'destroy',
  volume: VolumeRecord,
): Promise<void> {
  const event = events.stamp(volumeEvent(action, volume.name));
  const change = action === 'create' ? insertVolume(volume) : deleteVolume(volume.name);
  await store.commit([change, ...event.statements], 'full');
  event.announce();
}

/** The record goes first: a folder without one is adopted again, a record without one would lie. */
async function removeVolume(context: VolumesContext, name: string): Promise<void> {
  await context.oneByOne(name, async () => {
    refuseInUse(context, name);
    await context.local.detach(name);
    const volume = findVolume(context.store, name);
    if (volume === undefined) return;
    await commit(context, 'destroy', volume);
    refuseInUse(context, name);
    await context.local.remove(name);
  });
}

function refuseInUse({ store }: VolumesContext, name: string): void {
  const ids = [...new Set(usesOfVolume(store, name).map(({ containerId }) => containerId))];
  if (ids.length > 0) throw conflict(`remove ${name}: volume is in use - [${ids.join(', ')}]`);
}

async function release(
  context: VolumesContext,
  id: string,
  removeAnonymous: boolean,
): Promise<void> {
  const uses = usesOfContainer(context.store, id);
  if (uses.length === 0) return;
  await context.store.commit([deleteUses(id)], 'full');
  for (const { volume, anonymous } of uses) {
    if (usesOfVolume(context.store, volume).length > 0) continue;
    if (anonymous && removeAnonymous) await removeVolume(context, volume);
    else await context.oneByOne(volume, () => context.local.detach(volume));
  }
}

async function prune(context: VolumesContext, filters: Filters): Promise<VolumePruneResponse> {
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const volume of allVolumes(context.store)) {
    if (!matchesPrune(volume, filters)) continue;
    if (usesOfVolume(context.store, volume.name).length > 0) continue;
    reclaimed += Math.max(0, await sizeOf(context, volume));
    await removeVolume(context, volume.name);
    deleted.push(volume.name);
  }
  return { VolumesDeleted: deleted, SpaceReclaimed: reclaimed };
}

async function withUsage(context: VolumesContext, volume: VolumeRecord): Promise<Volume> {
  const holders = usesOfVolume(context.store, volume.name).map(({ containerId }) => containerId);
  const RefCount = new Set(holders).size;
  const Size = await sizeOf(context, volume);
  const shown = showVolume(volume, context.local.mountpoint(volume.name));
  return { ...shown, UsageData: { Size, RefCount } };
}

/** -1 where it is not known: something else is mounted there, or it does not answer. */
async function sizeOf({ local }: VolumesContext, volume: VolumeRecord): Promise<number> {
  if (volume.options['type'] !== undefined) return -1;
  return treeUsage(local.mountpoint(volume.name), { timeoutMs: USAGE_TIMEOUT_MS }).then(
    ({ sizeBytes }) => sizeBytes,
    () => -1,
  );
}

async function recover(
  context: VolumesContext,
  root: string,
  known: ReadonlySet<string>,
): Promise<readonly string[]> {
  const told: string[] = [];
  for (const id of containersWithUses(context.store)) {
    if (known.has(id)) continue;
    await release(context, id, true);
    told.push(`freed the volumes of container ${id}, which does not exist`);
  }
  for (const name of await context.local.found()) {
    if (findVolume(context.store, name) !== undefined) continue;
    if (!isVolumeName(name) || (await removeIfEmpty(root, name))) continue;
    const labels: Record<string, string> = {};
    if (/^[0-9a-f]{64}$/.test(name)) labels[anonymousLabel] = '';
    await commit(context, 'create', newVolume(name, labels, {}));
    told.push(`adopted the volume ${name}, which had no record`);
  }
  return told;
}
