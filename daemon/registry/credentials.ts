/** Credentials as clients hand them over, for the one request that carries them. Pure. */
import type { AuthConfig } from '../../api-spec/index.js';

/** User and password, from their own fields or from `auth`; undefined when there are none. */
export function basicCredentials(auth: AuthConfig): string | undefined {
  if (auth.username !== undefined && auth.password !== undefined) {
    return Buffer.from(`${auth.username}:${auth.password}`).toString('base64');
  }
  const both = auth.auth === undefined ? '' : Buffer.from(auth.auth, 'base64').toString('utf8');
  return both.includes(':') ? Buffer.from(both).toString('base64') : undefined;
}
