/** `.dockerignore`, and the patterns of `COPY`: Go's `filepath.Match` with `**`. Pure. */
import { invalidParameter } from '../../../api-spec/errors.js';

/** Decides about paths relative to the context's root, without leading slash. */
export interface IgnoreRules {
  ignores(path: string): boolean;
  /**
   * Whether an exception may bring back something below an ignored folder: by its text alone, as
   * Docker looks, so that `!**` opens no folder.
   */
  bringsBack(folder: string): boolean;
}

interface Rule {
  readonly isException: boolean;
  readonly pattern: string;
  readonly matches: (path: string) => boolean;
}

const maxRules = 10_000;

/** Reads a `.dockerignore`: comments and empty lines go, `!` makes an exception. */
export function parseIgnore(text: string): IgnoreRules {
  const lines = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length > maxRules) throw invalidParameter('.dockerignore has too many patterns');
  return ignoreRules(lines);
}

/** The same from patterns that are lines already. */
export function ignoreRules(patterns: readonly string[]): IgnoreRules {
  const rules = patterns.map(ruleOf);
  return {
    bringsBack: (folder) =>
      rules.some((rule) => rule.isException && `${rule.pattern}/`.startsWith(`${folder}/`)),
    ignores: (path) => {
      let ignored = false;
      for (const { isException, matches } of rules) {
        // A rule only matters where it would change what was found so far.
        if (ignored === isException && matchesAbove(matches, path)) ignored = !isException;
      }
      return ignored;
    },
  };
}

/** A rule holds for what it names and for all that lies below. */
function matchesAbove(matches: (path: string) => boolean, path: string): boolean {
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
    if (matches(path.slice(0, end))) return true;
  }
  return false;
}

function ruleOf(line: string): Rule {
  const isException = line.startsWith('!');
  const written = isException ? line.slice(1).trim() : line;
  if (written === '') throw invalidParameter('illegal exclusion pattern: "!"');
  const pattern = cleaned(written);
  return { isException, pattern, matches: matcherOf(pattern) };
}

/** Without `.`, `..` and slashes that say nothing. */
function cleaned(pattern: string): string {
  const parts: string[] = [];
  for (const part of pattern.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return parts.join('/');
}

/** Tests whole paths; `ApiError` 400 for a pattern that is none. */
export function matcherOf(pattern: string): (path: string) => boolean {
  const parts = pattern.split('/').map(partOf);
  return (path) => matchParts(parts, path.split('/'));
}

/** Whether a word of `COPY` has to be looked for. */
export function isPattern(word: string): boolean {
  return /[*?[\\]/.test(word);
}

type Part = 'any' | readonly Glyph[];

/** One name's piece: `*`, or a test of one character. */
type Glyph = 'star' | ((character: string) => boolean);

function partOf(text: string): Part {
  if (text === '**') return 'any';
  const glyphs: Glyph[] = [];
  const characters = [...text];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? '';
    if (character === '*') glyphs.push('star');
    else if (character === '?') glyphs.push(() => true);
    else if (character === '\\') {
      const literal = characters[++at] ?? missing(text);
      glyphs.push((candidate) => candidate === literal);
    } else if (character === '[') {
      const { test, end } = classOf(characters, at + 1, text);
      glyphs.push(test);
      at = end;
    } else glyphs.push((candidate) => candidate === character);
  }
  return glyphs;
}

function classOf(characters: readonly string[], start: number, text: string) {
  const isNegated = characters[start] === '^';
  const ranges: (readonly [string, string])[] = [];
  let at = isNegated ? start + 1 : start;
  const take = (): string => {
    const character = characters[at];
    at += 1;
    const taken = character === '\\' ? characters[at++] : character;
    if (taken === undefined || (character !== '\\' && taken === ']')) throw badPattern(text);
    return taken;
  };
  while (characters[at] !== ']' || ranges.length === 0) {
    const low = take();
    if (characters[at] === '-') {
      at += 1;
      ranges.push([low, take()]);
    } else ranges.push([low, low]);
  }
  const test = (candidate: string): boolean =>
    ranges.some(([low, high]) => low <= candidate && candidate <= high) !== isNegated;
  return { test, end: at };
}

function missing(text: string): never {
  throw badPattern(text);
}

function badPattern(text: string): Error {
  return invalidParameter(`error from match: syntax error in pattern: ${JSON.stringify(text)}`);
}

/** `**` stands for any number of names; the work is bounded by the product of both lengths. */
function matchParts(parts: readonly Part[], names: readonly string[]): boolean {
  let reachable: readonly number[] = [0];
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    reachable =
      part === 'any'
        ? everyEnd(Math.min(...reachable) + (isLast ? 1 : 0), names.length)
        : reachable.filter((at) => matchName(part, names[at])).map((at) => at + 1);
    if (reachable.length === 0) return false;
  }
  return reachable.includes(names.length);
}

/** At the end `**` stands for what is below, and not for the folder itself. */
function everyEnd(first: number, last: number): readonly number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, offset) => first + offset);
}

function matchName(glyphs: readonly Glyph[], name: string | undefined): boolean {
  if (name === undefined) return false;
  const characters = [...name];
  let glyph = 0;
  let at = 0;
  let star = -1;
  let retry = 0;
  while (at < characters.length) {
    const current = glyphs[glyph];
    if (current === 'star') {
      star = glyph;
      glyph += 1;
      retry = at;
    } else if (current?.(characters[at] ?? '') === true) {
      glyph += 1;
      at += 1;
    } else if (star >= 0) {
      // Back to the last star, which takes one more.
      glyph = star + 1;
      retry += 1;
      at = retry;
    } else return false;
  }
  while (glyphs[glyph] === 'star') glyph += 1;
  return glyph === glyphs.length;
}
