/**
 * Queries as Go reads them: lenient booleans, strict numbers, repeated names, filters in two
 * forms.
 */
import type { TSchema } from 'typebox';
import { invalidParameter } from '../../api-spec/errors.js';
import type { Operation } from '../../api-spec/operation.js';
import type { Filters } from './needs.js';

const none = new URLSearchParams();

/** What follows the `?` of a url; `ApiError` 400 for a percent sign that escapes nothing. */
export function searchOf(url: string): URLSearchParams {
  const mark = url.indexOf('?');
  if (mark === -1) return none;
  const [wrong] = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(url.slice(mark)) ?? [];
  if (wrong !== undefined) throw invalidParameter(`invalid URL escape ${JSON.stringify(wrong)}`);
  // As Go does: some parsers take it for a separator, and two readings of a query are an attack.
  if (url.includes(';', mark)) throw invalidParameter('invalid semicolon separator in query');
  return new URLSearchParams(url.slice(mark + 1));
}

/** All that the operation knows, each in its type; unknown names are ignored. Throws 400. */
export function decodeQuery(
  schemas: NonNullable<Operation['query']>,
  search: URLSearchParams,
): Record<string, unknown> {
  const decoded: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(schemas)) {
    decoded[name] = decodeValue(schema, name, search);
  }
  return decoded;
}

function decodeValue(
  schema: TSchema & { readonly type?: string; readonly default?: unknown },
  name: string,
  search: URLSearchParams,
): unknown {
  const text = search.get(name);
  switch (schema.type) {
    case 'boolean':
      return text === null ? schema.default === true : parseBool(text);
    case 'integer':
      return text === null || text === '' ? undefined : parseInteger(text);
    case 'array':
      return search.getAll(name);
    default:
      return text ?? '';
  }
}

const falsehoods: ReadonlySet<string> = new Set(['', '0', 'no', 'false', 'none']);

/** Docker's rule: whatever is not one of five spellings of no is a yes. */
export const parseBool = (text: string): boolean => !falsehoods.has(text.trim().toLowerCase());

/** A decimal number of 32 bits, or `ApiError` 400 in Go's words. */
export function parseInteger(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) {
    throw invalidParameter(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    throw invalidParameter(`strconv.Atoi: parsing ${JSON.stringify(text)}: value out of range`);
  }
  return value;
}

/**
 * `seconds[.fraction]` since the epoch in nanoseconds; undefined for nothing and for `0`, which
 * clients send when they mean nothing.
 */
export function parseUnixNano(text: string): bigint | undefined {
  if (text === '' || text === '0') return undefined;
  const match = /^(-?\d{1,18})(?:\.(\d{1,9})\d*)?$/.exec(text);
  const [, seconds, fraction = ''] = match ?? [];
  if (seconds === undefined) {
    const part = /^-?\d+\.(.*)$/.exec(text)?.[1] ?? text;
    throw invalidParameter(`strconv.ParseInt: parsing ${JSON.stringify(part)}: invalid syntax`);
  }
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/**
 * The `filters` of a query: `{"label":{"a=b":true}}` as Go writes it or `{"label":["a=b"]}` as
 * everyone else does. Throws 400 for a name that is not in `known`.
 */
export function decodeFilters(text: string | null, known: readonly string[]): Filters {
  if (text === null || text.trim() === '') return {};
  const filters = Object.entries(parseFilters(text)).map(
    ([name, values]) => [name, filterValues(values)] as const,
  );
  const unknown = filters.find(([name]) => !known.includes(name));
  if (unknown !== undefined) throw invalidParameter(`invalid filter '${unknown[0]}'`);
  return Object.fromEntries(filters);
}

function parseFilters(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidParameter('invalid filter', error);
  }
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw invalidParameter('invalid filter');
  return value;
}

function filterValues(values: unknown): readonly string[] {
  if (Array.isArray(values)) {
    return values.map((value: unknown) => {
      if (typeof value !== 'string') throw invalidParameter('invalid filter');
      return value;
    });
  }
  if (typeof values !== 'object' || values === null) throw invalidParameter('invalid filter');
  if (Object.values(values).some((value) => typeof value !== 'boolean')) {
    throw invalidParameter('invalid filter');
  }
  return Object.keys(values);
}
