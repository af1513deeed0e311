import { structText } from './go-structs.js';
import { TypedNull } from './typed-null.js';

/** A value as Go's `%v` prints it: known structs, and other objects as maps, keys in order. */
export function printed(value: unknown): string {
  if (value === null || value === undefined) return '<no value>';
  return inner(value);
}

function inner(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (value instanceof TypedNull) return value.text;
  if (Array.isArray(value)) return `[${value.map(inner).join(' ')}]`;
  if (typeof value === 'string') return value;
  // A column of a row.
  if (typeof value === 'function') return inner(Reflect.apply(value, undefined, []));
  if (typeof value !== 'object') return JSON.stringify(value);
  const struct = structText(value, inner);
  if (struct !== undefined) return struct;
  const keys = Object.keys(value);
  const fields = new Map(Object.entries(value));
  // Go prints PortBinding, the one struct that people print whole, without its field names.
  if (keys.join() === 'HostIp,HostPort') {
    return `{${keys.map((key) => inner(fields.get(key))).join(' ')}}`;
  }
  return `map[${keys
    .sort()
    .map((key) => `${key}:${inner(fields.get(key))}`)
    .join(' ')}]`;
}

/** Go's truth: the zero value of every type is false. */
export function isTrue(value: unknown): boolean {
  if (value === null || value === undefined || value instanceof TypedNull) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object') return Object.keys(value).length > 0;
  return value !== false && value !== 0 && value !== '';
}

/** The name of a value's type in Go. */
export function goType(value: unknown): string {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'number' ? 'int' : 'interface {}';
}

/** True for a value with fields. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (value instanceof TypedNull) return false;
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** True for null of any type, and for what is not there. */
export function isNull(value: unknown): boolean {
  return value === null || value === undefined || value instanceof TypedNull;
}
