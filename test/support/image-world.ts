/** The image service on a real disk with a real storage driver and unpacker, for tests. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonMessage } from '../../api-spec/index.js';
import { openContent, type ContentStore } from '../../daemon/content/index.js';
import { healthOfText } from '../../daemon/build/index.js';
import {
  createImages,
  imageIndexTables,
  imageParentColumn,
  imageTables,
  type Images,
  type ImageUsers,
} from '../../daemon/images/index.js';
import { createUnsynced } from '../../daemon/images/unsynced.js';
import { createRegistry, type RegistryOptions } from '../../daemon/registry/index.js';
import { openStore } from '../../daemon/store/index.js';
import { syncTrees, unpackLayer } from '../../native/unpack/index.js';
import { createStorageDriver, type StorageDriver } from '../../storage-drivers/index.js';

/** A service with its disk. */
export interface ImageWorld {
  readonly directory: string;
  readonly images: Images;
  readonly content: ContentStore;
  readonly driver: StorageDriver;
  /** Actions of all events so far. */
  readonly events: {
    readonly action: string;
    readonly id: string;
    readonly name: string | undefined;
  }[];
  /** Containers that the service believes in; replaced by tests. */
  users: ImageUsers;
  readonly pull: (reference: string, options?: PullOptions) => Promise<readonly JsonMessage[]>;
  /** Names of files that are neither blobs in use nor part of the layout. */
  readonly leftovers: () => Promise<readonly string[]>;
  /** Folders of unpacked layers. */
  readonly unpacked: () => Promise<readonly string[]>;
  readonly index: () => Promise<readonly IndexEntry[]>;
  /** Ends this daemon's part and opens the same disk again, as after a restart. */
  readonly reopen: () => Promise<ImageWorld>;
  readonly close: () => Promise<void>;
  /** Closes everything and removes nothing. */
  readonly end: () => Promise<void>;
}

/** Of `index.json`. */
export interface IndexEntry {
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What differs from the plain pull. */
export interface PullOptions {
  readonly platform?: string;
  readonly auth?: { readonly username: string; readonly password: string };
  readonly signal?: AbortSignal;
  readonly onLine?: (message: JsonMessage) => void;
}

/** What differs from the plain world. */
export interface WorldOptions {
  readonly registry?: Partial<RegistryOptions>;
  readonly driver?: 'overlay' | 'vfs';
  readonly directory?: string;
}

const noUsers: ImageUsers = {
  usersOf: () => [],
  layersInUse: () => new Set(),
  blobsInUse: () => new Set(),
};

/** Opens one; `close` removes everything. */
export async function openImageWorld(options: WorldOptions = {}): Promise<ImageWorld> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'tsdocker-images-')));
  const content = await openContent(directory);
  const migrations = [imageTables, imageIndexTables, imageParentColumn];
  const store = openStore(join(directory, 'tsdocker.db'), migrations);
  const driver = await createStorageDriver(options.driver ?? 'overlay', join(directory, 'storage'));
  const registry = createRegistry({
    mirrors: [],
    insecureRegistries: [],
    certificateDirectories: [],
    userAgent: 'tsdocker/test',
    ...options.registry,
  });
  const events: { action: string; id: string; name: string | undefined }[] = [];
  const images = createImages({
    dataRoot: directory,
    store,
    content,
    driver,
    registry,
    version: '0.0.0',
    unsynced: createUnsynced((paths) => syncTrees(directory, paths)),
    unpack: unpackLayer,
    healthOf: healthOfText,
    users: {
      usersOf: (id) => world.users.usersOf(id),
      layersInUse: () => world.users.layersInUse(),
      blobsInUse: (digests) => world.users.blobsInUse(digests),
    },
    events: {
      stamp: ({ action, id, attributes }) => ({
        statements: [],
        announce: () => void events.push({ action, id, name: attributes['name'] }),
      }),
    },
  });
  const end = async (): Promise<void> => {
    await registry.close();
    await driver.close();
    await store.close();
  };
  const world: ImageWorld = {
    directory,
    images,
    content,
    driver,
    events,
    users: noUsers,
    pull: (reference, pulling) => pullLines(images, reference, pulling),
    leftovers: async () => {
      const names = await readdir(join(directory, 'tmp'));
      const stage = await readdir(join(directory, 'storage', driver.name, 'stage'));
      return [...names, ...stage];
    },
    unpacked: () => readdir(join(directory, 'storage', driver.name, 'layers')),
    index: async () => {
      const text = await readFile(join(directory, 'image', 'index.json'), 'utf8');
      const parsed: unknown = JSON.parse(text);
      // Written by our own writeIndex in this shape.
      return (parsed as { manifests: readonly IndexEntry[] }).manifests;
    },
    reopen: async () => {
      await end();
      const next = await openImageWorld({ ...options, directory });
      await next.images.recover();
      return next;
    },
    end,
    close: async () => {
      await end();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return world;
}

async function pullLines(
  images: Images,
  reference: string,
  options: PullOptions = {},
): Promise<readonly JsonMessage[]> {
  const lines: JsonMessage[] = [];
  await images.pull({
    image: reference,
    tag: '',
    platform: options.platform ?? '',
    auth: options.auth ?? {},
    signal: options.signal ?? new AbortController().signal,
    sink: async (message) => {
      lines.push(message);
      options.onLine?.(message);
    },
  });
  return lines;
}
