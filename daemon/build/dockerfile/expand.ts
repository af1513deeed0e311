/**
 * Variables and quotes in the words of an instruction, by Docker's rules, which are a shell's with
 * less in it. Pure.
 */
import { invalidParameter } from '../../../api-spec/errors.js';
import type { EscapeToken } from './lines.js';
import { removePrefix, removeSuffix, replacePattern } from './patterns.js';

/** The value of a variable; undefined when it is not set. */
export type Variables = (name: string) => string | undefined;

/** How words are read. */
export interface ExpandOptions {
  readonly variables: Variables;
  readonly escape: EscapeToken;
}

/** Quotes taken away and variables replaced; `ApiError` 400 naming the word. */
export function expandWord(word: string, options: ExpandOptions): string {
  return textOf(piecesOf(word, options));
}

/** The same, parted at blanks that are not quoted, as `EXPOSE $PORTS` wants it. */
export function expandWords(word: string, options: ExpandOptions): readonly string[] {
  return partedOf(piecesOf(word, options));
}

/** The variables of a here-document or a plain text: quotes mean nothing there. */
export function expandText(text: string, options: ExpandOptions): string {
  return inWords(text, () => {
    const lexer: Lexer = { ...options, text, at: 0 };
    let result = '';
    for (;;) {
      const character = lexer.text[lexer.at];
      if (character === undefined) return result;
      lexer.at += 1;
      if (character === '$') result += variable(lexer);
      else if (character === lexer.escape) result += escapedInText(lexer);
      else result += character;
    }
  });
}

function piecesOf(word: string, options: ExpandOptions): readonly Piece[] {
  return inWords(word, () => readUntil({ ...options, text: word, at: 0 }, undefined, false));
}

function inWords<T>(word: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof LexError)) throw error;
    const quoted = JSON.stringify(word);
    throw invalidParameter(`failed to process ${quoted}: ${error.message}`, error);
  }
}

function textOf(pieces: readonly Piece[]): string {
  return pieces.map(({ text }) => text).join('');
}

class LexError extends Error {}

interface Lexer extends ExpandOptions {
  readonly text: string;
  at: number;
}

/** A piece of the result; blanks in one that is not quoted part words. */
interface Piece {
  readonly text: string;
  readonly quoted: boolean;
}

function partedOf(pieces: readonly Piece[]): readonly string[] {
  const words: string[] = [];
  let current: string | undefined;
  for (const { text, quoted } of pieces) {
    if (quoted) {
      current = (current ?? '') + text;
      continue;
    }
    const parts = text.split(/\s+/);
    for (const [index, part] of parts.entries()) {
      // A blank stands before each part but the first.
      if (index > 0 && current !== undefined) words.push(current);
      if (index > 0) current = undefined;
      if (part !== '') current = (current ?? '') + part;
    }
  }
  if (current !== undefined) words.push(current);
  return words;
}

/** Up to `stop`, which is eaten, or the end; `raw` keeps the escape characters, for patterns. */
function readUntil(lexer: Lexer, stop: string | undefined, raw: boolean): readonly Piece[] {
  const pieces: Piece[] = [];
  for (;;) {
    const character = lexer.text[lexer.at];
    if (character === undefined) {
      if (stop !== undefined) throw new LexError(`syntax error: missing '${stop}'`);
      return pieces;
    }
    lexer.at += 1;
    if (character === stop) return pieces;
    pieces.push(piece(lexer, character, raw));
  }
}

function piece(lexer: Lexer, character: string, raw: boolean): Piece {
  if (character === "'") return { text: singleQuoted(lexer), quoted: true };
  if (character === '"') return { text: doubleQuoted(lexer), quoted: true };
  if (character === '$') return { text: variable(lexer), quoted: false };
  if (character !== lexer.escape) return { text: character, quoted: false };
  const next = lexer.text[lexer.at] ?? '';
  lexer.at += 1;
  return { text: raw ? character + next : next, quoted: true };
}

function singleQuoted(lexer: Lexer): string {
  const end = lexer.text.indexOf("'", lexer.at);
  if (end < 0) throw unended('single');
  const text = lexer.text.slice(lexer.at, end);
  lexer.at = end + 1;
  return text;
}

function doubleQuoted(lexer: Lexer): string {
  let text = '';
  for (;;) {
    const character = lexer.text[lexer.at];
    if (character === undefined) throw unended('double');
    lexer.at += 1;
    if (character === '"') return text;
    if (character === '$') text += variable(lexer);
    else if (character === lexer.escape) text += escapedInQuotes(lexer);
    else text += character;
  }
}

