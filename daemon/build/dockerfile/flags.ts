/** The flags of an instruction, checked against those it knows. Pure. */
import { errorAt } from './dockerfile-error.js';
import { nearest } from './nearest.js';
import type { Flag } from './words.js';

/** Which flags there are: `many` may be repeated, a `switch` needs no value. */
export type KnownFlags = Readonly<Record<string, 'text' | 'many' | 'switch'>>;

/** The flags of one instruction, by name. */
export interface FlagValues {
  text(name: string): string;
  many(name: string): readonly string[];
  isOn(name: string): boolean;
  has(name: string): boolean;
}

/** Refuses (400) unknown flags, values that are missing, and a flag given twice. */
export function checkFlags(flags: readonly Flag[], known: KnownFlags, line: number): FlagValues {
  const values = new Map<string, string[]>();
  for (const { name, value } of flags) {
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) throw errorAt(line, unknownFlag(name, Object.keys(known)));
    const earlier = values.get(name);
    if (earlier !== undefined && kind !== 'many') {
      throw errorAt(line, `duplicate flag specified: ${name}`);
    }
    if (value === undefined && kind !== 'switch') {
      throw errorAt(line, `missing a value on flag: ${name}`);
    }
    if (kind === 'switch') requireBoolean(name, value, line);
    values.set(name, [...(earlier ?? []), value ?? 'true']);
  }
  return {
    text: (name) => values.get(name)?.[0] ?? '',
    many: (name) => values.get(name) ?? [],
    isOn: (name) => values.get(name)?.[0]?.toLowerCase() === 'true',
    has: (name) => values.has(name),
  };
}

function requireBoolean(name: string, value: string | undefined, line: number): void {
  if (value === undefined || /^(true|false)$/i.test(value)) return;
  throw errorAt(line, `expecting boolean value for flag ${name}, not: ${value}`);
}

function unknownFlag(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  return `unknown flag: ${name}${meant === undefined ? '' : ` (did you mean ${meant}?)`}`;
}
