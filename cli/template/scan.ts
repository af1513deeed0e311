/** A piece of a template: text between actions, or the words of one action. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly words: readonly Word[] };

/** A word of an action, and where it stands: lines from one, columns from zero. */
export interface Word {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

/** A template that cannot be read or carried out; the message is in Go's words. */
export class TemplateProblem extends Error {
  override readonly name = 'TemplateProblem';
}

const string = /"(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\]|\\.)+'/.source;
const comment = /\/\*[\s\S]*?\*\//.source;
const inside = `(?:${string}|${comment}|(?!\\}\\})[^"\`'])*?`;
const action = new RegExp(`\\{\\{(- )?\\s*(${inside})\\s*( -)?\\}\\}`, 'y');

/** Cuts a template into text and actions; `{{-` and `-}}` eat the blanks beside them. */
export function scan(template: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let eatsBlanks = false;
  while (at < template.length) {
    const start = template.indexOf('{{', at);
    const end = start < 0 ? template.length : start;
    let text = template.slice(at, end);
    if (eatsBlanks) text = text.trimStart();
    eatsBlanks = false;
    if (start >= 0) {
      action.lastIndex = start;
      const found = action.exec(template);
      if (found === null) throw new TemplateProblem(`template: :1: ${notClosed(template, start)}`);
      if (found[1] !== undefined) text = text.trimEnd();
      eatsBlanks = found[3] !== undefined;
      if (text !== '') pieces.push({ kind: 'text', text });
      const inner = found[2] ?? '';
      const from = template.indexOf(inner, start + 2);
      if (!inner.startsWith('/*')) {
        pieces.push({ kind: 'action', words: split(template, from, inner) });
      }
      at = action.lastIndex;
    } else {
      if (text !== '') pieces.push({ kind: 'text', text });
      at = end;
    }
  }
  return pieces;
}

function notClosed(template: string, start: number): string {
  const plain = template.slice(start).replace(new RegExp(string, 'g'), '');
  return /^[^}]*["`]/.test(plain) ? 'unterminated quoted string' : 'unclosed action';
}

const sign = /:=|[(),|=]/.source;
const number = /-?\d[\w.]*/.source;
const name = /[.$]?[\p{L}_$.][\p{L}\p{N}_.]*|[.$]/u.source;
const word = new RegExp(`\\s*(${string}|${sign}|${number}|${name})`, 'uy');

/** The words of what begins at `from`. */
function split(template: string, from: number, inner: string): readonly Word[] {
  const words: Word[] = [];
  word.lastIndex = 0;
  let at = 0;
  while (at < inner.trimEnd().length) {
    word.lastIndex = at;
    const found = word.exec(inner);
    if (found === null) {
      const bad = inner.slice(at).trimStart().charAt(0);
      const code = bad.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
      throw new TemplateProblem(`template: :1: unexpected bad character U+${code} '${bad}'`);
    }
    const text = found[1] ?? '';
    const lines = template.slice(0, from + word.lastIndex - text.length).split('\n');
    words.push({ text, line: lines.length, column: lines.at(-1)?.length ?? 0 });
    at = word.lastIndex;
    // A `)` may be followed at once by a field of the group's value.
  }
  return words;
}
