/**
 * As much of YAML as CDI files are written in: lists and maps by indentation or in brackets, and
 * scalars of one line. Anchors, tags and text of several lines are refused, not guessed. Pure.
 */

/** A line that says something. */
interface Line {
  /** Columns before `text`; what follows a dash has its own. */
  readonly indent: number;
  readonly text: string;
}

/** Nesting of an honest file is below ten. */
const MAX_DEPTH = 50;

/** The one document of a file; throws `SyntaxError` for what is no YAML, or more of it. */
export function parseYaml(source: string): unknown {
  const reader = new Reader(source.split('\n').flatMap(lineOf));
  const value = reader.node(0, 0);
  reader.end();
  return value;
}

function lineOf(raw: string): readonly Line[] {
  if (/^(?:---|\.\.\.|%)/.test(raw)) return [];
  const text = withoutComment(raw);
  if (text.trim() === '') return [];
  const indent = text.length - text.trimStart().length;
  if (text.slice(0, indent).includes('\t')) throw new SyntaxError('a tab is no indentation');
  return [{ indent, text: text.trim() }];
}

const quoted = /"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'/.source;
const beforeComment = new RegExp(`^(?:${quoted}|[^"'#]|(?<=\\S)#|["'])*`);

function withoutComment(raw: string): string {
  return beforeComment.exec(raw)?.[0].trimEnd() ?? '';
}

const entry = new RegExp(`^(${quoted}|[^\\s"'\\[{][^#]*?)\\s*:(?:\\s+(.*))?$`);

class Reader {
  #at = 0;
  readonly #lines: Line[];

  constructor(lines: readonly Line[]) {
    this.#lines = [...lines];
  }

  end(): void {
    const left = this.#lines[this.#at];
    if (left !== undefined) throw new SyntaxError(`not understood: ${left.text}`);
  }

  /** What begins at the next line, if that is indented by `indent` or more. */
  node(indent: number, depth: number): unknown {
    const line = this.#lines[this.#at];
    if (line === undefined || line.indent < indent) return null;
    if (depth > MAX_DEPTH) throw new SyntaxError('nested too deeply');
    if (isItem(line)) return this.#list(line.indent, depth);
    if (entry.test(line.text)) return this.#map(line.indent, depth);
    this.#at++;
    return scalar(line.text);
  }

  #list(indent: number, depth: number): unknown[] {
    const items: unknown[] = [];
    for (let line = this.#lines[this.#at]; line?.indent === indent && isItem(line); ) {
      const text = line.text.slice(1).trimStart();
      // What follows the dash stands in a column of its own, as if it began a line.
      if (text === '') this.#at++;
      else this.#lines[this.#at] = { indent: indent + line.text.length - text.length, text };
      items.push(this.node(indent + 1, depth + 1));
      line = this.#lines[this.#at];
    }
    return items;
  }

  #map(indent: number, depth: number): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    for (let line = this.#lines[this.#at]; line?.indent === indent; ) {
      const [, key, text = ''] = entry.exec(line.text) ?? [];
      if (key === undefined || isItem(line)) break;
      this.#at++;
      const name = String(scalar(key));
      if (entries.has(name)) throw new SyntaxError(`${name} is there twice`);
      entries.set(name, text === '' ? this.#below(indent, depth + 1) : scalar(text));
      line = this.#lines[this.#at];
    }
    return Object.fromEntries(entries);
  }

  /** A list may stand in the column of its key. */
  #below(indent: number, depth: number): unknown {
    const line = this.#lines[this.#at];
    const isList = line?.indent === indent && isItem(line);
    return this.node(isList ? indent : indent + 1, depth);
  }
}

function isItem({ text }: Line): boolean {
  return text === '-' || text.startsWith('- ');
}

function scalar(text: string): unknown {
  const flow = new Flow(text);
  const value = flow.value('', 0);
  flow.end();
  return value;
}

/** Values on one line: `[ro, "x"]`, `{a: 1}`, and plain ones up to a mark that ends them. */
class Flow {
  #at = 0;

  constructor(readonly text: string) {}

  end(): void {
    const rest = this.text.slice(this.#at).trim();
    if (rest !== '') throw new SyntaxError(`not understood: ${rest}`);
  }

  value(stops: string, depth: number): unknown {
    if (depth > MAX_DEPTH) throw new SyntaxError('nested too deeply');
    this.#blanks();
    const first = this.text.charAt(this.#at);
    if (first === '[') return this.#items(']', () => this.value(',]', depth + 1));
    if (first === '{') return Object.fromEntries(this.#items('}', () => this.#pair(depth + 1)));
    if (first === '"' || first === "'") return this.#quoted();
    return plain(this.#until(stops));
  }

  #pair(depth: number): [string, unknown] {
    const key = String(this.value(':,}', depth));
    this.#blanks();
    if (this.text.charAt(this.#at) !== ':') return [key, null];
    this.#at++;
    return [key, this.value(',}', depth)];
  }

  #items<Item>(close: string, read: () => Item): Item[] {
    const items: Item[] = [];
    this.#at++;
    for (;;) {
      this.#blanks();
      if (this.text.charAt(this.#at) === close) break;
      if (this.#at >= this.text.length) throw new SyntaxError(`${close} is missing`);
      items.push(read());
      this.#blanks();
      if (this.text.charAt(this.#at) === ',') this.#at++;
    }
    this.#at++;
    return items;
  }

  #quoted(): string {
    const match = new RegExp(quoted, 'y');
    match.lastIndex = this.#at;
    const found = match.exec(this.text)?.[0];
    if (found === undefined) throw new SyntaxError(`a quote is missing: ${this.text}`);
    this.#at += found.length;
    return found.startsWith('"')
      ? String(JSON.parse(found))
      : found.slice(1, -1).replaceAll("''", "'");
  }

  #until(stops: string): string {
    const start = this.#at;
    while (this.#at < this.text.length && !stops.includes(this.text.charAt(this.#at))) this.#at++;
    return this.text.slice(start, this.#at).trim();
  }

  #blanks(): void {
    while (this.text.charAt(this.#at) === ' ') this.#at++;
  }
}

const words: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['', null], ['~', null], ['null', null], ['true', true], ['false', false],
]);

function plain(text: string): unknown {
  if (words.has(text)) return words.get(text);
  if (/^[&*!|>%@`]/.test(text)) throw new SyntaxError(`not understood: ${text}`);
  if (/^0o?[0-7]+$/.test(text)) return Number.parseInt(text.replace('o', ''), 8);
  return /^(?:-?(?:0|[1-9]\d*)|0x[\da-fA-F]+)$/.test(text) ? Number(text) : text;
}
