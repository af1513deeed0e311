/** Two answers to one request, compared: pure. */
import type { WireAnswer } from './exchange.js';
import { normalise, normaliseText, type Names } from './normalise.js';

/** One thing that differs; `path` is `status`, `header x`, `text` or where in the JSON. */
export interface Difference {
  readonly path: string;
  readonly reference: string;
  readonly ours: string;
}

/** An answer with what its engine calls its things. */
export interface Named {
  readonly answer: WireAnswer;
  readonly names: Names;
}

/** How deep JSON is compared. */
export type Depth = 'shape' | 'values';

/** Headers that depend on the moment, or on how a body happened to be sent. */
const volatileHeaders: ReadonlySet<string> = new Set([
  'date', 'content-length', 'transfer-encoding', 'keep-alive',
]);

/** Headers whose value is the engine's own; that they are there counts. */
const ownHeaders: ReadonlySet<string> = new Set([
  'server', 'api-version', 'x-docker-container-path-stat',
]);

const absent = '(absent)';

/** All that differs, the errors' messages verbatim. */
export function compareAnswers(reference: Named, ours: Named, depth: Depth): Difference[] {
  const [a, b] = [reference.answer, ours.answer];
  const isError = a.status >= 400;
  if (a.status !== b.status) {
    // What two refusals say is compared all the same.
    return [
      {
        path: 'status',
        reference: `${a.status} ${normaliseText(a.text, reference.names).trim()}`,
        ours: `${b.status} ${normaliseText(b.text, ours.names).trim()}`,
      },
      ...(isError && b.status >= 400 ? compareBodies(reference, ours, 'values') : []),
    ];
  }
  return [
    ...compareHeaders(a.headers, b.headers),
    ...compareBodies(reference, ours, isError ? 'values' : depth),
  ];
}

function compareHeaders(a: WireAnswer['headers'], b: WireAnswer['headers']): Difference[] {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return names
    .filter((name) => !volatileHeaders.has(name) && differs(name, a[name], b[name]))
    .map((name) => ({
      path: `header ${name}`,
      reference: a[name] ?? absent,
      ours: b[name] ?? absent,
    }));
}

function differs(name: string, a: string | undefined, b: string | undefined): boolean {
  return ownHeaders.has(name) ? (a === undefined) !== (b === undefined) : a !== b;
}

function compareBodies(reference: Named, ours: Named, depth: Depth): Difference[] {
  const a = jsonOf(reference);
  const b = jsonOf(ours);
  if (a !== undefined && b !== undefined) return compareJson(a.value, b.value, depth);
  const [first, second] = [textOf(reference), textOf(ours)];
  return first === second ? [] : [{ path: 'text', reference: first, ours: second }];
}

const textOf = ({ answer, names }: Named): string => normaliseText(answer.text, names);

/** One JSON value, or an array of lines of JSON. */
function jsonOf({ answer, names }: Named): { readonly value: unknown } | undefined {
  const text = answer.text.trim();
  if (!/^[[{"]|^null$/.test(text)) return undefined;
  try {
    return { value: normalise(onlyOurs(JSON.parse(text)), names) };
  } catch {
    return linesOf(text, names);
  }
}

/** A reference engine may be shared: of lists that hold something of the test's, only that. */
function onlyOurs(value: unknown): unknown {
  if (Array.isArray(value)) {
    const own = value.filter((item) => JSON.stringify(item).includes('tsdiff'));
    return own.length === 0 ? value : own;
  }
  if (!isRecord(value)) return value;
  const isUsage = Object.hasOwn(value, 'LayersSize') || Object.hasOwn(value, 'Volumes');
  if (!isUsage) return value;
  return Object.fromEntries(Object.entries(value).map(([key, list]) => [key, onlyOurs(list)]));
}

function linesOf(text: string, names: Names): { readonly value: unknown } | undefined {
  try {
    const lines = text.split(/\r?\n/).filter((line) => line !== '');
    return { value: lines.map((line) => normalise(JSON.parse(line), names)) };
  } catch {
    return undefined; // a text that only begins like JSON
  }
}

/** Where two JSON values differ, in fields and types, or in values as well. */
export function compareJson(a: unknown, b: unknown, depth: Depth, path = ''): Difference[] {
  if (Array.isArray(a) && Array.isArray(b)) return compareArrays(a, b, depth, path);
  if (isRecord(a) && isRecord(b)) return compareRecords(a, b, depth, path);
  const isSame = depth === 'values' ? a === b : kindOf(a) === kindOf(b);
  return isSame ? [] : [{ path: path || 'body', reference: shown(a), ours: shown(b) }];
}

function compareRecords(
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>>,
  depth: Depth,
  path: string,
): Difference[] {
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return keys.flatMap((key) => {
    const at = path === '' ? key : `${path}.${key}`;
    if (!Object.hasOwn(a, key)) return [{ path: at, reference: absent, ours: shown(b[key]) }];
    if (!Object.hasOwn(b, key)) return [{ path: at, reference: shown(a[key]), ours: absent }];
    return compareJson(a[key], b[key], depth, at);
  });
}

/** By shape, all items of one array are one: a field that any of them has, the array has. */
function compareArrays(
  a: readonly unknown[],
  b: readonly unknown[],
  depth: Depth,
  path: string,
): Difference[] {
  const isUneven =
    depth === 'values' ? a.length !== b.length : (a.length === 0) !== (b.length === 0);
  if (isUneven) return [{ path: `${path}[]`, reference: shown(a), ours: shown(b) }];
  if (a.length === 0) return [];
  if (depth === 'shape') return compareJson(merged(a), merged(b), depth, `${path}[]`);
  return a.flatMap((item, index) => compareJson(item, b[index], depth, `${path}[${index}]`));
}

function merged(items: readonly unknown[]): unknown {
  return items.every(isRecord) ? Object.assign({}, ...items) : items[0];
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

const shown = (value: unknown): string => JSON.stringify(value);
