import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { join } from 'node:path';
import type { AuthConfig, AuthResponse } from '../../api-spec/auth.js';
import type { Call, Command } from '../command.js';
import { readConfig, writeConfig, type ConfigFile } from '../engine/config-file.js';
import { callHelper } from '../engine/credential-store.js';
import { credentialsFor, hostOf, hubKey } from '../engine/credentials.js';
import { CommandError } from '../errors.js';
import { flag } from '../flags.js';

/** `login`: tries credentials and keeps them. */
export const loginCommand: Command = {
  use: 'login [OPTIONS] [SERVER]',
  about: 'Log in to a registry; without a server, to Docker Hub',
  flags: [
    flag('text', 'password', 'Password or access token', { short: 'p' }),
    flag('switch', 'password-stdin', 'Read the password from standard input'),
    flag('text', 'username', 'Who you are there', { short: 'u' }),
  ],
  operands: [0, 1],
  run: login,
};

/** `logout`: forgets what `login` kept. */
export const logoutCommand: Command = {
  use: 'logout [SERVER]',
  about: 'Log out of a registry; without a server, of Docker Hub',
  flags: [],
  operands: [0, 1],
  run: logout,
};

/** What config.json calls a registry. */
function keyOf(server: string | undefined): string {
  const host = hostOf(server ?? '');
  return ['', 'docker.io', 'index.docker.io'].includes(host) ? hubKey : host;
}

async function login(call: Call): Promise<void> {
  const { engine, operands, configFolder, print } = call;
  const key = keyOf(operands[0]);
  const config = readConfig(configFolder);
  const auth = await askFor(call, { key, config });
  const answer = await engine.json<AuthResponse>('POST', '/auth', {
    body: { ...auth, serveraddress: key },
  });
  const { IdentityToken: token } = answer;
  const { username = '' } = auth;
  const kept = token === '' ? auth : { username, identitytoken: token };
  await keep(call, { key, config }, kept);
  print(`${answer.Status}\n`);
}

interface Place {
  readonly key: string;
  readonly config: ConfigFile;
}

/** User and password from flags, from what was kept, or from whoever sits at the terminal. */
async function askFor(call: Call, { key, config }: Place): Promise<AuthConfig> {
  const { flags, complain } = call;
  if (flags.switch('password-stdin')) return readPiped(call);
  const known = await credentialsFor(key, config);
  const isTold = flags.isSet('password') && flags.isSet('username');
  if (flags.isSet('password')) {
    complain('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n');
  }
  if (!isTold && !process.stdin.isTTY) {
    if (known !== undefined && !flags.isSet('username')) return known;
    throw new CommandError('Cannot perform an interactive login from a non TTY device');
  }
  const username = flags.text('username') || (await ask('Username: ', known?.username));
  return { username, password: flags.text('password') || (await ask('Password: ')) };
}

async function readPiped({ flags }: Call): Promise<AuthConfig> {
  if (flags.isSet('password')) {
    throw new CommandError('--password and --password-stdin are mutually exclusive');
  }
  const username = flags.text('username');
  if (username === '') throw new CommandError('Must provide --username with --password-stdin');
  return { username, password: (await readText(process.stdin)).replace(/\r?\n$/, '') };
}

/** One line from the terminal; without an `otherwise` it is a secret, and is not shown. */
async function ask(question: string, otherwise?: string): Promise<string> {
  const isSecret = otherwise === undefined && question.startsWith('Password');
  process.stdout.write(question);
  const output = new Writable({
    write: (chunk, encoding, done) => {
      if (!isSecret) process.stdout.write(chunk as Uint8Array, encoding);
      done();
    },
  });
  const reader = createInterface({ input: process.stdin, output, terminal: true });
  try {
    const answer = await reader.question('');
    if (isSecret) process.stdout.write('\n');
    return answer === '' ? (otherwise ?? '') : answer;
  } finally {
    reader.close();
  }
}

/** In the helper's hands where there is one; else in config.json, which only its owner reads. */
async function keep(call: Call, { key, config }: Place, auth: AuthConfig): Promise<void> {
  const { configFolder, complain } = call;
  const { username = '', password = '', identitytoken } = auth;
  const helper = helperFor(key, config);
  if (helper !== undefined) {
    const secret =
      identitytoken === undefined
        ? { Username: username, Secret: password }
        : { Username: '<token>', Secret: identitytoken };
    await callHelper(helper, 'store', JSON.stringify({ ServerURL: key, ...secret }));
    await writeConfig(configFolder, { ...config, auths: { ...config.auths, [key]: {} } });
    return;
  }
  const encoded = Buffer.from(`${username}:${identitytoken === undefined ? password : ''}`);
  const entry = {
    auth: encoded.toString('base64'),
    ...(identitytoken === undefined ? {} : { identitytoken }),
  };
  await writeConfig(configFolder, { ...config, auths: { ...config.auths, [key]: entry } });
  const path = join(configFolder, 'config.json');
  complain(`WARNING! Your credentials are stored unencrypted in '${path}'.\n`);
}

function helperFor(key: string, { credHelpers, credsStore }: ConfigFile): string | undefined {
  return (credHelpers?.[key] ?? credsStore) || undefined;
}

async function logout({ operands, configFolder, print }: Call): Promise<void> {
  const key = keyOf(operands[0]);
  const config = readConfig(configFolder);
  const shown = key === hubKey ? key : hostOf(key);
  const others = Object.entries(config.auths ?? {}).filter(
    ([name]) => name !== key && hostOf(name) !== hostOf(key),
  );
  const helper = helperFor(key, config);
  if (others.length === Object.keys(config.auths ?? {}).length && helper === undefined) {
    print(`Not logged in to ${shown}\n`);
    return;
  }
  print(`Removing login credentials for ${shown}\n`);
  if (helper !== undefined) await callHelper(helper, 'erase', key);
  await writeConfig(configFolder, { ...config, auths: Object.fromEntries(others) });
}
