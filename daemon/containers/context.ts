import type { Logger } from 'pino';
import type { Statement, Store } from '../store/store.js';
import type { Book } from './book.js';
import { Container } from './container.js';
import type { ExecBook } from './exec-book.js';
import type { ContainerHealth } from './health-schedule.js';
import type {
  ContainerEvent,
  EventsNeed,
  FilesNeed,
  ImagesNeed,
  LogsNeed,
  NetworksNeed,
  RootfsNeed,
  RuntimeNeed,
  VolumesNeed,
} from './needs.js';
import type { ContainerRecord } from './record.js';

/** Everything that a verb on containers works with; made once by `createContainers`. */
export interface Context {
  readonly book: Book;
  readonly execs: ExecBook;
  readonly store: Store;
  readonly events: EventsNeed;
  readonly images: ImagesNeed;
  readonly rootfs: RootfsNeed;
  readonly files: FilesNeed;
  readonly volumes: VolumesNeed;
  readonly networks: NetworksNeed;
  readonly runtime: RuntimeNeed;
  readonly logs: LogsNeed;
  readonly log: Logger;
  readonly defaults: ContainerDefaults;
  /** What follows an exit, given here so that exit and launch need not know each other. */
  readonly afterExit: {
    relaunch(container: Container): Promise<void>;
    remove(container: Container): Promise<void>;
    /** It has become unhealthy and is to start again. */
    endUnwell(container: Container): Promise<void>;
  };
  /** Folder of a container's bundle: config.json, hosts, log. */
  bundlePath(id: string): string;
  /** Makes it. Throws what `mkdir` does. */
  makeBundle(id: string): void;
  /** Its name is free when it resolves, its files go later; absence is no error. */
  discardBundle(id: string): Promise<void>;
}

/** What the daemon's configuration says of containers that say nothing themselves. */
export interface ContainerDefaults {
  readonly logDriver: string;
  readonly logOptions: Readonly<Record<string, string>>;
  readonly storageDriver: string;
  readonly cgroupnsMode: 'host' | 'private';
  readonly ipcMode: 'private' | 'shareable';
  /** Absent for the engine's own parent. */
  readonly cgroupParent?: string;
  readonly runtime: string;
  /** The other runtimes that there are. */
  readonly runtimes: readonly string[];
  readonly shmSizeBytes: number;
  readonly init: boolean;
  /** The kernel confines by AppArmor. */
  readonly apparmor: boolean;
  /** What confines containers that ask for nothing; empty for nothing. */
  readonly apparmorProfile: string;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
}

/** An event about a container, with its labels as attributes, as Docker has them. */
export function containerEvent(
  record: ContainerRecord,
  action: string,
  extra: Readonly<Record<string, string>> = {},
): ContainerEvent {
  const attributes = {
    ...record.config.Labels,
    image: record.imageName,
    name: record.name,
    ...extra,
  };
  return { type: 'container', action, id: record.id, attributes };
}

/** How a change is kept, and what is told once it is; `normal` and no events by default. */
export interface Save {
  /**
   * `full` for what a client is told and must find again after a power cut; `soon` for what the
   * next daemon sees for itself, should this one be killed before it is written.
   */
  readonly durability?: 'full' | 'normal' | 'soon';
  readonly events?: readonly ContainerEvent[];
  /** What belongs into the same transaction. */
  readonly also?: readonly Statement[];
  /** Done while the disk is waited for; nobody is told before it is. */
  readonly meanwhile?: () => Promise<void>;
}

/**
 * Replaces the record of a container: one transaction with its events, then listeners. What is only
 * observed (`normal`) is true before it is written, and is derived again if it never is; what a
 * client asked for (`full`) is true once it would survive a power cut.
 */
export async function save(
  { store, events }: Context,
  container: Container,
  record: ContainerRecord,
  { durability = 'normal', events: happened = [], also = [], meanwhile }: Save = {},
): Promise<void> {
  if (durability !== 'full') container.record = record;
  if (durability === 'soon') return events.keepSoon([upsert(record), ...also], happened);
  const stamped = happened.map((event) => events.stamp(event));
  const statements = [upsert(record), ...also, ...stamped.flatMap((event) => event.statements)];
  const committed = store.commit(statements, durability);
  await (meanwhile === undefined ? committed : bothOf(committed, meanwhile()));
  if (durability === 'full') container.record = record;
  for (const { announce } of stamped) announce();
}

/** Rejects when neither is under way any more. */
async function bothOf(committed: Promise<void>, done: Promise<void>): Promise<void> {
  await Promise.allSettled([committed, done]);
  await committed;
  await done;
}

/** Tells of something that changes no record. */
export async function tell(
  { store, events }: Context,
  ...happened: readonly ContainerEvent[]
): Promise<void> {
  const stamped = happened.map((event) => events.stamp(event));
  await store.commit(stamped.flatMap(({ statements }) => statements), 'normal');
  for (const { announce } of stamped) announce();
}

function upsert(record: ContainerRecord): Statement {
  return {
    sql:
      'INSERT INTO containers (id, name, record) VALUES (?, ?, ?) ' +
      'ON CONFLICT (id) DO UPDATE SET name = excluded.name, record = excluded.record',
    params: [record.id, record.name, JSON.stringify(record)],
  };
}

/** The statement that forgets a container. */
export function forget(id: string): Statement {
  return { sql: 'DELETE FROM containers WHERE id = ?', params: [id] };
}

/** All that the database holds, oldest first. */
export function loadContainers(store: Store): readonly Container[] {
  return store
    .rows<{ record: string; health: string | null }>('SELECT record, health FROM containers')
    .map(({ record, health }) => {
      // Only `save` writes the one column, only health checks write the other.
      const container = new Container(JSON.parse(record) as ContainerRecord);
      if (health !== null) container.health = JSON.parse(health) as ContainerHealth;
      return container;
    })
    .sort((a, b) => a.record.createdAtMs - b.record.createdAtMs);
}
