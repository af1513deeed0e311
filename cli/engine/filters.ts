import { UsageError } from '../errors.js';

/** `--filter key=value …` as the API's JSON; undefined for none. Throws UsageError. */
export function filtersParameter(
  given: readonly string[],
  more: Readonly<Record<string, readonly string[]>> = {},
): string | undefined {
  const filters = new Map<string, Record<string, true>>();
  const add = (key: string, value: string): void => {
    filters.set(key, { ...filters.get(key), [value]: true });
  };
  for (const text of given) {
    const equals = text.indexOf('=');
    if (equals < 0) {
      throw new UsageError(
        `invalid argument "${text}" for "-f, --filter" flag: bad format of filter (expected ` +
          'name=value)',
      );
    }
    add(text.slice(0, equals).trim().toLowerCase(), text.slice(equals + 1).trim());
  }
  for (const [key, values] of Object.entries(more)) for (const value of values) add(key, value);
  return filters.size === 0 ? undefined : JSON.stringify(Object.fromEntries(filters));
}
