/** Volumes and their uses, as SQLite has them. */
import type { Volume } from '../../api-spec/index.js';
import type { Statement, Store } from '../store/store.js';
import { anonymousLabel } from './names.js';

/** A volume as it is kept. */
export interface VolumeRecord {
  readonly name: string;
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
}

/** One container's hold on a volume. */
export interface VolumeUse {
  readonly containerId: string;
  readonly destination: string;
  readonly volume: string;
  readonly anonymous: boolean;
  /** Still to be filled from the image. */
  readonly copy: boolean;
}

type VolumeRow = {
  readonly name: string;
  readonly driver: string;
  readonly labels: string;
  readonly options: string;
  readonly created_at_ms: number;
};

type UseRow = {
  readonly container_id: string;
  readonly destination: string;
  readonly volume: string;
  readonly anonymous: number;
  readonly copy: number;
};

/** All volumes, by name. */
export function allVolumes(store: Store): readonly VolumeRecord[] {
  return store.rows<VolumeRow>('SELECT * FROM volumes ORDER BY name').map(recordOf);
}

/** One volume, or undefined. */
export function findVolume(store: Store, name: string): VolumeRecord | undefined {
  const [row] = store.rows<VolumeRow>('SELECT * FROM volumes WHERE name = ?', name);
  return row === undefined ? undefined : recordOf(row);
}

/** Who holds a volume. */
export function usesOfVolume(store: Store, name: string): readonly VolumeUse[] {
  return store.rows<UseRow>('SELECT * FROM volume_uses WHERE volume = ?', name).map(useOf);
}

/** What a container holds. */
export function usesOfContainer(store: Store, id: string): readonly VolumeUse[] {
  return store.rows<UseRow>('SELECT * FROM volume_uses WHERE container_id = ?', id).map(useOf);
}

/** Ids of all containers that hold a volume. */
export function containersWithUses(store: Store): readonly string[] {
  const sql = 'SELECT DISTINCT container_id FROM volume_uses';
  return store.rows<{ container_id: string }>(sql).map(({ container_id: id }) => id);
}

/** Nothing happens where the name exists. */
export function insertVolume(record: VolumeRecord): Statement {
  return {
    sql:
      'INSERT INTO volumes (name, driver, labels, options, created_at_ms) ' +
      'VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING',
    params: [
      record.name,
      record.driver,
      JSON.stringify(record.labels),
      JSON.stringify(record.options),
      record.createdAtMs,
    ],
  };
}

/** A volume that came into use meanwhile stays. */
export function deleteVolume(name: string): Statement {
  return {
    sql:
      'DELETE FROM volumes WHERE name = ? ' +
      'AND NOT EXISTS (SELECT 1 FROM volume_uses WHERE volume = volumes.name)',
    params: [name],
  };
}

/** A second use at the same place replaces the first. */
export function insertUse(use: VolumeUse): Statement {
  return {
    sql:
      'INSERT OR REPLACE INTO volume_uses (container_id, destination, volume, anonymous, copy) ' +
      'VALUES (?, ?, ?, ?, ?)',
    params: [use.containerId, use.destination, use.volume, Number(use.anonymous), Number(use.copy)],
  };
}

/** All that a container holds. */
export function deleteUses(containerId: string): Statement {
  return { sql: 'DELETE FROM volume_uses WHERE container_id = ?', params: [containerId] };
}

/** It has been filled, or had no need to be. */
export function markCopied({ containerId, destination }: VolumeUse): Statement {
  return {
    sql: 'UPDATE volume_uses SET copy = 0 WHERE container_id = ? AND destination = ?',
    params: [containerId, destination],
  };
}

/** As the API shows it. */
export function showVolume(record: VolumeRecord, mountpoint: string): Volume {
  const orNull = (map: Readonly<Record<string, string>>) =>
    Object.keys(map).length === 0 ? null : { ...map };
  return {
    CreatedAt: new Date(record.createdAtMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    Driver: record.driver,
    Labels: orNull(record.labels),
    Mountpoint: mountpoint,
    Name: record.name,
    Options: orNull(record.options),
    Scope: 'local',
  };
}

/** Whether it got its name from us. */
export function isAnonymous({ labels }: VolumeRecord): boolean {
  return Object.hasOwn(labels, anonymousLabel);
}

function recordOf(row: VolumeRow): VolumeRecord {
  return {
    name: row.name,
    driver: row.driver,
    // We wrote these columns ourselves, as maps of text.
    labels: JSON.parse(row.labels) as Record<string, string>,
    options: JSON.parse(row.options) as Record<string, string>,
    createdAtMs: row.created_at_ms,
  };
}

function useOf(row: UseRow): VolumeUse {
  return {
    containerId: row.container_id,
    destination: row.destination,
    volume: row.volume,
    anonymous: row.anonymous !== 0,
    copy: row.copy !== 0,
  };
}
