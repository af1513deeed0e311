import { UsageError } from './errors.js';
import { parseFlagValue } from './flag-values.js';

/**
 * What a flag takes. `list` may be repeated; `strings` may be repeated and splits at commas;
 * `size` takes bytes with a unit; `duration` Go's "1m30s"; a `switch` is a bool.
 */
export type FlagKind =
  | 'switch'
  | 'text'
  | 'list'
  | 'strings'
  | 'integer'
  | 'decimal'
  | 'size'
  | 'duration';

/** One flag of a command. */
export interface Flag {
  readonly name: string;
  readonly short?: string;
  readonly kind: FlagKind;
  readonly about: string;
  /** The word shown in `--help` in place of the kind's own. */
  readonly takes?: string;
  /** The value when the flag is not given, as it would be typed. */
  readonly otherwise?: string;
  /** Accepted, not shown. */
  readonly hidden?: boolean;
}

/** A value as parsed: sizes in bytes and durations in nanoseconds, both as numbers. */
export type FlagValue = boolean | string | number | readonly string[];

/** A flag with neither short form nor default. */
export function flag(kind: FlagKind, name: string, about: string, more: Partial<Flag> = {}): Flag {
  return { kind, name, about, ...more };
}

/** The flags that were given, by long name, with their defaults behind them. */
export class GivenFlags {
  readonly #table: ReadonlyMap<string, Flag>;
  readonly #given = new Map<string, FlagValue>();

  constructor(flags: readonly Flag[]) {
    this.#table = new Map(flags.map((each) => [each.name, each]));
  }

  /** Records one occurrence; lists grow, anything else is replaced. Throws UsageError. */
  give(definition: Flag, text: string, shown: string): void {
    const value = parseFlagValue(definition.kind, text, shown);
    const before = this.#given.get(definition.name);
    const grown = isList(value) && isList(before) ? [...before, ...value] : value;
    this.#given.set(definition.name, grown);
  }

  isSet(name: string): boolean {
    return this.#given.has(name);
  }

  switch(name: string): boolean {
    return this.#value(name) === true;
  }

  text(name: string): string {
    const value = this.#value(name);
    return typeof value === 'string' ? value : '';
  }

  /** 0 when the flag was not given and has no default. */
  number(name: string): number {
    const value = this.#value(name);
    return typeof value === 'number' ? value : 0;
  }

  list(name: string): readonly string[] {
    const value = this.#value(name);
    return isList(value) ? value : [];
  }

  #value(name: string): FlagValue | undefined {
    const given = this.#given.get(name);
    if (given !== undefined) return given;
    const definition = this.#table.get(name);
    if (definition?.otherwise === undefined) return undefined;
    return parseFlagValue(definition.kind, definition.otherwise, name);
  }
}

function isList(value: FlagValue | undefined): value is readonly string[] {
  return Array.isArray(value);
}

/** What a command line was taken apart into. */
export interface ParsedLine {
  readonly flags: GivenFlags;
  readonly operands: readonly string[];
  readonly wantsHelp: boolean;
}

/** How a command wants its line read. */
export interface LineGrammar {
  readonly flags: readonly Flag[];
  /**
   * False: the first operand ends the flags (`run`, `exec`), so that the rest is the container's.
   */
  readonly interspersed: boolean;
}

const help = flag('switch', 'help', 'Show this text');

/** Takes a command line apart as pflag does. Throws UsageError in pflag's words. */
export function parseLine(grammar: LineGrammar, words: readonly string[]): ParsedLine {
  const table = [...grammar.flags, help];
  const flags = new GivenFlags(table);
  const operands: string[] = [];
  let at = 0;
  while (at < words.length) {
    const word = words[at++] ?? '';
    if (word === '--') {
      operands.push(...words.slice(at));
      break;
    }
    if (word.length < 2 || !word.startsWith('-')) {
      operands.push(word);
      if (grammar.interspersed) continue;
      operands.push(...words.slice(at));
      break;
    }
    const take = (): string | undefined => words[at++];
    if (word.startsWith('--')) readLong({ table, flags, word, take });
    else readShorts({ table, flags, word, take });
  }
  return { flags, operands, wantsHelp: flags.switch('help') };
}

interface Reading {
  readonly table: readonly Flag[];
  readonly flags: GivenFlags;
  readonly word: string;
  readonly take: () => string | undefined;
}

function readLong({ table, flags, word, take }: Reading): void {
  const equals = word.indexOf('=');
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
  const definition = table.find((each) => each.name === name);
  if (name === '' || name.startsWith('-')) throw new UsageError(`bad flag syntax: ${word}`);
  if (definition === undefined) throw new UsageError(`unknown flag: --${name}`);
  const shown = shownName(definition);
  if (equals >= 0) return flags.give(definition, word.slice(equals + 1), shown);
  if (definition.kind === 'switch') return flags.give(definition, 'true', shown);
  const next = take();
  if (next === undefined) throw new UsageError(`flag needs an argument: --${name}`);
  flags.give(definition, next, shown);
}

function readShorts({ table, flags, word, take }: Reading): void {
  for (let at = 1; at < word.length; at++) {
    const letter = word.charAt(at);
    const definition = table.find((each) => each.short === letter);
    if (definition === undefined) {
      throw new UsageError(`unknown shorthand flag: '${letter}' in ${word}`);
    }
    const shown = shownName(definition);
    const rest = word.slice(at + 1);
    if (rest.startsWith('=')) return flags.give(definition, rest.slice(1), shown);
    if (definition.kind === 'switch') {
      flags.give(definition, 'true', shown);
      continue;
    }
    const value = rest === '' ? take() : rest;
    if (value === undefined) {
      throw new UsageError(`flag needs an argument: '${letter}' in ${word}`);
    }
    return flags.give(definition, value, shown);
  }
}

function shownName(definition: Flag): string {
  return definition.short === undefined
    ? `--${definition.name}`
    : `-${definition.short}, --${definition.name}`;
}
