/**
 * Gets one layer: its blob into the content store and its files into the storage driver, in one
 * pass over the bytes where the driver allows it. Whoever wants the same layer at the same time
 * shares the work; it ends when the last of them has left.
 */
import { Readable } from 'node:stream';
import { systemError } from '../../api-spec/errors.js';
import type { LayerKey } from '../../storage-drivers/driver.js';
import { abortReason } from '../../native/abort-reason.js';
import { ContentError, type Descriptor, type Ingest } from '../content/index.js';
import { downloadBlob, type Repository } from '../registry/index.js';
import type { LayerRecord } from './catalog.js';
import { createSlots, type Slots } from './exclusive.js';
import { layerFailure } from './layer-failure.js';
import type { ImageContext } from './needs.js';

/** What is going on with a layer. */
export type LayerStep =
  | { readonly step: 'waiting' | 'verifying' | 'downloaded' | 'complete' }
  | { readonly step: 'downloading' | 'extracting'; readonly current: number }
  | { readonly step: 'retrying'; readonly inMs: number };

/** A layer that is not there. */
export interface WantedLayer {
  readonly descriptor: Descriptor;
  readonly diffId: string;
  readonly layer: LayerKey;
  readonly repository: Repository;
  /** Settles when the layers beneath are there: for drivers that unpack on top of them. */
  readonly beneath: Promise<unknown>;
}

/** One for the daemon, so that pulls find each other. */
export interface LayerSource {
  /** Rejects with the signal's reason as soon as the caller leaves; the work goes on for others. */
  fetch(
    wanted: WantedLayer,
    onStep: (step: LayerStep) => void,
    signal: AbortSignal,
  ): Promise<LayerRecord>;
}

interface Shared {
  readonly listeners: Set<(step: LayerStep) => void>;
  readonly abort: AbortController;
  readonly result: Promise<LayerRecord>;
  last: LayerStep | undefined;
}

/** So many blobs at once in all pulls together, and tries of one that bring nothing. */
export interface LayerBounds {
  readonly downloads: number;
  readonly attempts: number;
}

/** One for the daemon. */
export function createLayerSource(
  context: ImageContext,
  { downloads, attempts }: LayerBounds,
): LayerSource {
  const underWay = new Map<string, Shared>();
  const slots = createSlots(downloads);

  const begin = (name: string, wanted: WantedLayer): Shared => {
    const listeners = new Set<(step: LayerStep) => void>();
    const abort = new AbortController();
    const tell = (step: LayerStep): void => {
      shared.last = step;
      for (const listener of listeners) listener(step);
    };
    const work = { context, wanted, slots, attempts, tell, signal: abort.signal };
    const result = Promise.resolve()
      .then(() => getLayer(work))
      .finally(() => underWay.delete(name));
    // Nobody may be left to hear of a failure: whoever listens gets it from `fetch`.
    result.catch(() => undefined);
    const shared: Shared = { listeners, abort, result, last: undefined };
    underWay.set(name, shared);
    return shared;
  };

  return {
    fetch: async (wanted, onStep, signal) => {
      signal.throwIfAborted();
      const name = `${wanted.descriptor.digest} ${wanted.layer.key}`;
      const known = underWay.get(name);
      // One that is being given up must be gone before the same is begun again.
      if (known?.abort.signal.aborted === true) await known.result.catch(() => undefined);
      const shared = underWay.get(name) ?? begin(name, wanted);
      return join(shared, onStep, signal);
    },
  };
}

async function join(
  shared: Shared,
  onStep: (step: LayerStep) => void,
  signal: AbortSignal,
): Promise<LayerRecord> {
  const listener = (step: LayerStep): void => onStep(step);
  let left = (): void => undefined;
  const leaving = new Promise<never>((_, reject) => {
    left = () => reject(abortReason(signal));
    signal.addEventListener('abort', left, { once: true });
  });
  shared.listeners.add(listener);
  if (shared.last !== undefined) onStep(shared.last);
  try {
    return await Promise.race([shared.result, leaving]);
  } finally {
    signal.removeEventListener('abort', left);
    shared.listeners.delete(listener);
    if (shared.listeners.size === 0) {
      shared.abort.abort(signal.reason);
      // Its temporary files are gone, or its partial is ready, before the caller goes on.
      await shared.result.catch(() => undefined);
    }
  }
}

interface Work {
  readonly context: ImageContext;
  readonly wanted: WantedLayer;
  readonly slots: Slots;
  readonly attempts: number;
  readonly tell: (step: LayerStep) => void;
  readonly signal: AbortSignal;
}

