/**
 * The content store: an OCI image layout that other tools can read in place.
 *
 *     <data-root>/image/oci-layout
 *                       index.json            projection of the tags in SQLite
 *                       blobs/sha256/<hex>    whole and verified, or not there
 *     <data-root>/tmp/partial-<hex>           downloads to go on with, for a day
 *     <data-root>/tmp/ingest-<random>         everything else under way; removed at start
 */
import { randomBytes } from 'node:crypto';
import { createReadStream, existsSync, type ReadStream } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../native/errno-error.js';
import { hexOf, isDigest } from './digest.js';
import { openDraft, type Draft } from './draft.js';
import { replaceFile, syncFolder } from './durable.js';
import { Ingest, type Expected } from './ingest.js';

export { ContentError } from './content-error.js';
export { digestOf, hexOf, isDigest } from './digest.js';
export type { Draft } from './draft.js';
export { Ingest, type Expected } from './ingest.js';

/** A descriptor as in the OCI image spec. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Where else it may be fetched from. */
  readonly urls?: readonly string[];
  readonly platform?: {
    readonly os: string;
    readonly architecture: string;
    readonly variant?: string;
  };
}

const partialLifetimeMs = 24 * 3600 * 1000;

/** Blobs by digest. Nothing here knows what refers to what: `delete` is the caller's decision. */
export interface ContentStore {
  /** Where a blob is or would be: for readers that take a path. */
  path(digest: string): string;
  /** Size of a blob that is there. */
  stat(digest: string): Promise<{ readonly sizeBytes: number } | undefined>;
  /** Whether a blob is there; some ten microseconds. */
  has(digest: string): boolean;
  /** From an offset on; the stream closes itself, and fails with ENOENT when there is no blob. */
  read(digest: string, offsetBytes?: number): ReadStream;
  /** A small blob as a whole; refuses more than `limitBytes`. */
  readAll(digest: string, limitBytes: number): Promise<Buffer>;
  /** Begins to store. With `resume` and a digest it goes on where an earlier attempt was kept. */
  ingest(expected: Expected, options?: { readonly resume: boolean }): Promise<Ingest>;
  /** Begins to store what another process writes: its end is like an ingest's. */
  draft(): Promise<Draft>;
  /** Stores bytes that are in memory; idempotent. */
  put(bytes: Uint8Array): Promise<{ readonly digest: string; readonly sizeBytes: number }>;
  /** Idempotent. */
  delete(digest: string): Promise<void>;
  /** Takes a blob out of the store, kept for a later `ingest` with `resume`; absent is no error. */
  demote(digest: string): Promise<void>;
  /** All blobs that are there. */
  digests(): Promise<readonly string[]>;
  /** Replaces `index.json`, durably. */
  writeIndex(manifests: readonly Descriptor[]): Promise<void>;
  /** After a start: removes what an earlier daemon left half done, and partials past their day. */
  sweep(nowMs: number): Promise<readonly string[]>;
}

/** Opens (and makes, where absent) the store under `dataRoot`. */
export async function openContent(dataRoot: string): Promise<ContentStore> {
  const layout = join(dataRoot, 'image');
  const blobs = join(layout, 'blobs', 'sha256');
  const temporary = join(dataRoot, 'tmp');
  await mkdir(blobs, { recursive: true, mode: 0o700 });
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  await replaceFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await syncFolder(join(layout, 'blobs'));

  const path = (digest: string): string => join(blobs, hexOf(digest));
  const store: ContentStore = {
    path,
    stat: (digest) => statBlob(path(digest)),
    has: (digest) => existsSync(path(digest)),
    read: (digest, start = 0) => createReadStream(path(digest), { start }),
    readAll: async (digest, limitBytes) => {
      const found = await statBlob(path(digest));
      if (found !== undefined && found.sizeBytes > limitBytes) {
        throw new Error(`blob ${digest} is larger than ${limitBytes} bytes`);
      }
      return readFile(path(digest));
    },
    ingest: (expected, options) => {
      const resume = options?.resume === true && expected.digest !== undefined;
      const name = resume ? `partial-${hexOf(expected.digest)}` : ingestName();
      return Ingest.open({ expected, path: join(temporary, name), resume, target: path });
    },
    draft: () => openDraft(join(temporary, ingestName()), path),
    put: async (bytes) => {
      const ingest = await store.ingest({ sizeBytes: bytes.length });
      try {
        await ingest.write(bytes);
      } catch (error) {
        await ingest.abort();
        throw error;
      }
      return ingest.commit();
    },
    delete: (digest) => rm(path(digest), { force: true }),
    demote: async (digest) => {
      if ((await statBlob(path(digest))) === undefined) return;
      await rename(path(digest), join(temporary, `partial-${hexOf(digest)}`));
    },
    digests: async () => {
      const names = await readdir(blobs);
      return names.map((name) => `sha256:${name}`).filter(isDigest);
    },
    writeIndex: (manifests) =>
      replaceFile(
        join(layout, 'index.json'),
        JSON.stringify({
          schemaVersion: 2,
          mediaType: 'application/vnd.oci.image.index.v1+json',
          manifests,
        }),
      ),
    sweep: (nowMs) => sweepTemporary(temporary, nowMs),
  };
  return store;
}

function ingestName(): string {
  return `ingest-${randomBytes(8).toString('hex')}`;
}

async function statBlob(path: string): Promise<{ sizeBytes: number } | undefined> {
  try {
    const found = await stat(path);
    return { sizeBytes: found.size };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function sweepTemporary(folder: string, nowMs: number): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const name of await readdir(folder)) {
    const stale =
      name.startsWith('ingest-') ||
      (name.startsWith('partial-') &&
        nowMs - (await stat(join(folder, name))).mtimeMs > partialLifetimeMs);
    if (!stale) continue;
    await rm(join(folder, name), { force: true });
    removed.push(name);
  }
  return removed;
}
