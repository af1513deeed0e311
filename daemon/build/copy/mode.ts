/** `--chmod`: octal, or symbolic as chmod(1) takes it. Pure. */
import { invalidParameter } from '../../../api-spec/errors.js';

/** What becomes of a mode. */
export type ChangeMode = (mode: number, isDirectory: boolean) => number;

/** `ApiError` 400 for what is none. */
export function parseChmod(text: string): ChangeMode {
  if (/^[0-7]{1,4}$/.test(text)) {
    const fixed = Number.parseInt(text, 8);
    return () => fixed;
  }
  const clauses = text.split(',').map((clause) => clauseOf(clause, text));
  return (mode, isDirectory) =>
    clauses.reduce((current, change) => change(current, isDirectory), mode);
}

const who: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o1007, a: 0o7777 };
const what: Readonly<Record<string, number>> = {
  r: 0o444,
  w: 0o222,
  x: 0o111,
  X: 0o111,
  s: 0o6000,
  t: 0o1000,
};

function clauseOf(clause: string, text: string): ChangeMode {
  const [, classes = '', operator = '', letters = ''] =
    /^([ugoa]*)([+=-])([rwxXst]*)$/.exec(clause) ?? [];
  if (operator === '') {
    throw invalidParameter(
      `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`,
    );
  }
  const mask = union(classes === '' ? 'a' : classes, who);
  return (mode, isDirectory) => {
    const executable = isDirectory || (mode & 0o111) !== 0;
    const wanted = executable ? letters : letters.replaceAll('X', '');
    const bits = union(wanted, what) & mask;
    if (operator === '+') return mode | bits;
    if (operator === '-') return mode & ~bits;
    return (mode & ~(mask & 0o7777)) | bits;
  };
}

function union(letters: string, table: Readonly<Record<string, number>>): number {
  return [...letters].reduce((bits, letter) => bits | (table[letter] ?? 0), 0);
}
