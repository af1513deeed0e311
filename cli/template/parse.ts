import type { Command, Node, Pipe, Term } from './nodes.js';
import { scan, TemplateProblem, type Piece } from './scan.js';

/** Reads a template into its tree. Throws TemplateProblem. */
export function parseTemplate(template: string): readonly Node[] {
  const reader = new PieceReader(scan(template));
  const { nodes, closedBy } = reader.nodes();
  if (closedBy !== undefined) throw unexpected(`{{${closedBy}}}`);
  return nodes;
}

class PieceReader {
  readonly #pieces: readonly Piece[];
  #at = 0;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  /** Nodes up to `end` or `else`, which is told in `closedBy` with the words that follow it. */
  nodes(): { nodes: Node[]; closedBy: string | undefined; rest: readonly string[] } {
    const nodes: Node[] = [];
    for (;;) {
      const piece = this.#pieces[this.#at++];
      if (piece === undefined) return { nodes, closedBy: undefined, rest: [] };
      if (piece.kind === 'text') nodes.push(piece);
      else {
        const [first = '', ...rest] = piece.words;
        if (first === 'end' || first === 'else') return { nodes, closedBy: first, rest };
        nodes.push(this.#action(first, rest, piece.words));
      }
    }
  }

  #action(first: string, rest: readonly string[], words: readonly string[]): Node {
    if (first === 'if' || first === 'with' || first === 'range') return this.#block(first, rest);
    if (first === '') throw new TemplateProblem('template: :1: missing value for command');
    return { kind: 'print', pipe: parsePipe(words) };
  }

  #block(kind: 'if' | 'with' | 'range', words: readonly string[]): Node {
    if (words.length === 0) throw new TemplateProblem(`template: :1: missing value for ${kind}`);
    const pipe = parsePipe(words);
    const { nodes: then, closedBy, rest } = this.nodes();
    if (closedBy === undefined) throw new TemplateProblem('template: :1: unexpected EOF');
    if (closedBy === 'end') return { kind, pipe, then, otherwise: [] };
    const [again = '', ...condition] = rest;
    if (again === 'if' || again === 'with') {
      return { kind, pipe, then, otherwise: [this.#block(again, condition)] };
    }
    const { nodes: otherwise, closedBy: close } = this.nodes();
    if (close !== 'end') throw new TemplateProblem('template: :1: unexpected EOF');
    return { kind, pipe, then, otherwise };
  }
}

function parsePipe(words: readonly string[]): Pipe {
  const declares: string[] = [];
  let rest = words;
  const sign = words.findIndex((word) => word === ':=' || word === '=');
  if (sign > 0) {
    declares.push(...words.slice(0, sign).filter((word) => word !== ','));
    rest = words.slice(sign + 1);
  }
  const reader = new TermReader(rest);
  const commands = reader.commands();
  if (!reader.isAtEnd) throw unexpected(reader.next());
  return { declares, commands };
}

class TermReader {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#words.length;
  }

  next(): string {
    return this.#words[this.#at++] ?? '';
  }

  commands(): Command[] {
    const commands = [this.#command()];
    while (this.#words[this.#at] === '|') {
      this.#at++;
      commands.push(this.#command());
    }
    return commands;
  }

  #command(): Command {
    const terms: Term[] = [];
    while (!this.isAtEnd && !['|', ')'].includes(this.#words[this.#at] ?? '')) {
      terms.push(this.#term());
    }
    const [head, ...operands] = terms;
    if (head === undefined) throw new TemplateProblem('template: :1: missing value for command');
    return { head, operands };
  }

  #term(): Term {
    const word = this.next();
    if (word === '(') return this.#group();
    if (word.startsWith('.')) return { kind: 'dot', path: fieldsOf(word) };
    if (word.startsWith('$')) {
      const [name = '', ...path] = word.split('.');
      return { kind: 'variable', name, path };
    }
    const literal = literalOf(word);
    if (literal !== undefined) return { kind: 'literal', value: literal.value, path: [] };
    if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(word)) throw unexpected(word);
    return { kind: 'function', name: word, path: [] };
  }

  #group(): Term {
    const commands = this.commands();
    if (this.next() !== ')') throw new TemplateProblem('template: :1: unclosed left paren');
    const follows = this.#words[this.#at] ?? '';
    const isField = follows.startsWith('.') && follows.length > 1;
    if (isField) this.#at++;
    return {
      kind: 'group',
      pipe: { declares: [], commands },
      path: isField ? fieldsOf(follows) : [],
    };
  }
}

function fieldsOf(word: string): readonly string[] {
  return word.split('.').filter((name) => name !== '');
}

function literalOf(word: string): { readonly value: unknown } | undefined {
  if (word.startsWith('"')) return { value: unescape(word.slice(1, -1)) };
  if (word.startsWith('`')) return { value: word.slice(1, -1) };
  if (word.startsWith("'")) return { value: unescape(word.slice(1, -1)).codePointAt(0) };
  if (/^-?\d/.test(word)) return { value: Number(word) };
  if (word === 'true' || word === 'false') return { value: word === 'true' };
  return word === 'nil' ? { value: null } : undefined;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0' };

function unescape(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/g, (_, code: string) =>
    code.length > 1 ? String.fromCodePoint(parseInt(code.slice(1), 16)) : (escapes[code] ?? code),
  );
}

function unexpected(word: string): TemplateProblem {
  return new TemplateProblem(`template: :1: unexpected "${word}" in operand`);
}
