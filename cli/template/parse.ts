import type { Command, Node, Pipe, Spot, Term } from './nodes.js';
import { scan, TemplateProblem, type Piece, type Word } from './scan.js';

/** Reads a template into its tree. Throws TemplateProblem. */
export function parseTemplate(template: string): readonly Node[] {
  const reader = new PieceReader(scan(template));
  const { nodes, closedBy } = reader.nodes();
  if (closedBy !== undefined) throw new TemplateProblem(`template: :1: unexpected {{${closedBy}}}`);
  return nodes;
}

class PieceReader {
  readonly #pieces: readonly Piece[];
  #at = 0;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  /** Nodes up to `end` or `else`, which is told in `closedBy` with the words that follow it. */
  nodes(): { nodes: Node[]; closedBy: string | undefined; rest: readonly Word[] } {
    const nodes: Node[] = [];
    for (;;) {
      const piece = this.#pieces[this.#at++];
      if (piece === undefined) return { nodes, closedBy: undefined, rest: [] };
      if (piece.kind === 'text') nodes.push(piece);
      else {
        const [first, ...rest] = piece.words;
        const word = first?.text ?? '';
        if (word === 'end' || word === 'else') return { nodes, closedBy: word, rest };
        nodes.push(this.#action(word, rest, piece.words));
      }
    }
  }

  #action(first: string, rest: readonly Word[], words: readonly Word[]): Node {
    if (first === 'if' || first === 'with' || first === 'range') return this.#block(first, rest);
    if (first === '') throw new TemplateProblem('template: :1: missing value for command');
    return { kind: 'print', pipe: parsePipe(words) };
  }

  #block(kind: 'if' | 'with' | 'range', words: readonly Word[]): Node {
    if (words.length === 0) throw new TemplateProblem(`template: :1: missing value for ${kind}`);
    const pipe = parsePipe(words);
    const { nodes: then, closedBy, rest } = this.nodes();
    if (closedBy === undefined) throw new TemplateProblem('template: :1: unexpected EOF');
    if (closedBy === 'end') return { kind, pipe, then, otherwise: [] };
    const [again, ...condition] = rest;
    if (again?.text === 'if' || again?.text === 'with') {
      return { kind, pipe, then, otherwise: [this.#block(again.text, condition)] };
    }
    const { nodes: otherwise, closedBy: close } = this.nodes();
    if (close !== 'end') throw new TemplateProblem('template: :1: unexpected EOF');
    return { kind, pipe, then, otherwise };
  }
}

function parsePipe(words: readonly Word[]): Pipe {
  const declares: string[] = [];
  let rest = words;
  const sign = words.findIndex(({ text }) => text === ':=' || text === '=');
  if (sign > 0) {
    declares.push(...words.slice(0, sign).map(({ text }) => text).filter((text) => text !== ','));
    rest = words.slice(sign + 1);
  }
  const reader = new TermReader(rest);
  const commands = reader.commands();
  if (!reader.isAtEnd) throw unexpected(reader.next().text);
  return { declares, commands };
}

class TermReader {
  readonly #words: readonly Word[];
  #at = 0;

  constructor(words: readonly Word[]) {
    this.#words = words;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#words.length;
  }

  next(): Word {
    return this.#words[this.#at++] ?? { text: '', line: 1, column: 0 };
  }

  get #ahead(): string {
    return this.#words[this.#at]?.text ?? '';
  }

  commands(): Command[] {
    const commands = [this.#command()];
    while (this.#ahead === '|') {
      this.#at++;
      commands.push(this.#command());
    }
    return commands;
  }

  #command(): Command {
    const terms: Term[] = [];
    while (!this.isAtEnd && !['|', ')'].includes(this.#ahead)) {
      terms.push(this.#term());
    }
    const [head, ...operands] = terms;
    if (head === undefined) throw new TemplateProblem('template: :1: missing value for command');
    return { head, operands };
  }

  #term(): Term {
    const word = this.next();
    const { text } = word;
    if (text === '(') return this.#group();
    if (text.startsWith('.')) {
      const path = fieldsOf(text);
      const first = path.length > 1 ? `.${path[0] ?? ''}` : '';
      return { kind: 'dot', path, spot: spotOf(word, first.length) };
    }
    if (text.startsWith('$')) {
      const [name = '', ...path] = text.split('.');
      const spot = spotOf(word, path.length > 0 ? name.length : 0);
      return { kind: 'variable', name, path, spot };
    }
    const rest = { path: [], spot: spotOf(word, 0) };
    const literal = literalOf(text);
    if (literal !== undefined) return { kind: 'literal', value: literal.value, ...rest };
    if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(text)) throw unexpected(text);
    return { kind: 'function', name: text, ...rest };
  }

  #group(): Term {
    const commands = this.commands();
    const closing = this.next();
    if (closing.text !== ')') throw new TemplateProblem('template: :1: unclosed left paren');
    const isField = this.#ahead.startsWith('.') && this.#ahead.length > 1;
    const field = isField ? this.next() : closing;
    const fields = isField ? field.text : '';
    return {
      kind: 'group',
      pipe: { declares: [], commands },
      path: fieldsOf(fields),
      spot: { ...spotOf(field, 0), text: `(${commands.map(commandText).join(' | ')})${fields}` },
    };
  }
}

function spotOf({ text, line, column }: Word, offset: number): Spot {
  return { text, place: `${line}:${column + offset}` };
}

/** A command as Go writes it. */
export function commandText({ head, operands }: Command): string {
  return [head, ...operands].map(({ spot }) => spot.text).join(' ');
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
