/** `build --secret` and `--ssh`: what a Dockerfile may ask for, read before anything is sent. */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { BuildGrants } from '../../api-spec/auth.js';
import type { Call } from '../command.js';
import { csvFields } from '../create-options/pairs.js';
import { CommandError, messageOf } from '../errors.js';

/** Bound on all secrets of one build: they travel in a header. */
const maxSecretBytes = 500 * 1024;

/** Headers that carry them; none where nothing is granted. CommandError for what is not there. */
export async function grantsOf({ flags, engine }: Call): Promise<Readonly<Record<string, string>>> {
  const [secrets, agents] = [flags.list('secret'), flags.list('ssh')];
  if (secrets.length === 0 && agents.length === 0) return {};
  if (agents.length > 0 && !engine.shown.startsWith('unix://')) {
    throw new CommandError(`--ssh needs an engine on this machine, not ${engine.shown}`);
  }
  const read = await Promise.all(secrets.map(readSecret));
  const bytes = read.reduce((sum, [, content]) => sum + content.length, 0);
  if (bytes > maxSecretBytes) {
    throw new CommandError(`--secret: more than ${maxSecretBytes} bytes altogether`);
  }
  const grants: BuildGrants = {
    Secrets: Object.fromEntries(read.map(([id, content]) => [id, content.toString('base64')])),
    SSH: Object.fromEntries(await Promise.all(agents.map(readAgent))),
  };
  return { 'X-Build-Grants': Buffer.from(JSON.stringify(grants)).toString('base64url') };
}

/** As buildx reads it: of a variable of its name if there is one, else of a file. */
async function readSecret(text: string): Promise<readonly [string, Buffer]> {
  const given = fieldsOf(text);
  const id = given.get('id') ?? '';
  if (id === '') throw new CommandError(`invalid secret: ${text}: id is required`);
  const type = given.get('type') ?? '';
  if (!['', 'file', 'env'].includes(type)) {
    throw new CommandError(`unsupported secret type ${JSON.stringify(type)}`);
  }
  const source = given.get('source') ?? '';
  const variable = given.get('env') ?? variableOf(type, source, id);
  if (variable !== '') return [id, Buffer.from(process.env[variable] ?? '')];
  try {
    return [id, await readFile(source || id)];
  } catch (error) {
    throw new CommandError(`failed to read secret ${id}: ${messageOf(error)}`);
  }
}

function variableOf(type: string, source: string, id: string): string {
  if (type === 'env') return source || id;
  return type === '' && source === '' && process.env[id] !== undefined ? id : '';
}

const aliases: Readonly<Record<string, string>> = { src: 'source' };

function fieldsOf(text: string): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  for (const field of csvFields(text)) {
    const equals = field.indexOf('=');
    const name = field.slice(0, Math.max(equals, 0)).toLowerCase();
    const key = aliases[name] ?? name;
    if (!['id', 'source', 'env', 'type'].includes(key)) {
      const what = equals < 0 ? `invalid field '${field}' must be a key=value pair` :
        `unexpected key '${name}' in '${field}'`;
      throw new CommandError(what);
    }
    given.set(key, field.slice(equals + 1));
  }
  return given;
}

/** `ID=SOCKET`; an id alone is the agent that this program's own variable names. */
async function readAgent(text: string): Promise<readonly [string, string]> {
  const [, id = '', named] = /^([^=]*)(?:=(.*))?$/s.exec(text) ?? [];
  const path = named ?? process.env['SSH_AUTH_SOCK'] ?? '';
  if (id === '' || path === '') {
    throw new CommandError(`invalid empty ssh agent socket: ${text}: is SSH_AUTH_SOCK set?`);
  }
  const found = await stat(path).catch((error: unknown) => {
    throw new CommandError(`ssh agent ${id}: ${messageOf(error)}`);
  });
  if (!found.isSocket()) {
    throw new CommandError(`ssh agent ${id}: ${path} is no socket: add keys to an agent`);
  }
  return [id, resolve(path)];
}
