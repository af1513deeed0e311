/**
 * At create: what a container asks for becomes volumes that exist and mounts that inspect shows.
 */
import { stat } from 'node:fs/promises';
import type { MountPoint } from '../../api-spec/index.js';
import { hasCode } from '../../native/errno-error.js';
import type { MountRequest } from '../containers/needs.js';
import { findVolume, insertUse, insertVolume, type VolumeRecord, type VolumeUse } from './book.js';
import type { VolumesContext } from './context.js';
import { checkDriver } from './local-driver.js';
import { type BindSpec, type MountSpec, type VolumeSpec, wrong } from './mount-spec.js';
import { anonymousLabel, checkVolumeName, newVolumeName } from './names.js';
import { type Planned, planMounts } from './plan.js';

/** A host's file system that does not answer must not hold a create for ever. */
const STAT_TIMEOUT_MS = 5_000;

interface Prepared {
  readonly point: MountPoint;
  readonly volume?: VolumeRecord;
  readonly use?: VolumeUse;
}

/** Refuses before it makes anything; then one transaction for all volumes and uses. */
export async function prepareMounts(
  context: VolumesContext,
  id: string,
  request: MountRequest,
): Promise<readonly MountPoint[]> {
  const hostConfig = { ...request.hostConfig, Mounts: [...request.mounts] };
  const volumes = request.config.Volumes ?? {};
  const planned = planMounts({ hostConfig, volumes, from: request.from });
  for (const { spec } of specsOf(planned)) await check(spec);
  const prepared = planned.map((entry) => prepareOne(context, id, entry));
  await save(context, prepared);
  return prepared
    .map(({ point }) => point)
    .sort((one, other) => (one.Destination < other.Destination ? -1 : 1));
}

function specsOf(planned: readonly Planned[]): readonly { readonly spec: MountSpec }[] {
  return planned.flatMap((entry) => (entry.from === 'container' ? [] : [entry]));
}

async function check(spec: MountSpec): Promise<void> {
  if (spec.type === 'volume') {
    if (spec.name !== '') checkVolumeName(spec.name);
    checkDriver(spec.name, spec.driver, spec.driverOptions);
  }
  if (spec.type === 'bind' && !spec.create) await requireSource(spec);
}

/** 400 where the source of a bind is missing. */
export async function requireSource({ source }: Pick<BindSpec, 'source'>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = wrong('bind', `bind source path does not answer: ${source}`);
    timer = setTimeout(() => reject(error), STAT_TIMEOUT_MS);
  });
  try {
    await Promise.race([stat(source), late]);
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw wrong('bind', `bind source path does not exist: ${source}`);
  } finally {
    clearTimeout(timer);
  }
}

function prepareOne(context: VolumesContext, id: string, entry: Planned): Prepared {
  if (entry.from === 'container') return shared(id, entry.point);
  const { spec } = entry;
  switch (spec.type) {
    case 'bind':
      return { point: bindPoint(spec) };
    case 'image':
      return {
        point: {
          Type: 'image', Name: spec.reference, Source: '', Destination: spec.destination, Mode: '',
          RW: false, Propagation: '',
        },
      };
    case 'tmpfs':
      return {
        point: {
          Type: 'tmpfs', Source: '', Destination: spec.destination, Mode: '',
          RW: !spec.readonly, Propagation: '',
        },
      };
    case 'volume':
      return volumeOf(context, id, spec);
  }
}

function bindPoint(spec: BindSpec): MountPoint {
  return {
    Type: 'bind',
    Source: spec.source,
    Destination: spec.destination,
    Mode: spec.mode,
    RW: !spec.readonly,
    Propagation: spec.propagation,
  };
}

/** A volume that another container has is held too, and never filled by us. */
function shared(containerId: string, point: MountPoint): Prepared {
  if (point.Type !== 'volume' || point.Name === undefined) return { point };
  const use = { containerId, destination: point.Destination, volume: point.Name };
  return { point, use: { ...use, anonymous: /^[0-9a-f]{64}$/.test(point.Name), copy: false } };
}

function volumeOf(context: VolumesContext, containerId: string, spec: VolumeSpec): Prepared {
  const anonymous = spec.name === '';
  const name = anonymous ? newVolumeName() : spec.name;
  const labels = anonymous ? { ...spec.labels, [anonymousLabel]: '' } : spec.labels;
  const volume = newVolume(name, labels, spec.driverOptions);
  return {
    volume,
    use: { containerId, destination: spec.destination, volume: name, anonymous, copy: spec.copy },
    point: {
      Type: 'volume',
      Name: name,
      Source: context.local.mountpoint(name),
      Destination: spec.destination,
      Driver: 'local',
      Mode: spec.mode,
      RW: !spec.readonly,
      Propagation: '',
    },
  };
}

/** A record of now. */
export function newVolume(
  name: string,
  labels: VolumeRecord['labels'],
  options: VolumeRecord['options'],
): VolumeRecord {
  return { name, driver: 'local', labels, options, createdAtMs: Date.now() };
}

async function save(context: VolumesContext, prepared: readonly Prepared[]): Promise<void> {
  const volumes = prepared.flatMap(({ volume }) => (volume === undefined ? [] : [volume]));
  const uses = prepared.flatMap(({ use }) => (use === undefined ? [] : [insertUse(use)]));
  if (uses.length === 0) return;
  const fresh = volumes.filter(({ name }) => findVolume(context.store, name) === undefined);
  for (const { name } of fresh) await context.local.make(name);
  const events = fresh.map(({ name }) => context.events.stamp(volumeEvent('create', name)));
  const statements = [
    ...volumes.map(insertVolume),
    ...uses,
    ...events.flatMap((event) => event.statements),
  ];
  await context.store.commit(statements, 'full');
  for (const event of events) event.announce();
}

/** As Docker tells it. */
export function volumeEvent(action: 'create' | 'destroy', name: string) {
  return { type: 'volume', action, id: name, attributes: { driver: 'local' } } as const;
}
