/**
 * A Dockerfile as text → its instructions, each as one line: directives read, comments gone,
 * continued lines joined, here-documents taken out. Pure.
 */
import { parseFailure } from './dockerfile-error.js';

/** A here-document as it was written after an instruction. */
export interface Heredoc {
  readonly name: string;
  /** Up to the line with its name; tabs in front are gone if it was `<<-`. */
  readonly content: string;
  /** Whether variables are replaced: not when its name was quoted. */
  readonly expand: boolean;
}

/** One instruction, joined. */
export interface LogicalLine {
  /** Where it begins, from 1. */
  readonly line: number;
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
}

/** What `# escape` says, or the default. */
export type EscapeToken = '\\' | '`';

/** A Dockerfile in lines. */
export interface DockerfileLines {
  readonly escape: EscapeToken;
  readonly lines: readonly LogicalLine[];
  readonly warnings: readonly string[];
}

/** Bounds on what is parsed: nothing that people write comes near. */
const maxLines = 100_000;

interface Reader {
  readonly physical: readonly string[];
  readonly escape: EscapeToken;
  at: number;
  readonly warnings: string[];
}

/** Splits a Dockerfile; `ApiError` 400 for a wrong directive and for one without instructions. */
export function readLines(text: string): DockerfileLines {
  const physical = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  if (physical.length > maxLines) throw parseFailure('file has too many lines');
  const reader: Reader = { physical, escape: escapeOf(physical), at: 0, warnings: [] };
  const lines: LogicalLine[] = [];
  for (;;) {
    const line = nextLine(reader);
    if (line === undefined) break;
    lines.push(line);
  }
  if (lines.length === 0) throw parseFailure('file with no instructions');
  return { escape: reader.escape, lines, warnings: warningsOf(reader.warnings) };
}

function warningsOf(found: readonly string[]): readonly string[] {
  if (found.length === 0) return [];
  return [...found, 'Empty continuation lines will become errors in a future release.'].map(
    (text) => `[WARNING]: ${text}`,
  );
}

/** Directives stand before everything else, comments included. */
function escapeOf(physical: readonly string[]): EscapeToken {
  const seen = new Set<string>();
  let escape: EscapeToken = '\\';
  for (const line of physical) {
    const match = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line.trim());
    const [, name = '', value = ''] = match ?? [];
    const key = name.toLowerCase();
    if (!['escape', 'syntax', 'check'].includes(key)) return escape;
    if (seen.has(key)) throw parseFailure(`only one ${key} parser directive can be used`);
    seen.add(key);
    if (key === 'escape') escape = escapeToken(value);
  }
  return escape;
}

function escapeToken(value: string): EscapeToken {
  if (value === '\\' || value === '`') return value;
  throw parseFailure(`invalid escape token '${value}' does not match \` or \\`);
}

function nextLine(reader: Reader): LogicalLine | undefined {
  while (reader.at < reader.physical.length && isBlank(reader.physical[reader.at])) reader.at += 1;
  if (reader.at >= reader.physical.length) return undefined;
  const line = reader.at + 1;
  const text = joined(reader);
  return { line, text, heredocs: takesHeredocs(text) ? readHeredocs(reader, text) : [] };
}

function isBlank(line: string | undefined): boolean {
  return line === undefined || /^\s*(#.*)?$/.test(line);
}

/** Lines that end in the escape character go on in the next; comments in between count as none. */
function joined(reader: Reader): string {
  const continues = reader.escape === '\\' ? /(^|[^\\])\\[ \t]*$/ : /(^|[^`])`[ \t]*$/;
  let text = '';
  let sawEmpty = false;
  for (let first = true; reader.at < reader.physical.length; first = false) {
    const line = reader.physical[reader.at] ?? '';
    reader.at += 1;
    if (!first && isBlank(line)) {
      sawEmpty ||= line.trim() === '';
      continue;
    }
    const piece = first ? line.trimStart() : line;
    if (!continues.test(piece)) {
      text += piece;
      break;
    }
    text += piece.replace(continues, '$1');
  }
  if (sawEmpty) reader.warnings.push(`Empty continuation line found in: ${text.trim()}`);
  return text.trim();
}

function takesHeredocs(text: string): boolean {
  return /^(onbuild\s+)?(run|copy|add)\s/i.test(text) && text.includes('<<');
}

function readHeredocs(reader: Reader, text: string): readonly Heredoc[] {
  return heredocNames(text).map(({ name, chomp, expand }) => {
    const content: string[] = [];
    for (;;) {
      const next = reader.physical[reader.at];
      // The part after the file's last newline is no line.
      if (next === undefined || (next === '' && reader.at === reader.physical.length - 1)) {
        throw parseFailure('unterminated heredoc');
      }
      reader.at += 1;
      const shown = chomp ? next.replace(/^\t+/, '') : next;
      if (shown === name) break;
      content.push(`${shown}\n`);
    }
    return { name, content: content.join(''), expand };
  });
}

/** A word `<<NAME`, its name perhaps quoted, with a digit in front for another file descriptor. */
const heredocWord = /^\d*<<(-?)(?:"([^"<]+)"|'([^'<]+)'|([^<"'\s]+))$/;

function heredocNames(text: string) {
  const words = text.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  return words.flatMap((word) => {
    const [, dash, double, single, bare] = heredocWord.exec(word) ?? [];
    const name = double ?? single ?? bare;
    return name === undefined ? [] : [{ name, chomp: dash === '-', expand: bare !== undefined }];
  });
}

/** Whether a word of an instruction stands for a here-document. */
export function isHeredocWord(word: string): boolean {
  return heredocWord.test(word);
}