async function getLayer(work: Work): Promise<LayerRecord> {
  const { context, wanted, slots, tell, signal } = work;
  const isThere = (await context.content.stat(wanted.descriptor.digest)) !== undefined;
  if (!isThere && slots.full) tell({ step: 'waiting' });
  const inOnePass = context.driver.layerIdentity === 'diffID' && !isThere;
  if (inOnePass) return slots.run(() => downloadAndUnpack(work), signal);
  if (!isThere) await slots.run(() => downloadOnly(work), signal);
  tell({ step: 'downloaded' });
  await wanted.beneath;
  signal.throwIfAborted();
  return unpackBlob(work);
}

/** The bytes go to the blob's file and to the unpacker side by side. */
async function downloadAndUnpack(work: Work): Promise<LayerRecord> {
  const { context, wanted, tell, signal } = work;
  const { digest, size } = wanted.descriptor;
  const ingest = await context.content.ingest({ digest, sizeBytes: size }, { resume: true });
  // Ends the download when the unpacker has failed, even while it waits for the network.
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  try {
    const stage = await context.driver.stageLayer(wanted.layer);
    try {
      const bytes = storedBytes({ ...work, signal: either }, ingest);
      const source = Readable.from(bytes, { objectMode: false });
      const { path: target, whiteouts } = stage;
      const unpacked = await context.unpack({ source, target, whiteouts, signal });
      tell({ step: 'extracting', current: size });
      checkDiffId(unpacked.diffId, wanted.diffId);
      await Promise.all([ingest.commit(), stage.commit()]);
      tell({ step: 'complete' });
      return recordOf(wanted, unpacked);
    } catch (error) {
      await stage.abort();
      throw error;
    }
  } catch (error) {
    ended.abort();
    await giveUp(ingest, error, signal);
    throw layerFailure(error, digest, signal);
  }
}

async function downloadOnly(work: Work): Promise<void> {
  const { context, wanted, signal } = work;
  const { digest, size } = wanted.descriptor;
  const ingest = await context.content.ingest({ digest, sizeBytes: size }, { resume: true });
  try {
    const bytes = storedBytes(work, ingest);
    while ((await bytes.next()).done !== true);
    await ingest.commit();
  } catch (error) {
    await giveUp(ingest, error, signal);
    throw layerFailure(error, digest, signal);
  }
}

/** Yields the blob, each byte of it stored; verified when it ends. */
async function* storedBytes(work: Work, ingest: Ingest): AsyncGenerator<Uint8Array> {
  const { wanted, attempts, tell, signal } = work;
  const { descriptor, repository } = wanted;
  for await (const chunk of ingest.replay()) yield chunk;
  const offsetBytes = ingest.sizeBytes;
  const onRetry = (inMs: number): void => tell({ step: 'retrying', inMs });
  for await (const chunk of downloadBlob(repository, {
    descriptor,
    offsetBytes,
    signal,
    attempts,
    onRetry,
  })) {
    await ingest.write(chunk);
    tell({ step: 'downloading', current: ingest.sizeBytes });
    yield chunk;
  }
  tell({ step: 'verifying' });
  ingest.verify();
  tell({ step: 'downloaded' });
}

/** Right bytes that are not all there are worth keeping; wrong ones would be wrong for ever. */
async function giveUp(ingest: Ingest, error: unknown, signal: AbortSignal): Promise<void> {
  const isBroken = error instanceof ContentError;
  const isCut = signal.aborted || isTransient(error);
  if (isCut && !isBroken && ingest.sizeBytes > 0) await ingest.keep();
  else await ingest.abort();
}

function isTransient(error: unknown): boolean {
  return error instanceof Error && 'transient' in error && error.transient === true;
}

async function unpackBlob(work: Work): Promise<LayerRecord> {
  const { context, wanted, tell, signal } = work;
  const { digest, size } = wanted.descriptor;
  const stage = await context.driver.stageLayer(wanted.layer);
  try {
    tell({ step: 'extracting', current: 0 });
    const source = { path: context.content.path(digest) };
    const unpacked = await context.unpack({
      source,
      target: stage.path,
      whiteouts: stage.whiteouts,
      signal,
    });
    checkDiffId(unpacked.diffId, wanted.diffId);
    tell({ step: 'extracting', current: size });
    await stage.commit();
    tell({ step: 'complete' });
    return recordOf(wanted, unpacked);
  } catch (error) {
    await stage.abort();
    throw layerFailure(error, digest, signal);
  }
}

function checkDiffId(actual: string, promised: string): void {
  if (actual === promised) return;
  throw systemError(
    `failed to register layer: wrong diff id calculated on extraction ${JSON.stringify(actual)}`,
  );
}

function recordOf(
  { layer, diffId }: WantedLayer,
  unpacked: { readonly sizeBytes: number; readonly impliedDirectories: readonly string[] },
): LayerRecord {
  const { sizeBytes, impliedDirectories } = unpacked;
  return { storageKey: layer.key, diffId, sizeBytes, implied: impliedDirectories };
}
