/** The config of an image: the document whose digest is the image's id. Pure. */
import type { ContainerConfig } from '../../api-spec/index.js';
import { invalidParameter } from '../../api-spec/errors.js';
import { isDigest } from '../content/index.js';

/** One step of how it was made. */
export interface HistoryEntry {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** Field names are those of the OCI image spec. */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly created?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly docker_version?: string;
  readonly config: Partial<ContainerConfig>;
  readonly history: readonly HistoryEntry[];
  /** `sha256:…`, lowest first. */
  readonly diffIds: readonly string[];
}

/** Bound on the document, as on a manifest's. */
export const maxConfigBytes = 8 * 1024 * 1024;
const maxHistory = 10_000;

type JsonObject = Readonly<Record<string, unknown>>;

/** Reads a config; 400 saying which field is wrong. */
export function parseImageConfig(text: string): ImageConfig {
  const document = objectOf(parseOrUndefined(text), 'the document');
  const rootfs = objectOf(document['rootfs'] ?? {}, 'rootfs');
  const diffIds = listOf(rootfs['diff_ids'], 'rootfs.diff_ids').map((id) => {
    if (!isDigest(id)) throw wrong('rootfs.diff_ids');
    return id;
  });
  return {
    architecture: stringOf(document, 'architecture') ?? '',
    os: stringOf(document, 'os') ?? '',
    ...some(document, ['variant', 'created', 'author', 'comment', 'docker_version']),
    config: readContainerConfig(objectOf(document['config'] ?? {}, 'config')),
    history: listOf(document['history'], 'history').slice(0, maxHistory).map(readHistory),
    diffIds,
  };
}

function readHistory(value: unknown): HistoryEntry {
  const entry = objectOf(value, 'history');
  return {
    ...some(entry, ['created', 'created_by', 'author', 'comment']),
    ...(entry['empty_layer'] === true ? { empty_layer: true } : {}),
  };
}

type FieldKind = 'text' | 'texts' | 'textMap' | 'set' | 'flag' | 'number' | 'object';

const fields: Readonly<Record<string, FieldKind>> = {
  Hostname: 'text',
  Domainname: 'text',
  User: 'text',
  ExposedPorts: 'set',
  Env: 'texts',
  Cmd: 'texts',
  Healthcheck: 'object',
  ArgsEscaped: 'flag',
  Volumes: 'set',
  WorkingDir: 'text',
  Entrypoint: 'texts',
  OnBuild: 'texts',
  Labels: 'textMap',
  StopSignal: 'text',
  StopTimeout: 'number',
  Shell: 'texts',
};

const readers: Readonly<Record<FieldKind, (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string',
  texts: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
  textMap: (value) =>
    isObject(value) && Object.values(value).every((item) => typeof item === 'string'),
  set: isObject,
  flag: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number' && Number.isInteger(value),
  object: isObject,
};

function readContainerConfig(value: JsonObject): Partial<ContainerConfig> {
  const known = Object.entries(fields).flatMap(([name, kind]) => {
    const field = value[name];
    if (field === undefined || field === null) return [];
    if (!readers[kind](field)) throw wrong(`config.${name}`);
    return [[name, field] as const];
  });
  // Each field was checked against its kind above, and only fields of ContainerConfig are taken.
  return Object.fromEntries(known);
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectOf(value: unknown, what: string): JsonObject {
  if (!isObject(value)) throw wrong(what);
  return value;
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw wrong(what);
  return value;
}

function stringOf(object: JsonObject, name: string): string | undefined {
  const value = object[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw wrong(name);
  return value;
}

function some<Name extends string>(
  object: JsonObject,
  names: readonly Name[],
): { readonly [Key in Name]?: string } {
  const found = names.flatMap((name) => {
    const value = stringOf(object, name);
    return value === undefined || value === '' ? [] : [[name, value] as const];
  });
  // The keys are among `names` and the values strings, by the lines above.
  return Object.fromEntries(found) as { readonly [Key in Name]?: string };
}

function wrong(what: string): Error {
  return invalidParameter(`invalid image configuration: ${what} is missing or of the wrong type`);
}
