/** Credentials and secrets that come in a header. */
import { Type } from 'typebox';
import { AuthConfig, BuildGrants } from '../../api-spec/index.js';
import { ApiError } from '../../api-spec/errors.js';
import { decodeBody } from './decode.js';

/**
 * `X-Registry-Auth`: JSON in base64, in either alphabet, with or without padding. What cannot be
 * read counts as no credentials, as in Docker.
 */
export function decodeRegistryAuth(header: string | readonly string[] | undefined): AuthConfig {
  const text = typeof header === 'string' ? header : header?.[0];
  if (text === undefined || text === '') return {};
  try {
    // Node's decoder takes both alphabets and does not need the padding.
    return decodeBody(AuthConfig, Buffer.from(text, 'base64').toString('utf8'));
  } catch (error) {
    if (error instanceof ApiError) return {};
    throw error;
  }
}

/**
 * `X-Registry-Config`: credentials by registry, encoded in the same way. What cannot be read counts
 * as none.
 */
export function decodeRegistryConfig(
  header: string | readonly string[] | undefined,
): Readonly<Record<string, AuthConfig>> {
  const text = typeof header === 'string' ? header : header?.[0];
  if (text === undefined || text === '') return {};
  try {
    return decodeBody(RegistryConfig, Buffer.from(text, 'base64').toString('utf8'));
  } catch (error) {
    if (error instanceof ApiError) return {};
    throw error;
  }
}

const RegistryConfig = Type.Record(Type.String(), AuthConfig);

/**
 * `X-Build-Grants`, which Docker has not: JSON in base64, as the others. `ApiError` 400 for what
 * cannot be read: a build without its secrets would be another one.
 */
export function decodeBuildGrants(
  header: string | readonly string[] | undefined,
): BuildGrants | undefined {
  const text = typeof header === 'string' ? header : header?.[0];
  if (text === undefined || text === '') return undefined;
  return decodeBody(BuildGrants, Buffer.from(text, 'base64').toString('utf8'));
}
