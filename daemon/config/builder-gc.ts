/** `builder.gc` of `daemon.json`: how much the build cache may have. */
import { BuildPrune } from '../../api-spec/operations/images.js';
import { ConfigError } from './config-error.js';
import { parseSizeBytes } from './units.js';

/** One rule of `builder.gc.policy`: what it names goes until the cache has room. */
export interface BuildCachePolicy {
  /** Also what images stand on. */
  readonly all: boolean;
  /** Bytes that stay in any case, that stay at most, and that are to be free; 0 for no such. */
  readonly keep: { readonly reserved: number; readonly maxUsed: number; readonly minFree: number };
  /** As `build/prune` takes them. */
  readonly filters: Readonly<Record<string, readonly string[]>>;
}

type Fields = Readonly<Record<string, unknown>>;

/** As dockerd reads it, and its older name. */
const sizeKeys = ['defaultMaxUsedSpace', 'defaultReservedSpace', 'defaultKeepStorage'] as const;

/**
 * Bytes; 0 where `gc` is switched off, undefined where nothing is said. `ConfigError` for what is
 * no size.
 */
export function buildCacheBytes(builder: unknown): number | undefined {
  const gc = gcOf(builder);
  if (gc['enabled'] === false) return 0;
  const [key] = sizeKeys.filter((name) => gc[name] !== undefined);
  return key === undefined ? undefined : sizeOf(gc, [key]);
}

/** In their order, none where `gc` is switched off. `ConfigError` for what cannot be read. */
export function buildCachePolicies(builder: unknown): readonly BuildCachePolicy[] {
  const gc = gcOf(builder);
  const policy = gc['policy'] ?? [];
  if (!Array.isArray(policy)) throw new ConfigError('builder.gc.policy must be a list');
  const rules = policy.map((rule: unknown): BuildCachePolicy => {
    const fields = fieldsOf(rule, 'builder.gc.policy');
    return {
      all: fields['all'] === true,
      keep: {
        reserved: sizeOf(fields, ['reservedSpace', 'keepStorage']),
        maxUsed: sizeOf(fields, ['maxUsedSpace']),
        minFree: sizeOf(fields, ['minFreeSpace']),
      },
      filters: filtersOf(fields['filter'] ?? []),
    };
  });
  return gc['enabled'] === false ? [] : rules;
}

/** The first of these fields that is there; 0 for none. */
function sizeOf(fields: Fields, names: readonly string[]): number {
  const [text] = names.flatMap((name) => fields[name] ?? []);
  if (text === undefined || text === '') return 0;
  const bytes = typeof text === 'string' ? parseSizeBytes(text) : undefined;
  if (bytes === undefined) {
    throw new ConfigError(`builder.gc: invalid size: ${JSON.stringify(text)}`);
  }
  return bytes;
}

/** A list of `name=value`, or a map of names to sets of values. */
function filtersOf(filter: unknown): BuildCachePolicy['filters'] {
  const pairs = Array.isArray(filter)
    ? filter.map(pairOf)
    : Object.entries(fieldsOf(filter, 'builder.gc.policy.filter')).flatMap(([name, values]) =>
        Object.keys(fieldsOf(values, `builder.gc.policy.filter.${name}`)).map(
          (value) => [name, value] as const,
        ),
      );
  const filters = new Map<string, readonly string[]>();
  for (const [name, value] of pairs) {
    if (!known.has(name)) throw new ConfigError(`builder.gc.policy: invalid filter '${name}'`);
    if (ages.has(name) && !duration.test(value)) {
      throw new ConfigError(`builder.gc.policy: invalid duration ${JSON.stringify(value)}`);
    }
    filters.set(name, [...(filters.get(name) ?? []), value]);
  }
  return Object.fromEntries(filters);
}

const known: ReadonlySet<string> = new Set(BuildPrune.filters);
const ages: ReadonlySet<string> = new Set(['unused-for', 'until']);
const duration = /^(\d+|(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+)$/;

function pairOf(text: unknown): readonly [string, string] {
  const [, name = '', value = ''] = /^([^=]*?)=([\s\S]*)$/.exec(String(text)) ?? [];
  if (typeof text !== 'string' || name === '') {
    throw new ConfigError(`builder.gc.policy: bad format of filter (expected name=value)`);
  }
  return [name.trim().toLowerCase(), value.trim()];
}

function gcOf(builder: unknown): Fields {
  return fieldsOf(fieldsOf(builder, 'builder')['gc'], 'builder.gc');
}

function fieldsOf(value: unknown, name: string): Fields {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ConfigError(`${name} must be an object`);
  }
  return Object.fromEntries(Object.entries(value));
}
