const sizePattern = /^(\d+(?:\.\d+)?) ?([kmgtp])?i?b?$/i;
const powers = ['k', 'm', 'g', 't', 'p'];

/**
 * Bytes of a size as Docker writes them: `20m`, `1.5GiB`, `64MB`, `512`; every unit is a power of
 * 1024. Undefined when it is none.
 */
export function parseSizeBytes(text: string): number | undefined {
  const match = sizePattern.exec(text.trim());
  if (match?.[1] === undefined) return undefined;
  const power = match[2] === undefined ? 0 : powers.indexOf(match[2].toLowerCase()) + 1;
  const sizeBytes = Math.trunc(Number(match[1]) * 1024 ** power);
  return Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined;
}

const truths = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((word) => [word, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((word) => [word, false] as const),
]);

/** A boolean in any of the spellings that Go's flags know; undefined when it is none. */
export function parseBoolean(text: string): boolean | undefined {
  return truths.get(text);
}

const integerPattern = /^[+-]?\d+$/;

/** A decimal integer that a double holds exactly; undefined when it is none. */
export function parseInteger(text: string): number | undefined {
  const value = Number(text);
  return integerPattern.test(text) && Number.isSafeInteger(value) ? value : undefined;
}
