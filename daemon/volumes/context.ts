/** What the volumes service works with; `compose.ts` joins it. */
import type { LayersRecipe } from '../../storage-drivers/driver.js';
import type { Statement, Store } from '../store/store.js';
import type { LocalVolumes } from './local-driver.js';

/** Events that belong to the transaction of the change that they tell of. */
export interface VolumeEvents {
  stamp(event: {
    readonly type: 'volume';
    readonly action: string;
    readonly id: string;
    readonly attributes: Readonly<Record<string, string>>;
  }): { readonly statements: readonly Statement[]; announce(): void };
}

/** Layers of images, by their storage keys, lowest first. */
export interface LayersNeed {
  /** How they are mounted, where something can be seen of them at all. */
  mount(layers: readonly string[]): LayersRecipe;
  /** Whether `path`, links followed within the layers, leads to something. */
  has(layers: readonly string[], path: string): boolean;
}

/** What every verb on volumes gets. */
export interface VolumesContext {
  readonly store: Store;
  readonly events: VolumeEvents;
  readonly local: LocalVolumes;
  readonly layers: LayersNeed;
  /** Runs work on one volume after the other work on it. */
  readonly oneByOne: <Result>(name: string, work: () => Promise<Result>) => Promise<Result>;
}

/** Makes `oneByOne`: a chain of promises for each name that is being worked on. */
export function createQueue(): VolumesContext['oneByOne'] {
  const tails = new Map<string, Promise<unknown>>();
  return async (name, work) => {
    const before = tails.get(name) ?? Promise.resolve();
    // The one before has told its own caller of its failure.
    const mine = before.then(work, work);
    tails.set(name, mine);
    try {
      return await mine;
    } finally {
      if (tails.get(name) === mine) tails.delete(name);
    }
  };
}
