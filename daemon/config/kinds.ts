/**
 * How the value of an option is read, from the words of its flag and from JSON. Both throw a
 * `ConfigError` that says what is wrong; the caller adds the flag or the file.
 */
import { isIP } from 'node:net';
import type { AddressPool, RuntimeOption, Ulimit } from './config.js';
import { ConfigError } from './config-error.js';
import { parseBoolean, parseInteger, parseSizeBytes } from './units.js';

interface Kind<Value> {
  /** `words`: one for each time the flag was given, at least one. */
  readonly fromFlag: (words: readonly string[]) => Value;
  readonly fromJson: (json: unknown, key: string) => Value;
  /** The flag may stand without a value. */
  readonly bare?: true;
}

const last = (words: readonly string[]): string => words.at(-1) ?? '';

function describe(json: unknown): string {
  if (Array.isArray(json)) return 'array';
  return typeof json === 'boolean' ? 'bool' : typeof json;
}

const mismatch = (json: unknown, key: string, wanted: string): ConfigError =>
  new ConfigError(`${key}: cannot take ${describe(json)} as ${wanted}`);

function jsonString(json: unknown, key: string): string {
  if (typeof json !== 'string') throw mismatch(json, key, 'string');
  return json;
}

function jsonList(json: unknown, key: string): readonly unknown[] {
  if (!Array.isArray(json)) throw mismatch(json, key, 'list');
  return json;
}

function jsonObject(json: unknown, key: string): Readonly<Record<string, unknown>> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw mismatch(json, key, 'object');
  }
  // A parsed JSON object has string keys and unknown values, which is just what this type says.
  return json as Readonly<Record<string, unknown>>;
}

function jsonMap<Value>(json: unknown, key: string, read: (json: unknown, key: string) => Value) {
  const entries = Object.entries(jsonObject(json, key));
  return Object.fromEntries(entries.map(([name, value]) => [name, read(value, `${key}.${name}`)]));
}

function jsonInteger(json: unknown, key: string): number {
  if (typeof json !== 'number' || !Number.isSafeInteger(json)) throw mismatch(json, key, 'int');
  return json;
}

function jsonBoolean(json: unknown, key: string): boolean {
  if (typeof json !== 'boolean') throw mismatch(json, key, 'bool');
  return json;
}

/** Splits at the first `=`; refuses what has none. */
function pair(word: string, complaint: string): readonly [string, string] {
  const at = word.indexOf('=');
  if (at <= 0) throw new ConfigError(complaint);
  return [word.slice(0, at), word.slice(at + 1)];
}

function address(word: string): string {
  if (isIP(word) === 0) throw new ConfigError(`invalid IP address: ${word}`);
  return word;
}

function label(word: string): string {
  pair(word, `bad attribute format: ${word}`);
  return word;
}

function mirror(word: string): string {
  const url = URL.canParse(word) ? new URL(word) : undefined;
  if (url === undefined) throw new ConfigError(`invalid mirror: "${word}" is not a valid URI`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    const scheme = url.protocol.slice(0, -1);
    throw new ConfigError(`invalid mirror: unsupported scheme "${scheme}" in "${word}"`);
  }
  if (url.search !== '' || url.hash !== '') {
    throw new ConfigError(`invalid mirror: query or fragment at end of the URI "${word}"`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new ConfigError(`invalid mirror: username/password not allowed in URI "${url.host}"`);
  }
  return url.href.endsWith('/') ? url.href : `${url.href}/`;
}

function pool(base: string, size: number): AddressPool {
  const [network = '', bits = ''] = base.split('/');
  const prefix = parseInteger(bits);
  const width = isIP(network) === 6 ? 128 : 32;
  if (isIP(network) === 0 || prefix === undefined || prefix < 0 || prefix > width) {
    throw new ConfigError(`invalid base pool "${base}": invalid CIDR address: ${base}`);
  }
  if (size < prefix || size > width) {
    throw new ConfigError(`invalid pool size ${size} for base ${base}`);
  }
  return { base, size };
}

function poolFromWord(word: string): AddressPool {
  const fields = new Map<string, string>();
  for (const field of word.split(',')) {
    const [name, value] = pair(field, `invalid field '${field}' must be a key=value pair`);
    if (name !== 'base' && name !== 'size')
      throw new ConfigError(`unexpected key '${name}' in '${field}'`);
    fields.set(name, value);
  }
  const size = parseInteger(fields.get('size') ?? '');
  if (size === undefined) throw new ConfigError(`invalid size value: ${fields.get('size') ?? ''}`);
  return pool(fields.get('base') ?? '', size);
}

function poolFromJson(json: unknown, key: string): AddressPool {
  const { base, size, ...others } = jsonObject(json, key);
  const [stranger] = Object.keys(others);
  if (stranger !== undefined) throw new ConfigError(`${key}: unknown field ${stranger}`);
  return pool(jsonString(base, `${key}.base`), jsonInteger(size, `${key}.size`));
}

const ulimitNames = new Set([
  'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss',
  'rtprio', 'rttime', 'sigpending', 'stack',
]);

function ulimit(name: string, soft: number, hard: number): Ulimit {
  if (!ulimitNames.has(name)) throw new ConfigError(`invalid ulimit type: ${name}`);
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw new ConfigError(
      `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`,
    );
  }
  return { Name: name, Soft: soft, Hard: hard };
}

