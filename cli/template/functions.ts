import { goJson } from '../json-text.js';
import { TemplateProblem } from './scan.js';
import { TypedNull, zeroOf } from './typed-null.js';
import { goType, isNull, isRecord, isTrue, printed } from './values.js';

const wordStart = /(^|[^\p{L}\p{N}'_])(\p{L})/gu;

type TemplateFunction = (...operands: readonly unknown[]) => unknown;

/** The functions that a `--format` may call: Go's own and those that Docker adds. */
export const templateFunctions: ReadonlyMap<string, TemplateFunction> = new Map(
  Object.entries<TemplateFunction>({
    json: (value) => plainJson(value),
    split: (text, by) => string(text).split(string(by)),
    join: (items, by) => list(items).map(inWords).join(string(by)),
    title: (text) => string(text).replace(wordStart, (all) => all.toUpperCase()),
    lower: (text) => string(text).toLowerCase(),
    upper: (text) => string(text).toUpperCase(),
    pad: (text, before, after) =>
      string(text) === '' ? '' : blanks(before) + string(text) + blanks(after),
    truncate: (text, width) => [...string(text)].slice(0, Number(width)).join(''),
    index: (value, ...keys) => keys.reduce(element, value),
    slice: (value, from, to) => slice(value, from, to),
    len: (value) => length(value),
    print: (...values) => values.map(printed).join(' '),
    println: (...values) => `${values.map(printed).join(' ')}\n`,
    printf: (format, ...values) => printf(string(format), values),
    html: (...values) => values.map(printed).join(''),
    and: (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
    or: (...values) => values.find(isTrue) ?? values.at(-1),
    not: (value) => !isTrue(value),
    eq: (value, ...others) => others.some((other) => same(value, other)),
    ne: (value, other) => !same(value, other),
    lt: (a, b) => compare(a, b) < 0,
    le: (a, b) => compare(a, b) <= 0,
    gt: (a, b) => compare(a, b) > 0,
    ge: (a, b) => compare(a, b) >= 0,
  }),
);

/** How many operands those functions take that take no more and no fewer. */
export const takes: ReadonlyMap<string, number> = new Map([
  ...['json', 'title', 'lower', 'upper', 'len', 'not'].map((name) => [name, 1] as const),
  ...['split', 'join', 'truncate'].map((name) => [name, 2] as const),
  ['pad', 3],
]);

/** What each function does to a column's heading instead: nothing, but for the piecewise ones. */
export const headingFunctions: ReadonlyMap<string, TemplateFunction> = new Map([
  ...templateFunctions,
  ...['json', 'split', 'join', 'title', 'lower', 'upper', 'truncate'].map(
    (name): [string, TemplateFunction] => [name, (text) => text],
  ),
]);

function plainJson(value: unknown): string {
  // Rows have a JSON of their own, which Go escapes; anything else it writes as it is.
  if (isRecord(value) && typeof value['toJSON'] === 'function') return goJson(value);
  return JSON.stringify(value ?? null);
}

function blanks(count: unknown): string {
  return ' '.repeat(Number(count));
}

function inWords(value: unknown): string {
  return typeof value === 'string' ? value : printed(value);
}

function string(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new TemplateProblem(`wrong type for value; expected string; got ${goType(value)}`);
}

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (isNull(value)) return [];
  throw new TemplateProblem(`wrong type for value; expected []string; got ${goType(value)}`);
}

function element(value: unknown, key: unknown): unknown {
  if (Array.isArray(value) || typeof value === 'string') {
    const at = Number(key);
    if (!Number.isInteger(at)) throw new TemplateProblem(`cannot index with ${printed(key)}`);
    if (at < 0 || at >= value.length) {
      throw new TemplateProblem(`error calling index: index out of range: ${at}`);
    }
    return typeof value === 'string' ? value.charCodeAt(at) : value[at];
  }
  if (value instanceof TypedNull && value.text === 'map[]') return '';
  if (isRecord(value)) return entryOf(value, String(key));
  throw new TemplateProblem('error calling index: index of untyped nil');
}

function entryOf(map: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(map, key) ? map[key] : zeroOf(map);
}

function slice(value: unknown, from: unknown = 0, to?: unknown): unknown {
  const end = to === undefined ? undefined : Number(to);
  if (typeof value === 'string') return value.slice(Number(from), end);
  return list(value).slice(Number(from), end);
}

function length(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (isRecord(value)) return Object.keys(value).length;
  if (isNull(value)) return 0;
  throw new TemplateProblem(`error calling len: len of type ${goType(value)}`);
}

function same(a: unknown, b: unknown): boolean {
  return a === b || (isNull(a) && isNull(b));
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : Number(a > b);
  throw new TemplateProblem('error calling lt: incompatible types for comparison');
}

function printf(format: string, values: readonly unknown[]): string {
  let at = 0;
  return format.replace(/%(-?)(0?)(\d*)(?:\.(\d+))?([vsdqtxf%])/g, (...found: string[]) => {
    const [, left = '', zero = '', width = '', precision, verb = ''] = found;
    if (verb === '%') return '%';
    const value = values[at++];
    const text = formatted(verb, value, precision);
    const size = Number(width || 0);
    return left === '' ? text.padStart(size, zero === '' ? ' ' : '0') : text.padEnd(size);
  });
}

function formatted(verb: string, value: unknown, precision: string | undefined): string {
  if (verb === 'q') return JSON.stringify(printed(value));
  if (verb === 'f') return Number(value).toFixed(precision === undefined ? 6 : Number(precision));
  if (verb === 'x') {
    return typeof value === 'number' ? value.toString(16) : Buffer.from(printed(value)).toString(
      'hex',
    );
  }
  const text = printed(value);
  return verb === 's' && precision !== undefined ? text.slice(0, Number(precision)) : text;
}
