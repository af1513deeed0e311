/** Credentials as clients hand them over, for the one request that carries them. Pure. */
import type { AuthConfig } from '../../api-spec/index.js';
import { isObject, parseJson } from './registry-error.js';

/** A bound on the header, far above any real credentials. */
const maxHeaderLength = 256 * 1024;

/**
 * Reads `X-Registry-Auth`: base64 in either alphabet, padded or not. What cannot be read is no
 * credentials, never an error, as clients send `e30=`, `null` or nothing at all.
 */
export function decodeRegistryAuth(header: string | undefined): AuthConfig {
  if (header === undefined || header === '' || header.length > maxHeaderLength) return {};
  const parsed = parseJson(Buffer.from(header, 'base64').toString('utf8'));
  return isObject(parsed) ? readAuthConfig(parsed) : {};
}

const fields = [
  'username',
  'password',
  'auth',
  'email',
  'serveraddress',
  'identitytoken',
  'registrytoken',
] as const;

/** Takes the known fields that are strings; Go reads keys in any case, so this does. */
function readAuthConfig(object: Readonly<Record<string, unknown>>): AuthConfig {
  const lower = new Map(Object.entries(object).map(([key, value]) => [key.toLowerCase(), value]));
  const known = fields.flatMap((field) => {
    const value = lower.get(field);
    return typeof value === 'string' && value !== '' ? [[field, value] as const] : [];
  });
  return Object.fromEntries(known);
}

/** User and password, from their own fields or from `auth`; undefined when there are none. */
export function basicCredentials(auth: AuthConfig): string | undefined {
  if (auth.username !== undefined && auth.password !== undefined) {
    return Buffer.from(`${auth.username}:${auth.password}`).toString('base64');
  }
  const both = auth.auth === undefined ? '' : Buffer.from(auth.auth, 'base64').toString('utf8');
  return both.includes(':') ? Buffer.from(both).toString('base64') : undefined;
}
