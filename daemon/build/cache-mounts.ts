/** Folders of `RUN --mount=type=cache`: which there are, who has one, what they take of a disk. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { abortReason } from '../../native/abort-reason.js';
import { hasCode } from '../../native/errno-error.js';
import type { Statement, Store } from '../store/store.js';
import type { RunMount } from './dockerfile/instruction.js';

/** One folder, as it is written down. */
export interface CacheMount {
  /** Of its folder. */
  readonly name: string;
  /** What a Dockerfile asks for; several folders may be had by one key. */
  readonly key: string;
  readonly description: string;
  /** When its last step ended. */
  readonly sizeBytes: number;
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number;
  readonly usageCount: number;
}

/** What a step wants. */
export interface CacheWish {
  readonly key: string;
  readonly sharing: RunMount['sharing'];
  readonly description: string;
  /** Makes the folder, where there is none yet. */
  readonly begin: (folder: string) => Promise<void>;
  readonly signal: AbortSignal;
}

/** A folder that a step has until it gives it back, once. */
export interface TakenCache {
  readonly folder: string;
  /** It is free at once; resolves when its size is known. */
  release(): Promise<void>;
}

/** All of them. */
export interface CacheMounts {
  /**
   * `shared`: with all others that share it. Otherwise alone: `private` takes another folder where
   * there is none to be had, `locked` waits for it.
   */
  take(wish: CacheWish): Promise<TakenCache>;
  /** The one that was used longest ago first. */
  all(): readonly (CacheMount & { readonly inUse: boolean })[];
  /** Those that no step has by now; resolves to their names. */
  remove(names: readonly string[]): Promise<readonly string[]>;
  /** After a start: removes folders that no row names; says what. */
  recover(): Promise<readonly string[]>;
}

/** What caches stand on. */
export interface CacheMountsOptions {
  readonly store: Store;
  /** The folders lie below. */
  readonly folder: string;
  readonly treeBytes: (path: string) => Promise<number>;
  readonly removeTree: (path: string) => Promise<void>;
  readonly nowMs: () => number;
}

interface User {
  readonly isShared: boolean;
  count: number;
  /** Settles when the folder is there. */
  readonly ready: Promise<void>;
}

interface World extends CacheMountsOptions {
  readonly known: Map<string, CacheMount>;
  readonly users: Map<string, User>;
  /** Called when somebody gave one back. */
  readonly waiting: Set<() => void>;
}

/** Over its table in `tables.ts`, which nobody else writes. */
export function openCacheMounts(options: CacheMountsOptions): CacheMounts {
  const known = new Map(rowsOf(options.store).map((mount) => [mount.name, mount]));
  const world: World = { ...options, known, users: new Map(), waiting: new Set() };
  return {
    take: (wish) => take(world, wish),
    all: () =>
      [...known.values()]
        .map((mount) => ({ ...mount, inUse: world.users.has(mount.name) }))
        .sort((one, other) => one.lastUsedAtMs - other.lastUsedAtMs),
    remove: (names) => remove(world, names),
    recover: () => recover(world),
  };
}

async function take(world: World, wish: CacheWish): Promise<TakenCache> {
  wish.signal.throwIfAborted();
  let name = choose(world, wish);
  while (name === undefined) {
    await released(world, wish.signal);
    name = choose(world, wish);
  }
  const taken = name;
  const user = enter(world, taken, wish);
  try {
    await user.ready;
  } catch (error) {
    leave(world, taken, user);
    throw error;
  }
  return {
    folder: join(world.folder, taken),
    release: () => {
      leave(world, taken, user);
      return measure(world, taken);
    },
  };
}

/** Whom a step joins, or the name of what it takes for itself; undefined is to wait. */
function choose({ known, users }: World, { key, sharing }: CacheWish): string | undefined {
  const names = [...known.values()].filter((mount) => mount.key === key).map(({ name }) => name);
  const shared = names.find((name) => sharing === 'shared' && users.get(name)?.isShared);
  const found = shared ?? names.findLast((name) => !users.has(name));
  if (found !== undefined) return found;
  return sharing === 'locked' && names.length > 0 ? undefined : randomBytes(16).toString('hex');
}

