/** `RUN --mount=type=cache,target=/x`. Pure. */
import { errorAt } from './dockerfile-error.js';
import type { RunMount } from './instruction.js';

const types = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const;
const sharings = ['shared', 'private', 'locked'] as const;

const aliases: Readonly<Record<string, string>> = {
  dst: 'target',
  destination: 'target',
  src: 'source',
  ro: 'readonly',
  rw: 'readwrite',
};

const fields = new Set([
  'type',
  'target',
  'source',
  'from',
  'readonly',
  'readwrite',
  'id',
  'sharing',
  'size',
  'mode',
  'uid',
  'gid',
  'required',
  'env',
]);

/** `ApiError` 400 in Docker's words. */
export function parseMount(text: string, line: number): RunMount {
  const given = fieldsOf(text, line);
  const type = oneOf(types, given.get('type') ?? 'bind', { what: 'mount type', line });
  const sharing = oneOf(sharings, given.get('sharing') ?? 'shared', {
    what: 'sharing value',
    line,
  });
  const target = given.get('target') ?? '';
  const needsTarget = type === 'bind' || type === 'cache' || type === 'tmpfs';
  if (needsTarget && target === '') throw errorAt(line, 'mount target is required');
  const number = (name: string, base: 8 | 10): number | undefined =>
    wholeNumber(given.get(name), { name, base, line });
  const sizeBytes = sizeOf(given.get('size'), line);
  const mode = number('mode', 8);
  return {
    type,
    target,
    source: given.get('source') ?? '',
    from: given.get('from') ?? '',
    // Binds are read-only and caches writable unless it says otherwise.
    readonly: flag(given, 'readonly') || (type === 'bind' && !flag(given, 'readwrite')),
    id: given.get('id') ?? '',
    sharing,
    uid: number('uid', 10) ?? 0,
    gid: number('gid', 10) ?? 0,
    required: flag(given, 'required'),
    env: given.get('env') ?? '',
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(mode === undefined ? {} : { mode }),
  };
}

function oneOf<Word extends string>(
  known: readonly Word[],
  word: string,
  { what, line }: { readonly what: string; readonly line: number },
): Word {
  const found = known.find((each) => each === word);
  if (found === undefined) throw errorAt(line, `unsupported ${what} ${JSON.stringify(word)}`);
  return found;
}

function fieldsOf(text: string, line: number): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  for (const part of text.split(',')) {
    const [, name = '', value] = /^([^=]*)(?:=([\s\S]*))?$/.exec(part) ?? [];
    const lower = name.trim().toLowerCase();
    const key = aliases[lower] ?? lower;
    const isSwitch = ['readonly', 'readwrite', 'required'].includes(key);
    if (value === undefined && !isSwitch) {
      throw errorAt(line, `invalid field '${part}' must be a key=value pair`);
    }
    if (!fields.has(key)) throw errorAt(line, `unexpected key '${name}' in '${part}'`);
    given.set(key, value ?? 'true');
  }
  return given;
}

function flag(given: ReadonlyMap<string, string>, name: string): boolean {
  const value = given.get(name);
  return value !== undefined && !['false', '0'].includes(value.toLowerCase());
}

function wholeNumber(
  text: string | undefined,
  { name, base, line }: { readonly name: string; readonly base: 8 | 10; readonly line: number },
): number | undefined {
  if (text === undefined) return undefined;
  const digits = base === 8 ? /^[0-7]{1,6}$/ : /^\d{1,10}$/;
  if (!digits.test(text)) throw errorAt(line, `invalid value for ${name}: ${text}`);
  return Number.parseInt(text, base);
}

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
};

function sizeOf(text: string | undefined, line: number): number | undefined {
  if (text === undefined) return undefined;
  const [, digits, unit = ''] = /^(\d{1,12})([bkmg]?)b?$/i.exec(text) ?? [];
  if (digits === undefined) throw errorAt(line, `invalid value for size: ${text}`);
  return Number(digits) * (unitBytes[unit.toLowerCase()] ?? 1);
}
