/** How the rest of an instruction's line is parted, for each kind of instruction. Pure. */
import type { EscapeToken } from './lines.js';
import { parseFailure } from './dockerfile-error.js';
import type { Command, Pair } from './instruction.js';

/** A flag in front of the arguments: `--name=value` or `--name`. */
export interface Flag {
  readonly name: string;
  readonly value: string | undefined;
}

/** Takes the flags off the front; `--` ends them. */
export function takeFlags(text: string, escape: EscapeToken): { flags: Flag[]; rest: string } {
  const flags: Flag[] = [];
  let rest = text;
  for (;;) {
    const { word, after } = firstWord(rest, escape);
    if (!word.startsWith('--')) return { flags, rest };
    rest = after;
    if (word === '--') return { flags, rest };
    const [, name = '', value] = /^--([^=]*)(?:=([\s\S]*))?$/.exec(unquoted(word, escape)) ?? [];
    flags.push({ name, value });
  }
}

function unquoted(word: string, escape: EscapeToken): string {
  let text = '';
  let quote = '';
  for (let at = 0; at < word.length; at += 1) {
    const character = word[at] ?? '';
    if (character === escape && quote !== "'") text += word[++at] ?? '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
    else text += character;
  }
  return text;
}

/** The first word with its quotes, and what follows it and the blanks after. */
function firstWord(text: string, escape: EscapeToken): { word: string; after: string } {
  let quote = '';
  let at = 0;
  for (; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === escape && quote !== "'") at += 1;
    else if (quote !== '') quote = character === quote ? '' : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (/\s/.test(character)) break;
  }
  return { word: text.slice(0, at), after: text.slice(at).trimStart() };
}

/** Words parted at blanks outside of quotes, which stay: they are for the expansion. */
export function quotedWords(text: string, escape: EscapeToken): readonly string[] {
  const words: string[] = [];
  for (let rest = text.trimStart(); rest !== ''; ) {
    const { word, after } = firstWord(rest, escape);
    words.push(word);
    rest = after;
  }
  return words;
}

/** Words parted at blanks, whatever quotes there are. */
export function plainWords(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/** A JSON list of strings; undefined for anything else, which is then meant as it stands. */
export function jsonWords(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    const isWords = Array.isArray(parsed) && parsed.every((word) => typeof word === 'string');
    return isWords ? parsed : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The exec form if it is a JSON list, else the shell's. */
export function commandOf(text: string): Command {
  const words = jsonWords(text);
  return words === undefined ? { form: 'shell', line: text } : { form: 'exec', words };
}

/** `a=b c="d e"`, or the old `name the rest`; 400 for what is neither. */
export function pairsOf(kind: string, text: string, escape: EscapeToken): readonly Pair[] {
  const words = quotedWords(text, escape);
  const [first] = words;
  if (first === undefined) return [];
  if (!first.includes('=')) {
    const [, name = '', value] = /^(\S+)\s+([\s\S]*)$/.exec(text) ?? [];
    if (value === undefined) throw parseFailure(`${kind} must have two arguments`);
    return [{ name, value }];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) {
      throw parseFailure(
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    }
    return { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}
