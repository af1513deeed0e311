import type { AuthConfig } from '../../api-spec/auth.js';
import { registryOf } from '../reference.js';
import { callHelper } from './credential-store.js';
import { readConfig, type ConfigFile } from './config-file.js';

/** Docker Hub's credentials are kept under its oldest address. */
export const hubKey = 'https://index.docker.io/v1/';

/** The `X-Registry-Auth` header for an image, from config.json; none if nothing is known. */
export async function registryAuthHeader(
  image: string,
  folder: string,
): Promise<Readonly<Record<string, string>>> {
  const host = registryOf(image);
  const known = await credentialsFor(host === 'docker.io' ? hubKey : host, readConfig(folder));
  if (known === undefined) return {};
  return { 'X-Registry-Auth': Buffer.from(JSON.stringify(known)).toString('base64url') };
}

/** What config.json, or the helper that it names, knows of a registry. */
export async function credentialsFor(
  key: string,
  config: ConfigFile,
): Promise<AuthConfig | undefined> {
  const helper = config.credHelpers?.[key] ?? config.credsStore;
  if (helper !== undefined && helper !== '') return askHelper(helper, key);
  const entries = Object.entries(config.auths ?? {});
  const entry = entries.find(([name]) => name === key || hostOf(name) === hostOf(key))?.[1];
  return entry === undefined ? undefined : { ...decoded(entry), serveraddress: key };
}

/** The host of an address as config.json keeps it: with or without scheme and path. */
export function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}

function decoded(entry: AuthConfig): AuthConfig {
  if (entry.auth === undefined || entry.auth === '') return entry;
  const [username = '', ...rest] = Buffer.from(entry.auth, 'base64').toString('utf8').split(':');
  return { ...entry, auth: '', username, password: rest.join(':').replace(/\0+$/, '') };
}

async function askHelper(name: string, key: string): Promise<AuthConfig | undefined> {
  const text = await callHelper(name, 'get', key);
  if (text === undefined) return undefined;
  // The helper's protocol: https://github.com/docker/docker-credential-helpers
  const answer = JSON.parse(text) as { Username?: string; Secret?: string };
  const secret = answer.Secret ?? '';
  return answer.Username === '<token>'
    ? { identitytoken: secret, serveraddress: key }
    : { username: answer.Username ?? '', password: secret, serveraddress: key };
}