/** Nothing is awaited between a choice and its entry, so that nobody else makes the same. */
function enter(world: World, name: string, wish: CacheWish): User {
  const { known, users } = world;
  const there = users.get(name);
  if (there !== undefined) {
    there.count += 1;
    return there;
  }
  const { key, description, sharing } = wish;
  const now = world.nowMs();
  const before = known.get(name) ?? { sizeBytes: 0, createdAtMs: now, usageCount: 0 };
  const usageCount = before.usageCount + 1;
  const mount = { ...before, name, key, description, lastUsedAtMs: now, usageCount };
  known.set(name, mount);
  const user = { isShared: sharing === 'shared', count: 1, ready: begin(world, mount, wish) };
  users.set(name, user);
  return user;
}

async function begin({ store, folder }: World, mount: CacheMount, wish: CacheWish): Promise<void> {
  await store.commit([put(mount)], 'normal');
  const path = join(folder, mount.name);
  if (!(await isThere(path))) await wish.begin(path);
}

function leave({ users, waiting }: World, name: string, user: User): void {
  user.count -= 1;
  if (user.count > 0) return;
  users.delete(name);
  for (const wake of [...waiting]) wake();
}

function released({ waiting }: World, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      waiting.delete(end);
      signal.removeEventListener('abort', end);
      if (signal.aborted) reject(abortReason(signal));
      else resolve();
    };
    waiting.add(end);
    signal.addEventListener('abort', end, { once: true });
  });
}

async function measure(world: World, name: string): Promise<void> {
  const { store, folder, known } = world;
  const sizeBytes = await world.treeBytes(join(folder, name));
  const before = known.get(name);
  if (before === undefined) return;
  const mount = { ...before, sizeBytes, lastUsedAtMs: world.nowMs() };
  known.set(name, mount);
  await store.commit([put(mount)], 'normal');
}

async function remove(world: World, names: readonly string[]): Promise<readonly string[]> {
  const { known, users, store, folder } = world;
  const gone = names.filter((name) => known.has(name) && !users.has(name));
  for (const name of gone) known.delete(name);
  await store.commit(gone.map(forget), 'full');
  for (const name of gone) await world.removeTree(join(folder, name));
  return gone;
}

async function recover({ known, folder, removeTree }: World): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const strange = (await readdir(folder)).filter((name) => !known.has(name));
  for (const name of strange) await removeTree(join(folder, name));
  return strange.map((name) => `removed the cache ${name} of no build`);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

type Row = {
  readonly name: string;
  readonly key: string;
  readonly description: string;
  readonly size_bytes: number;
  readonly created_at_ms: number;
  readonly last_used_at_ms: number;
  readonly usage_count: number;
};

function rowsOf(store: Store): readonly CacheMount[] {
  const rows = store.rows<Row>('SELECT * FROM build_cache_mounts ORDER BY last_used_at_ms');
  return rows.map(({ name, key, description, ...row }) => ({
    name,
    key,
    description,
    sizeBytes: row.size_bytes,
    createdAtMs: row.created_at_ms,
    lastUsedAtMs: row.last_used_at_ms,
    usageCount: row.usage_count,
  }));
}

function put(mount: CacheMount): Statement {
  const { name, key, description, sizeBytes, createdAtMs, lastUsedAtMs, usageCount } = mount;
  return {
    sql: 'INSERT OR REPLACE INTO build_cache_mounts VALUES (?, ?, ?, ?, ?, ?, ?)',
    params: [name, key, description, sizeBytes, createdAtMs, lastUsedAtMs, usageCount],
  };
}

function forget(name: string): Statement {
  return { sql: 'DELETE FROM build_cache_mounts WHERE name = ?', params: [name] };
}
