/** How layers are named. Pure. */
import { digestOf } from '../content/index.js';
import type { LayerKey } from '../../storage-drivers/driver.js';

/** Digest of a stack of layers, one for each height; the lowest is its own diffID. */
export function chainIds(diffIds: readonly string[]): readonly string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain;
}

/** What the storage driver is to call each layer, and what lies beneath it. */
export function layerKeys(
  diffIds: readonly string[],
  identity: 'diffID' | 'chainID',
): readonly LayerKey[] {
  const keys = identity === 'diffID' ? diffIds : chainIds(diffIds);
  return keys.map((key, index) => ({ key, parents: keys.slice(0, index) }));
}

/** The layer that mends what the one at the top of `chainId` implied; see `mend.ts`. */
export function mendKey(chainId: string): string {
  return digestOf(`folders implied by ${chainId}`);
}

/**
 * Each key once, at its topmost place. A layer that occurs twice (empty ones do) hides all that its
 * lower occurrence brings, and overlayfs refuses the same folder twice.
 */
export function distinctKeys(keys: readonly string[]): readonly string[] {
  return keys.filter((key, height) => keys.lastIndexOf(key) === height);
}
