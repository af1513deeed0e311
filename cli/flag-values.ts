import { UsageError } from './errors.js';
import type { FlagKind, FlagValue } from './flags.js';

/**
 * Reads one flag's value. `shown` is the flag as error messages name it (`-t, --timeout`).
 * Throws UsageError.
 */
export function parseFlagValue(kind: FlagKind, text: string, shown: string): FlagValue {
  try {
    return readers[kind](text);
  } catch (problem) {
    if (!(problem instanceof ValueProblem)) throw problem;
    throw new UsageError(`invalid argument ${quote(text)} for "${shown}" flag: ${problem.message}`);
  }
}

class ValueProblem extends Error {}

const readers: Record<FlagKind, (text: string) => FlagValue> = {
  switch: readSwitch,
  text: (text) => text,
  list: (text) => [text],
  strings: (text) => text.split(','),
  integer: readInteger,
  decimal: readDecimal,
  size: (text) => parseSizeBytes(text),
  duration: (text) => parseDurationNs(text),
};

const truths = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const falsehoods = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

function readSwitch(text: string): boolean {
  if (truths.has(text)) return true;
  if (falsehoods.has(text)) return false;
  throw new ValueProblem(`strconv.ParseBool: parsing ${quote(text)}: invalid syntax`);
}

function readInteger(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) {
    throw new ValueProblem(`strconv.ParseInt: parsing ${quote(text)}: invalid syntax`);
  }
  return Number(text);
}

function readDecimal(text: string): number {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)$/.test(text)) {
    throw new ValueProblem(`failed to parse ${text} as a rational number`);
  }
  return Number(text);
}

const sizeUnits = 'kmgtp';

/** Bytes of `1.5g`, `512MiB`, `100` (units are binary, as in `run --memory`), `-1` for no limit. */
export function parseSizeBytes(text: string): number {
  if (text === '-1') return -1;
  const parts = /^(\d+(?:\.\d*)?|\.\d+) ?([kmgtp]?)(i?b)?$/i.exec(text);
  if (parts === null) throw new ValueProblem(`invalid size: '${text}'`);
  const exponent = sizeUnits.indexOf((parts[2] ?? '').toLowerCase()) + 1;
  return Math.trunc(Number(parts[1]) * 1024 ** (parts[2] === '' ? 0 : exponent));
}

const durationUnitsNs: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Nanoseconds of Go's `1h2m3.5s`. Throws with Go's words. */
export function parseDurationNs(text: string): number {
  if (text === '0') return 0;
  const sign = text.startsWith('-') ? -1 : 1;
  const rest = text.replace(/^[+-]/, '');
  const pieces = [...rest.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g)];
  const covered = pieces.map((piece) => piece[0]).join('');
  if (rest === '' || covered !== rest) {
    throw new ValueProblem(`time: invalid duration ${quote(text)}`);
  }
  const total = pieces.reduce(
    (sum, [, count, unit]) => sum + Number(count) * (durationUnitsNs[unit ?? ''] ?? 0),
    0,
  );
  return sign * Math.round(total);
}

/** As Go's %q for plain text. */
export function quote(text: string): string {
  return JSON.stringify(text);
}
