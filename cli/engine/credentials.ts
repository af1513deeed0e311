import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AuthConfig } from '../../api-spec/auth.js';
import { CommandError } from '../errors.js';
import { registryOf } from '../reference.js';

/** Docker Hub's credentials are kept under its oldest address. */
const hubKey = 'https://index.docker.io/v1/';
const helperTimeoutMs = 30_000;

interface ConfigFile {
  readonly auths?: Readonly<Record<string, AuthConfig>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
}

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

function readConfig(folder: string): ConfigFile {
  const path = join(folder, 'config.json');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (problem) {
    if (problem instanceof Error && 'code' in problem && problem.code === 'ENOENT') return {};
    throw new CommandError(`cannot read ${path}`, 1, { cause: problem });
  }
  try {
    // The file is the user's; each field is looked at before it is used.
    return JSON.parse(text) as ConfigFile;
  } catch (problem) {
    throw new CommandError(`${path} is not JSON`, 1, { cause: problem });
  }
}

async function credentialsFor(key: string, config: ConfigFile): Promise<AuthConfig | undefined> {
  const helper = config.credHelpers?.[key] ?? config.credsStore;
  if (helper !== undefined && helper !== '') return askHelper(helper, key);
  const entries = Object.entries(config.auths ?? {});
  const entry = entries.find(([name]) => name === key || hostOf(name) === hostOf(key))?.[1];
  return entry === undefined ? undefined : { ...decoded(entry), serveraddress: key };
}

function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}

function decoded(entry: AuthConfig): AuthConfig {
  if (entry.auth === undefined || entry.auth === '') return entry;
  const [username = '', ...rest] = Buffer.from(entry.auth, 'base64').toString('utf8').split(':');
  return { ...entry, auth: '', username, password: rest.join(':').replace(/\0+$/, '') };
}

function askHelper(name: string, key: string): Promise<AuthConfig | undefined> {
  return new Promise((resolve, reject) => {
    const program = `docker-credential-${name}`;
    const child = execFile(program, ['get'], { timeout: helperTimeoutMs }, (problem, stdout) => {
      if (problem !== null) {
        if (/credentials not found/i.test(stdout)) resolve(undefined);
        else reject(new CommandError(`${program}: ${problem.message}`, 1, { cause: problem }));
        return;
      }
      // The helper's protocol: https://github.com/docker/docker-credential-helpers
      const answer = JSON.parse(stdout) as { Username?: string; Secret?: string };
      const secret = answer.Secret ?? '';
      resolve(
        answer.Username === '<token>'
          ? { identitytoken: secret, serveraddress: key }
          : { username: answer.Username ?? '', password: secret, serveraddress: key },
      );
    });
    child.stdin?.end(key);
  });
}
