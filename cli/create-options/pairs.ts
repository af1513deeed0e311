import { readFileSync } from 'node:fs';
import { CommandError, messageOf, UsageError } from '../errors.js';

/** `key=value` lists as a map; a bare key has an empty value. */
export function pairsOf(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text): [string, string] => {
      const equals = text.indexOf('=');
      return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}

/** Files' variables, then those given; a bare name takes its value from our own environment. */
export function environmentOf(files: readonly string[], given: readonly string[]): string[] {
  const fromFiles = files.flatMap((path) =>
    keyLines(path).flatMap((line) => {
      if (line.includes('=')) return [line];
      const value = process.env[line.trim()];
      return value === undefined ? [] : [`${line.trim()}=${value}`];
    }),
  );
  const own = given.map((text) => {
    if (text === '' || text.startsWith('=')) {
      throw new UsageError(
        `invalid argument "${text}" for "-e, --env" flag: invalid environment variable: ${text}`,
      );
    }
    const value = text.includes('=') ? undefined : process.env[text];
    return value === undefined ? text : `${text}=${value}`;
  });
  return [...fromFiles, ...own];
}

/** Labels of files and those given, as a map. */
export function labelsOf(
  files: readonly string[],
  given: readonly string[],
): Record<string, string> {
  return pairsOf([...files.flatMap(keyLines), ...given]);
}

/** The lines of a file of `KEY=value`: no comments, no blank lines, no blanks before the key. */
function keyLines(path: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (problem) {
    throw new CommandError(`open ${path}: ${messageOf(problem)}`, 125, { cause: problem });
  }
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const key = line.split('=')[0] ?? '';
      if (/\s/.test(key.trimEnd()) || (line.includes('=') && key !== key.trimEnd())) {
        throw new CommandError(
          `invalid env file (${path}): variable '${key}' contains whitespaces`,
          125,
        );
      }
      if (key === '') {
        throw new CommandError(
          `invalid env file (${path}): no variable name on line '${line}'`,
          125,
        );
      }
      return line;
    });
}

/** Splits a line of comma-separated fields in which `"…"` protects commas. */
export function csvFields(line: string): readonly string[] {
  const fields = [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)];
  return fields.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '');
}