/** As in a shell's here-document: `\\$` and `\\\\` lose their escape, others keep it. */
function escapedInText(lexer: Lexer): string {
  const next = lexer.text[lexer.at] ?? '';
  lexer.at += 1;
  return ['$', lexer.escape].includes(next) ? next : lexer.escape + next;
}

/** Between double quotes only three characters need an escape; before others it stays. */
function escapedInQuotes(lexer: Lexer): string {
  const next = lexer.text[lexer.at];
  if (next === undefined) throw unended('double');
  lexer.at += 1;
  return ['"', '$', lexer.escape].includes(next) ? next : lexer.escape + next;
}

function unended(kind: string): LexError {
  return new LexError(`unexpected end of statement while looking for matching ${kind}-quote`);
}

/** After a `$`. */
function variable(lexer: Lexer): string {
  if (lexer.text[lexer.at] !== '{') {
    const name = variableName(lexer);
    return name === '' ? '$' : (lexer.variables(name) ?? '');
  }
  lexer.at += 1;
  const first = lexer.text[lexer.at];
  if (first === undefined) throw new LexError("syntax error: missing '}'");
  if (['{', '}', ':'].includes(first)) throw new LexError('syntax error: bad substitution');
  const name = variableName(lexer);
  const modifier = lexer.text[lexer.at];
  lexer.at += 1;
  if (modifier === '}') return lexer.variables(name) ?? '';
  return modified(lexer, name, modifier);
}

function variableName(lexer: Lexer): string {
  const rest = lexer.text.slice(lexer.at);
  const [name = ''] = /^(?:[@*#!?\-$]|\d+|[A-Za-z_][A-Za-z0-9_]*)/.exec(rest) ?? [];
  lexer.at += name.length;
  return name;
}

function modified(lexer: Lexer, name: string, first: string | undefined): string {
  const nullIsUnset = first === ':';
  const modifier = nullIsUnset ? lexer.text[lexer.at++] : first;
  const shown = (nullIsUnset ? ':' : '') + (modifier ?? '\uFFFD');
  const value = lexer.variables(name);
  const isNothing = nullIsUnset && value === '';
  switch (modifier) {
    case '-':
    case '+':
    case '?':
      return chosen(modifier, name, {
        value: isNothing ? undefined : value,
        word: textUntil(lexer, '}', false),
      });
    default:
      return rewritten(lexer, modifier, { value: value ?? '', shown });
  }
}

function rewritten(
  lexer: Lexer,
  modifier: string | undefined,
  { value, shown }: { readonly value: string; readonly shown: string },
): string {
  if (modifier === '#' || modifier === '%') {
    return cut(modifier, textUntil(lexer, '}', true), value);
  }
  if (modifier === '/') return replaced(lexer, value);
  throw new LexError(`unsupported modifier (${shown}) in substitution`);
}

interface Choice {
  /** Undefined for a variable that counts as unset. */
  readonly value: string | undefined;
  readonly word: string;
}

function chosen(modifier: '-' | '+' | '?', name: string, { value, word }: Choice): string {
  if (modifier === '-') return value ?? word;
  if (modifier === '+') return value === undefined ? '' : word;
  return demanded(name, word, value);
}

function textUntil(lexer: Lexer, stop: string, raw: boolean): string {
  return textOf(readUntil(lexer, stop, raw));
}

function demanded(name: string, message: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw new LexError(`${name}: ${message === '' ? 'not allowed to be unset' : message}`);
}

/** Bound on the work of one pattern: the product of its length and the value's. */
const maxPatternWork = 20_000_000;

function bound(pattern: string, value: string): void {
  if (pattern.length * value.length > maxPatternWork) throw new LexError('pattern is too long');
}

function cut(modifier: '#' | '%', pattern: string, value: string): string {
  bound(pattern, value);
  const greedy = pattern.startsWith(modifier);
  const plain = greedy ? pattern.slice(1) : pattern;
  return modifier === '#' ? removePrefix(value, plain, greedy) : removeSuffix(value, plain, greedy);
}

function replaced(lexer: Lexer, value: string): string {
  const all = lexer.text[lexer.at] === '/';
  if (all) lexer.at += 1;
  const pattern = textUntil(lexer, '/', true);
  bound(pattern, value);
  return replacePattern(value, { pattern, by: textUntil(lexer, '}', false), all });
}