function ulimitFromWord(word: string): Ulimit {
  const complaint = `invalid ulimit argument: ${word}`;
  const [name, limits] = pair(word, complaint);
  const [soft, hard = soft, ...rest] = limits.split(':').map(parseInteger);
  if (soft === undefined || hard === undefined || rest.length > 0) throw new ConfigError(complaint);
  return ulimit(name, soft, hard);
}

function ulimitFromJson(json: unknown, key: string): Ulimit {
  const { Name, Soft, Hard } = jsonObject(json, key);
  return ulimit(
    jsonString(Name, `${key}.Name`),
    jsonInteger(Soft, `${key}.Soft`),
    jsonInteger(Hard, `${key}.Hard`),
  );
}

function runtimeFromJson(json: unknown, key: string): RuntimeOption {
  const { path, runtimeArgs = [], ...others } = jsonObject(json, key);
  const [stranger] = Object.keys(others);
  if (stranger !== undefined) {
    throw new ConfigError(`${key}: ${stranger} is not supported, only path and runtimeArgs`);
  }
  return {
    path: jsonString(path, `${key}.path`),
    runtimeArgs: jsonList(runtimeArgs, `${key}.runtimeArgs`).map((word) => jsonString(word, key)),
  };
}

function list<Value>(
  read: (word: string) => Value,
  fromJson: (json: unknown, key: string) => Value = (json, key) => read(jsonString(json, key)),
): Kind<readonly Value[]> {
  return {
    fromFlag: (words) => words.map(read),
    fromJson: (json, key) =>
      jsonList(json, key).map((entry, at) => fromJson(entry, `${key}[${at}]`)),
  };
}

function one<Value>(read: (word: string) => Value): Kind<Value> {
  return {
    fromFlag: (words) => read(last(words)),
    fromJson: (json, key) => read(jsonString(json, key)),
  };
}

const itself = (word: string): string => word;

const boolean: Kind<boolean> = {
  bare: true,
  fromFlag: (words) => {
    const value = parseBoolean(last(words));
    if (value === undefined) {
      throw new ConfigError(`strconv.ParseBool: parsing "${last(words)}": invalid syntax`);
    }
    return value;
  },
  fromJson: jsonBoolean,
};

const integer: Kind<number> = {
  fromFlag: (words) => {
    const value = parseInteger(last(words));
    if (value === undefined) {
      throw new ConfigError(`strconv.ParseInt: parsing "${last(words)}": invalid syntax`);
    }
    return value;
  },
  fromJson: jsonInteger,
};

const size = one((word): number => {
  const sizeBytes = parseSizeBytes(word);
  if (sizeBytes === undefined) throw new ConfigError(`invalid size: '${word}'`);
  return sizeBytes;
});

const map: Kind<Readonly<Record<string, string>>> = {
  // As dockerd: a word without `=` is a key with an empty value.
  fromFlag: (words) =>
    Object.fromEntries(words.map((word) => (word.includes('=') ? pair(word, word) : [word, '']))),
  fromJson: (json, key) => jsonMap(json, key, jsonString),
};

const networkOptions: Kind<Readonly<Record<string, Readonly<Record<string, string>>>>> = {
  fromFlag: (words) => {
    const drivers: Record<string, Record<string, string>> = {};
    for (const word of words) {
      const complaint = `invalid key value pair format: ${word}`;
      const [driver, option] = pair(word, complaint);
      const [name, value] = pair(option, complaint);
      drivers[driver] = { ...drivers[driver], [name]: value };
    }
    return drivers;
  },
  fromJson: (json, key) => jsonMap(json, key, (inner, name) => jsonMap(inner, name, jsonString)),
};

const ulimits: Kind<Readonly<Record<string, Ulimit>>> = {
  fromFlag: (words) =>
    Object.fromEntries(words.map(ulimitFromWord).map((limit) => [limit.Name, limit])),
  fromJson: (json, key) => jsonMap(json, key, ulimitFromJson),
};

const runtimes: Kind<Readonly<Record<string, RuntimeOption>>> = {
  fromFlag: (words) =>
    Object.fromEntries(
      words.map((word) => {
        const [name, path] = pair(word, `invalid runtime, expected NAME=PATH: ${word}`);
        return [name, { path, runtimeArgs: [] }];
      }),
    ),
  fromJson: (json, key) => jsonMap(json, key, runtimeFromJson),
};

const booleans: Kind<Readonly<Record<string, boolean>>> = {
  fromFlag: (words) =>
    Object.fromEntries(words.map((word) => pair(word, word)).map(([k, v]) => [k, v === 'true'])),
  fromJson: (json, key) => jsonMap(json, key, jsonBoolean),
};

const anything: Kind<unknown> = { fromFlag: last, fromJson: (json) => json };

/** By the name that an option's spec gives. */
export const kinds = {
  boolean,
  integer,
  size,
  map,
  networkOptions,
  ulimits,
  runtimes,
  booleans,
  anything,
  string: one(itself),
  strings: list(itself),
  address: one(address),
  addresses: list(address),
  labels: list(label),
  mirrors: list(mirror),
  pools: list(poolFromWord, poolFromJson),
};
