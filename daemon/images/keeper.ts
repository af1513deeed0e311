/**
 * What is kept and what goes. Every change of the image tables passes here, one at a time, followed
 * by the OCI index, which is a projection of them.
 *
 * Layers and blobs are on disk, synced, before the rows that refer to them. So whatever no row
 * refers to, no container stands on and nobody holds is left over from something that failed or was
 * removed.
 */
import type { Statement } from '../store/store.js';
import { changes, type Catalog, type LayerRecord } from './catalog.js';
import { createExclusive } from './exclusive.js';
import type { ImageContext } from './needs.js';
import { index } from './oci-index.js';

/** Layers by storage key, blobs by digest. */
export interface Things {
  readonly layers: readonly string[];
  readonly blobs: readonly string[];
}

/** What happened to an image, for `docker events`. */
export interface ImageEvent {
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** The one way to change what is kept. */
export interface Keeper {
  /**
   * When it resolves, what is there of these stays, and a removal that had begun before is over:
   * only then may anyone look whether they are there.
   */
  hold(things: Things): Promise<Hold>;
  /** One durable transaction with its events, then the index; the answer may follow. */
  commit(change: Change): Promise<void>;
  /** What changes nothing that has to last, with its events: no sync, and the index stays. */
  note(change: Change): Promise<void>;
  /** Removes those that nothing uses; returns the layers that went. */
  collect(things: Things): Promise<readonly LayerRecord[]>;
  /** After a start: the index again, and everything that a crash left. Returns what was removed. */
  recover(): Promise<readonly string[]>;
}

/** Rows and events of one transaction. */
export interface Change {
  readonly statements: readonly Statement[];
  readonly events: readonly ImageEvent[];
}

/** Keeps things from being collected until `release`, which collects what is still unused. */
export interface Hold {
  /** As `Keeper.hold`. */
  add(things: Things): Promise<void>;
  /**
   * Idempotent. With `keepPartials` blobs that nothing uses stay as downloads to go on with: what a
   * failed pull has fetched is not fetched again.
   */
  release(options: { readonly keepPartials: boolean }): Promise<void>;
}

/** One per store. */
export function createKeeper(context: ImageContext, catalog: Catalog): Keeper {
  const exclusive = createExclusive();
  const held = new Map<string, number>();

  const unwanted = (digests: readonly string[]) => unwantedOf(context, catalog, digests);
  const collectNow = async (things: Things, keepPartials: boolean): Promise<LayerRecord[]> => {
    const inUse = context.users.layersInUse();
    const isFree = (key: string): boolean =>
      !held.has(layerName(key)) && !inUse.has(key) && !catalog.isLayerUsed(key);
    const layers = [...new Set(things.layers)].filter(isFree);
    const blobs = unwanted([...new Set(things.blobs)].filter((digest) => !held.has(digest)));
    const records = layers.flatMap((key) => catalog.layer(key) ?? []);
    // Rows first: a crash in between leaves files without rows, which the next start removes.
    if (layers.length + blobs.length > 0) {
      const rows = [...layers.map(changes.removeLayer), ...blobs.map(changes.removeLayerBlob)];
      await context.store.commit(rows, 'full');
    }
    for (const key of layers) await context.driver.removeLayer(key);
    for (const digest of blobs) {
      if (keepPartials) await context.content.demote(digest);
      else await context.content.delete(digest);
    }
    return records;
  };

  const recover = async (): Promise<readonly string[]> => {
    await context.content.writeIndex(index(catalog));
    const partials = await context.content.sweep(context.nowMs());
    const blobs = unwanted(await context.content.digests());
    const layers = await collectNow({ layers: [...catalog.allLayers()], blobs }, false);
    return [...partials, ...blobs, ...layers.map(({ storageKey }) => storageKey)];
  };

  return {
    hold: async (first) => {
      const hold = openHold({
        count: (things, step) => countHeld(held, things, step),
        settled: () => exclusive(async () => undefined),
        collect: (things, keep) => exclusive(() => collectNow(things, keep)),
      });
      await hold.add(first);
      return hold;
    },
    commit: ({ statements, events }) =>
      exclusive(async () => {
        await context.unsynced.settle();
        const pending = events.map((event) => context.events.stamp({ type: 'image', ...event }));
        const told = pending.flatMap((event) => event.statements);
        await context.store.commit([...statements, ...told], 'full');
        await context.content.writeIndex(index(catalog));
        for (const event of pending) event.announce();
      }),
    note: ({ statements, events }) => note(context, { statements, events }),
    collect: (things) => exclusive(() => collectNow(things, false)),
    recover: () => exclusive(recover),
  };
}

async function note(context: ImageContext, { statements, events }: Change): Promise<void> {
  const pending = events.map((event) => context.events.stamp({ type: 'image', ...event }));
  const told = pending.flatMap((event) => event.statements);
  await context.store.commit([...statements, ...told], 'normal');
  for (const event of pending) event.announce();
}

function countHeld(held: Map<string, number>, { layers, blobs }: Things, step: 1 | -1): void {
  for (const name of [...layers.map(layerName), ...blobs]) {
    const now = (held.get(name) ?? 0) + step;
    if (now === 0) held.delete(name);
    else held.set(name, now);
  }
}

/** Those that nobody has. */
function unwantedOf(
  { users }: ImageContext,
  catalog: Catalog,
  digests: readonly string[],
): readonly string[] {
  const others = without(digests, (all) => catalog.usedBlobs(all));
  return without(others, (all) => users.blobsInUse(all));
}

/** One question for all, as a build has many layers, and none for none. */
function without(
  digests: readonly string[],
  ask: (digests: readonly string[]) => ReadonlySet<string>,
): readonly string[] {
  if (digests.length === 0) return digests;
  const those = ask(digests);
  return digests.filter((digest) => !those.has(digest));
}

/** A layer and a blob may have the same digest: a plain tar is its own diffID. */
function layerName(storageKey: string): string {
  return `layer ${storageKey}`;
}

interface HoldParts {
  readonly count: (things: Things, step: 1 | -1) => void;
  /** Waits for the turns that began before. */
  readonly settled: () => Promise<void>;
  readonly collect: (things: Things, keepPartials: boolean) => Promise<unknown>;
}

function openHold({ count, settled, collect }: HoldParts): Hold {
  const all: { layers: string[]; blobs: string[] } = { layers: [], blobs: [] };
  let released = false;
  return {
    add: async ({ layers, blobs }) => {
      count({ layers, blobs }, 1);
      all.layers.push(...layers);
      all.blobs.push(...blobs);
      await settled();
    },
    release: async ({ keepPartials }) => {
      if (released) return;
      released = true;
      count(all, -1);
      await collect(all, keepPartials);
    },
  };
}
