/** The syntax of digests, checked before any of them becomes part of a path or of a URL. */
import { createHash } from 'node:crypto';

/** The one algorithm that the store keeps; others are refused by name. */
const sha256Digest = /^sha256:[0-9a-f]{64}$/;

/** Whether `value` is a well-formed `sha256:<64 hex>`: nothing else may name a blob. */
export function isDigest(value: unknown): value is string {
  return typeof value === 'string' && sha256Digest.test(value);
}

/** The 64 hex digits; throws on what is no digest, so that no path can be smuggled in. */
export function hexOf(digest: string): string {
  if (!isDigest(digest)) throw new Error(`invalid digest ${JSON.stringify(digest).slice(0, 100)}`);
  return digest.slice('sha256:'.length);
}

/** `sha256:…` of bytes that are in memory. */
export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
