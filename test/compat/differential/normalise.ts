/** What differs by nature between two engines, replaced by words: pure. */

/** What an engine calls its own things. */
export type Names = Readonly<Record<string, string>>;

const patterns: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{64}\b/g, '<id>'],
  [/\b[0-9a-f]{12}\b/g, '<id12>'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g, '<time>'],
  [/\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, '<mac>'],
  // Subnets and addresses that the engine chose; those of 10.99 are the test's own.
  [/\b(?!10\.99\.)(?:10|172|192)\.\d+\.\d+\.\d+\/\d+/g, '<subnet>'],
  [/\b(?!10\.99\.)(?:10|172|192)\.\d+\.\d+\.\d+\b/g, '<address>'],
  // A published port that the engine chose.
  [/^(?:3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[45]\d{4})$/g, '<port>'],
  [/\b(?:Up|Exited \(\d+\)) (?:Less than a|About a|\d+) (?:second|minute)s?( ago)?/g, '<since>$1'],
];

/** Never a time: Docker's word for none. */
const zeroTime = '0001-01-01T00:00:00Z';

/** Text without what is an engine's own: its ids, names, addresses, times and folders. */
export function normaliseText(text: string, names: Names): string {
  let plain = text.replaceAll(zeroTime, '<no time>');
  const longestFirst = Object.entries(names)
    .filter(([, own]) => own !== '')
    .sort(([, a], [, b]) => b.length - a.length);
  for (const [name, own] of longestFirst) plain = plain.replaceAll(own, `<${name}>`);
  for (const [pattern, word] of patterns) plain = plain.replace(pattern, word);
  return plain;
}

/** The same for every string and every key of a JSON value. */
export function normalise(value: unknown, names: Names): unknown {
  if (typeof value === 'string') return normaliseText(value, names);
  if (Array.isArray(value)) return value.map((item) => normalise(item, names));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      normaliseText(key, names),
      normalise(member, names),
    ]),
  );
}

/** Puts an engine's own names where a request has `{name}`. */
export function fill(text: string, names: Names): string {
  return text.replace(/\{([a-z][a-zA-Z0-9.]*)\}/g, (whole, name: string) => names[name] ?? whole);
}
