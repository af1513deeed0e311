/**
 * What every driver that keeps its layers in folders shares: a thing is made in `stage/`, becomes
 * visible by one rename, and goes by one rename into `trash/`, whose removal takes its time.
 *
 *     <root>/layers/<64 hex>/      one layer, by its key
 *     <root>/containers/<64 hex>/  one writable layer, by the container's id
 *     <root>/init/<16 hex>/        what lies between the two, see init-layer.ts; kept for ever
 *     <root>/stage/<random>/       being made; of no worth after a crash
 *     <root>/trash/<random>/       things to be removed, some at a time
 */
import { randomBytes } from 'node:crypto';
import { existsSync, renameSync } from 'node:fs';
import { access, mkdir, open, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '../native/errno-error.js';
import { removeSmallTree } from '../native/remove-small.js';
import { spreadFolders } from '../native/spread-folders.js';
import { removeTree, treeDigest, type TreeOptions } from '../native/unpack/index.js';

/**
 * Deletion goes on in the background; at the end it is waited for this long, then left to the next
 * start.
 */
const CLOSE_WAIT_MS = 5_000;
/** How long things are gathered before they are removed: nobody is disturbed by it just then. */
const GATHER_MS = 1000;

/** The kinds of things that a driver keeps. */
export type Shelf = 'layers' | 'containers' | 'init';
/** Of these, those that somebody has to know of. */
type Swept = Exclude<Shelf, 'init'>;

/** Named folders that appear and go as a whole, whenever the machine stops. */
export interface Folders {
  readonly root: string;
  /** Where the thing is, or would be. */
  path(shelf: Shelf, name: string): string;
  has(shelf: Shelf, name: string): Promise<boolean>;
  names(shelf: Shelf): Promise<readonly string[]>;
  /** A new folder of mode 0700 that a crash makes worthless. */
  stage(): Promise<string>;
  /** Shows a staged folder under its name; false when the name was there already, which wins. */
  publish(staged: string, shelf: Shelf, name: string): Promise<boolean>;
  /** The same, but the name need not last. */
  show(staged: string, shelf: Shelf, name: string): Promise<void>;
  /** The name is free when it resolves; bytes go later. Idempotent. */
  discard(path: string): Promise<void>;
  /** What a crash left: stages and trash go, and names that are not known; says what went. */
  reconcile(known: Readonly<Record<Swept, ReadonlySet<string>>>): Promise<readonly string[]>;
  /** Waits a while for the trash to be empty. */
  close(): Promise<void>;
}

/** Opens, and makes where it is missing, the folders of one driver below `root`. */
export async function openFolders(root: string): Promise<Folders> {
  for (const name of ['layers', 'containers', 'init', 'stage', 'trash']) {
    await mkdir(join(root, name), { recursive: true, mode: 0o700 });
  }
  // Layers that are unpacked after others were removed would wait for these, see there.
  spreadFolders(join(root, 'stage'));
  const trash = openTrash(join(root, 'trash'));
  const pathOf = (shelf: Shelf, name: string): string => join(root, shelf, name);
  const discard = (path: string): Promise<void> => trash.take(path);

  return {
    root,
    path: pathOf,
    has: (shelf, name) => Promise.resolve(existsSync(pathOf(shelf, name))),
    names: (shelf) => readdir(join(root, shelf)),
    async stage() {
      const path = join(root, 'stage', randomName());
      await mkdir(path, { mode: 0o700 });
      return path;
    },
    async publish(staged, shelf, name) {
      const first = await renamedIfFree(staged, pathOf(shelf, name));
      if (first) await syncFolder(join(root, shelf));
      else await discard(staged);
      return first;
    },
    async show(staged, shelf, name) {
      if (!(await renamedIfFree(staged, pathOf(shelf, name)))) await discard(staged);
    },
    discard,
    async reconcile(known) {
      await trash.emptyAll();
      return sweep(root, known, discard);
    },
    close: () => trash.close(),
  };
}

interface Trash {
  /** Moves a thing out of the way; it is removed later. Absence is no error. */
  take(path: string): Promise<void>;
  /** Begins to remove what an earlier daemon left. */
  emptyAll(): Promise<void>;
  close(): Promise<void>;
}

/** What is taken within `GATHER_MS` is removed together, one thing after the other. */
function openTrash(folder: string): Trash {
  const removals = new Set<Promise<void>>();
  const stopping = new AbortController();
  let gathering: { readonly paths: string[]; readonly timer: NodeJS.Timeout } | undefined;

  const removeOne = async (path: string): Promise<void> => {
    // Most containers wrote little: then no process is needed.
    if (await removeSmallTree(path)) return;
    await removeTree(path, { signal: stopping.signal });
  };
  const remove = async (paths: readonly string[]): Promise<void> => {
    // What cannot be removed now stays in the trash: the next start tries again and tells.
    for (const path of paths) await removeOne(path).catch(() => undefined);
  };
  const begin = (paths: readonly string[]): void => {
    const removal = remove(paths).finally(() => removals.delete(removal));
    removals.add(removal);
  };
  const removeGathered = (): void => {
    if (gathering === undefined) return;
    clearTimeout(gathering.timer);
    begin(gathering.paths);
    gathering = undefined;
  };

  return {
    take(path) {
      const taken = join(folder, randomName());
      if (!renamed(path, taken)) return Promise.resolve();
      gathering ??= { paths: [], timer: setTimeout(removeGathered, GATHER_MS).unref() };
      gathering.paths.push(taken);
      return Promise.resolve();
    },
    async emptyAll() {
      begin((await readdir(folder)).map((name) => join(folder, name)));
    },
    async close() {
      removeGathered();
      const timer = new AbortController();
      const done = Promise.all(removals).then(() => timer.abort());
      // The timer's own abort is the good end: nothing is left to wait for.
      await delay(CLOSE_WAIT_MS, undefined, { signal: timer.signal }).catch(() => undefined);
      stopping.abort();
      await done;
    },
  };
}

async function sweep(
  root: string,
  known: Readonly<Record<Swept, ReadonlySet<string>>>,
  discard: (path: string) => Promise<void>,
): Promise<readonly string[]> {
  const told: string[] = [];
  for (const name of await readdir(join(root, 'stage'))) {
    await discard(join(root, 'stage', name));
    told.push(`removed the unfinished ${name}`);
  }
  for (const shelf of ['containers', 'layers'] as const) {
    for (const name of await readdir(join(root, shelf))) {
      if (known[shelf].has(name)) continue;
      await discard(join(root, shelf, name));
      told.push(`removed ${shelf}/${name}, which nothing refers to`);
    }
  }
  return told;
}

/** Bounds on a walk by a signal that may be there. */
export function treeOptions(signal: AbortSignal | undefined): TreeOptions {
  return signal === undefined ? {} : { signal };
}

/** Whether two trees are the same, times of folders apart. */
export async function sameTree(one: string, other: string, signal?: AbortSignal): Promise<boolean> {
  if (!(await exists(one)) || !(await exists(other))) return false;
  const options = treeOptions(signal);
  const [first, second] = await Promise.all([treeDigest(one, options), treeDigest(other, options)]);
  return first === second;
}

/** 64 hex of a key; anything else would be a path of the caller's making. */
export function nameOfKey(key: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(key)?.[1];
  if (hex === undefined) throw new Error(`not a layer key: ${key}`);
  return hex;
}

/** The id itself, if it is one. */
export function nameOfContainer(id: string): string {
  if (!/^[0-9a-f]{64}$/.test(id)) throw new Error(`not a container id: ${id}`);
  return id;
}

/** Whether something is there, of whatever kind. */
async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** False when there is nothing by that name. */
function renamed(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    return false;
  }
}

async function renamedIfFree(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY', 'EEXIST')) return false;
    throw error;
  }
}

/** A rename lasts once the folder that holds the name is on disk. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function randomName(): string {
  return randomBytes(12).toString('hex');
}
