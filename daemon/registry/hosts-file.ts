/**
 * `hosts.toml`, as containerd reads it: which servers stand in for a registry, and how each of them
 * is spoken to. Pure. https://github.com/containerd/containerd/blob/main/docs/hosts.md
 */
import { parse } from 'smol-toml';
import { isObject, type JsonObject } from './registry-error.js';

/** What a server may be asked for: blobs and manifests by digest, tags, uploads. */
export type Capability = 'pull' | 'resolve' | 'push';

/** A certificate for the client, as paths; the key is in the same file when none is named. */
export interface ClientPair {
  readonly cert: string;
  readonly key: string;
}

/** One server of a `hosts.toml`; paths are as they are written. */
export interface RegistryHost {
  /** Whole, with the `/v2/` that requests go below. */
  readonly base: URL;
  readonly capabilities: readonly Capability[];
  readonly ca: readonly string[];
  readonly client: readonly ClientPair[];
  readonly skipVerify: boolean;
  /** Sent with every request to this server. */
  readonly headers: Readonly<Record<string, string>>;
  /** Named by `server`: the registry itself, which gets the user's credentials. */
  readonly isServer: boolean;
}

const everything: readonly Capability[] = ['pull', 'resolve', 'push'];
const maxHosts = 20;

/**
 * The servers in their order, the registry itself last. Throws an `Error` that names what is wrong;
 * `own` is the registry's address where the file does not name another.
 */
export function parseHostsFile(text: string, own: URL): readonly RegistryHost[] {
  const document: unknown = parse(text);
  if (!isObject(document)) throw new Error('not a table');
  const hosts = tableOf(document['host'], 'host');
  const entries = Object.entries(hosts);
  if (entries.length > maxHosts) throw new Error(`more than ${maxHosts} hosts`);
  const named = entries.map(([address, fields]) =>
    readHost(addressOf(address), tableOf(fields, `host."${address}"`), false),
  );
  const server = document['server'];
  if (server !== undefined && typeof server !== 'string') throw new Error('server is no text');
  const address = server === undefined ? own : addressOf(server);
  return [...named, readHost(address, document, true)];
}

function readHost(address: URL, fields: JsonObject, isServer: boolean): RegistryHost {
  return {
    base: baseOf(address, flagOf(fields, 'override_path')),
    capabilities: capabilitiesOf(fields['capabilities']),
    ca: textsOf(fields['ca'], 'ca'),
    client: pairsOf(fields['client']),
    skipVerify: flagOf(fields, 'skip_verify'),
    headers: headersOf(tableOf(fields['header'], 'header')),
    isServer,
  };
}

/** A host without a scheme is spoken to with TLS. */
function addressOf(text: string): URL {
  const whole = /^https?:\/\//.test(text) ? text : `https://${text.replace(/^\/\//, '')}`;
  if (text.includes('://') !== whole.startsWith(text) || !URL.canParse(whole)) {
    throw new Error(`invalid host ${JSON.stringify(text).slice(0, 200)}`);
  }
  return new URL(whole);
}

/** Below `/v2/`, unless the path says where the API is by itself. */
function baseOf(address: URL, isWhole: boolean): URL {
  const path = address.pathname.replace(/\/+$/, '');
  const base = new URL(address.origin);
  base.pathname = isWhole || path.endsWith('/v2') ? `${path}/` : `${path}/v2/`;
  return base;
}

function capabilitiesOf(value: unknown): readonly Capability[] {
  if (value === undefined) return everything;
  return textsOf(value, 'capabilities').map((name) => {
    const known = everything.find((capability) => capability === name);
    if (known === undefined) throw new Error(`unknown capability ${JSON.stringify(name)}`);
    return known;
  });
}

/** A path, a list of paths, or a list of pairs of paths. */
function pairsOf(value: unknown): readonly ClientPair[] {
  return listOf(value).map((entry) => {
    const [cert, key, ...rest] = textsOf(entry, 'client');
    if (cert === undefined || rest.length > 0) throw new Error('client is no path and no pair');
    return { cert, key: key === undefined || key === '' ? cert : key };
  });
}

function headersOf(table: JsonObject): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(table).map(([name, value]) => {
      const text = textsOf(value, `header.${name}`).join(', ');
      if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || /[\r\n\0]/.test(text)) {
        throw new Error(`invalid header ${JSON.stringify(name).slice(0, 100)}`);
      }
      return [name.toLowerCase(), text];
    }),
  );
}

function textsOf(value: unknown, what: string): readonly string[] {
  return listOf(value).map((entry) => {
    if (typeof entry !== 'string') throw new Error(`${what} is neither text nor a list of texts`);
    return entry;
  });
}

/** One thing stands for a list of it. */
function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function flagOf(fields: JsonObject, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value !== 'boolean') throw new Error(`${name} is neither true nor false`);
  return value;
}

function tableOf(value: unknown, what: string): JsonObject {
  if (value === undefined) return {};
  if (!isObject(value)) throw new Error(`${what} is no table`);
  return value;
}
