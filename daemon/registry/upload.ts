/** One blob into a registry, however often the connection breaks. */
import type { Readable } from 'node:stream';
import type { Descriptor } from '../content/index.js';
import { createBackoff, type BackoffOptions } from './backoff.js';
import type { PushTarget, UploadPart, UploadSession } from './push-target.js';
import { RegistryError } from './registry-error.js';

/** Which blob, and where its bytes are. */
export interface UploadOptions extends BackoffOptions {
  readonly descriptor: Descriptor;
  /** Its bytes from an offset on. */
  readonly open: (offsetBytes: number) => Readable;
  /** A repository of the same registry that should have it. */
  readonly mountFrom: string | undefined;
}

/** How it came there. */
export type Uploaded =
  | { readonly how: 'present' | 'uploaded' }
  | { readonly how: 'mounted'; readonly from: string };

/** Up to here a blob is one request; beyond, what a break has left is gone on with. */
const wholeBytes = 8 * 2 ** 20;

/**
 * Sends a blob that the registry does not have; rejects with `RegistryError`. A larger one goes in
 * parts: after a break the registry is asked how far it came.
 */
export async function uploadBlob(target: PushTarget, options: UploadOptions): Promise<Uploaded> {
  const { signal } = options;
  const again = createBackoff(options);
  const state: { session?: UploadSession | undefined } = {};
  for (;;) {
    const before = state.session?.offsetBytes ?? 0;
    try {
      return await attempt(target, options, state);
    } catch (error) {
      signal.throwIfAborted();
      if (!mayPass(error)) throw error;
      state.session = await resumed(target, state.session, signal);
      await again(error, (state.session?.offsetBytes ?? 0) > before);
    }
  }
}

async function attempt(
  target: PushTarget,
  options: UploadOptions,
  state: { session?: UploadSession | undefined },
): Promise<Uploaded> {
  if (state.session === undefined) {
    const begun = await begin(target, options);
    if ('how' in begun) return begun;
    state.session = begun;
  }
  await send(target, options, state.session);
  return { how: 'uploaded' };
}

async function begin(
  target: PushTarget,
  { descriptor: { digest }, mountFrom, signal }: UploadOptions,
): Promise<UploadSession | Uploaded> {
  if (await target.has(digest, signal)) return { how: 'present' };
  const begun = await target.begin(digest, mountFrom, signal);
  return begun === 'mounted' ? { how: 'mounted', from: mountFrom ?? '' } : begun;
}

async function send(
  target: PushTarget,
  { descriptor, open, signal }: UploadOptions,
  session: UploadSession,
): Promise<void> {
  const { offsetBytes } = session;
  const part: UploadPart = { descriptor, offsetBytes, open: () => open(offsetBytes) };
  if (descriptor.size <= wholeBytes && offsetBytes === 0) {
    return target.sendWhole(session, part, signal);
  }
  const sent =
    offsetBytes < descriptor.size ? await target.sendPart(session, part, signal) : session;
  return target.finish(sent, descriptor.digest, signal);
}

/** Undefined when it has to begin anew. */
async function resumed(
  target: PushTarget,
  session: UploadSession | undefined,
  signal: AbortSignal,
): Promise<UploadSession | undefined> {
  if (session === undefined) return undefined;
  try {
    return await target.progress(session, signal);
  } catch (error) {
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}

/** Errors in the middle of a body come from the socket; an upload may be forgotten. */
function mayPass(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return false;
  return error.transient || error.code === 'BLOB_UPLOAD_UNKNOWN';
}
