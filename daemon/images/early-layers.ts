/**
 * Layers of an archive that are unpacked while the rest of it is still coming: a plain tar is known
 * by its digest alone. Whether an image wants it is known at the end; what none does is collected
 * with the load.
 */
import { isTarHeader } from '../archive/index.js';
import type { Descriptor } from '../content/index.js';
import type { LayerRecord } from './catalog.js';
import { createSlots } from './exclusive.js';
import type { Hold } from './keeper.js';
import { ensureLayer } from './local-image.js';
import type { PullContext } from './pull.js';

/** Layers under way, by diffID. */
export interface EarlyLayers {
  /** Begins with a blob that is there, if its first block looks like a layer's. */
  begin(blob: Descriptor, firstBlock: Buffer): Promise<void>;
  readonly underWay: ReadonlyMap<string, Promise<LayerRecord>>;
  /** Waits until none is at work any more; whoever wanted one has heard of its failure. */
  settled(): Promise<void>;
}

/** At once; each has threads of its own. */
const maxAtOnce = 2;
/** As many as an image may have; later ones are unpacked when they are wanted. */
const maxEarly = 127;

/** One for each load. Drivers that unpack a layer onto those beneath cannot begin early. */
export function beginLayersEarly(
  context: PullContext,
  hold: Hold,
  signal: AbortSignal,
): EarlyLayers {
  const slots = createSlots(maxAtOnce);
  const underWay = new Map<string, Promise<LayerRecord>>();
  const unpack = (blob: Descriptor): Promise<LayerRecord> => {
    const layer = { key: blob.digest, parents: [] };
    const wanted = { blob, layer, diffId: blob.digest };
    return slots.run(() => ensureLayer(context, wanted, { signal }), signal);
  };
  return {
    underWay,
    begin: async (blob, firstBlock) => {
      const isEarly = context.driver.layerIdentity === 'diffID' && isTarHeader(firstBlock);
      if (!isEarly || underWay.has(blob.digest) || underWay.size >= maxEarly) return;
      await hold.add({ layers: [blob.digest], blobs: [] });
      const record = unpack(blob);
      underWay.set(blob.digest, record);
      // A file that only looks like a layer may fail: whoever wants it awaits it, and is told.
      record.catch(() => undefined);
    },
    settled: async () => {
      await Promise.allSettled(underWay.values());
    },
  };
}
