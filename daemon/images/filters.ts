/** Filters of list and prune. Pure. */
import { invalidParameter } from '../../api-spec/errors.js';
import { familiarName, familiarRepository, type Reference } from './reference.js';

/** Values by name; names are OR'd but for labels, which all have to hold. */
export type Filters = Readonly<Record<string, readonly string[]>>;

/** Refuses names that are not `allowed`, in Docker's words. */
export function checkFilters(filters: Filters, allowed: readonly string[]): void {
  const unknown = Object.keys(filters).find((name) => !allowed.includes(name));
  if (unknown !== undefined) throw invalidParameter(`invalid filter '${unknown}'`);
}

const truths: Readonly<Record<string, boolean>> = {
  '1': true,
  true: true,
  '0': false,
  false: false,
};

/** A filter that is true or false; `otherwise` when it was not given. */
export function flagFilter(filters: Filters, name: string, otherwise: boolean): boolean {
  const values = filters[name];
  if (values === undefined || values.length === 0) return otherwise;
  const read = values.map((value) => truths[value]);
  const [first] = read;
  if (first === undefined || read.some((value) => value !== first)) {
    throw invalidParameter(`invalid filter '${name}=[${values.join(' ')}]'`);
  }
  return first;
}

/** `key` or `key=value`; all of `label` hold, and not all of `label!`, as in Docker. */
export function labelsMatch(labels: Readonly<Record<string, string>>, filters: Filters): boolean {
  const holds = (wish: string): boolean => {
    const [key = '', ...rest] = wish.split('=');
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    return value !== undefined && (rest.length === 0 || value === rest.join('='));
  };
  const { label = [], 'label!': without = [] } = filters;
  return label.every(holds) && (without.length === 0 || !without.every(holds));
}

const unitMs: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

/** A point in time: `10m` ago, seconds since the epoch, or a date. */
export function parseTimeMs(value: string, nowMs: number): number {
  if (/^-?(\d+(\.\d+)?(h|ms|m|s|us|µs|ns))+$/.test(value)) {
    const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g)];
    const total = parts.reduce(
      (sum, part) => sum + Number(part[1]) * (unitMs[part[2] ?? ''] ?? 0),
      0,
    );
    return nowMs - (value.startsWith('-') ? -total : total);
  }
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  const ms = /^\d{4}-\d\d-\d\d/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw invalidParameter(`failed to parse value as time or duration: ${JSON.stringify(value)}`);
  }
  return ms;
}

/** The `until` filter: images made before it; undefined when it was not given. */
export function untilMs(filters: Filters, nowMs: number): number | undefined {
  const times = (filters['until'] ?? []).map((value) => parseTimeMs(value, nowMs));
  if (times.length > 1) throw invalidParameter('more than one until filter specified');
  return times[0];
}

/** Go's `path.Match` against the name with and without tag: `*` and `?` stop at a slash. */
export function referenceMatches(pattern: string, reference: Reference): boolean {
  const matcher = globMatcher(pattern);
  return matcher(familiarName(reference)) || matcher(familiarRepository(reference));
}

const maxPatternLength = 1024;

function globMatcher(pattern: string): (name: string) => boolean {
  if (pattern.length > maxPatternLength) throw invalidParameter('syntax error in pattern');
  const parts = pattern.match(/\[\^?(?:\\.|[^\]\\])+\]|\\.|[\s\S]/g) ?? [];
  const source = parts
    .map((part) => {
      if (part === '*') return '[^/]*';
      if (part === '?') return '[^/]';
      if (part.length > 2 && part.startsWith('[')) return part;
      if (part === '[') throw invalidParameter('syntax error in pattern');
      return part.replace(/^\\/, '').replace(/[$()*+./?[\\\]^{|}]/g, '\\$&');
    })
    .join('');
  try {
    const expression = new RegExp(`^${source}$`);
    return (name) => expression.test(name);
  } catch (error) {
    throw invalidParameter('syntax error in pattern', error);
  }
}
