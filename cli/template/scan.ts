/** A piece of a template: text between actions, or the words of one action. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly words: readonly string[] };

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
      if (found === null) throw new TemplateProblem('template: :1: unclosed action');
      if (found[1] !== undefined) text = text.trimEnd();
      eatsBlanks = found[3] !== undefined;
      if (text !== '') pieces.push({ kind: 'text', text });
      const inner = found[2] ?? '';
      if (!inner.startsWith('/*')) pieces.push({ kind: 'action', words: split(inner) });
      at = action.lastIndex;
    } else {
      if (text !== '') pieces.push({ kind: 'text', text });
      at = end;
    }
  }
  return pieces;
}

const sign = /:=|[(),|=]/.source;
const number = /-?\d[\w.]*/.source;
const name = /[.$]?[\p{L}_$.][\p{L}\p{N}_.]*|[.$]/u.source;
const word = new RegExp(`\\s*(${string}|${sign}|${number}|${name})`, 'uy');

function split(inner: string): readonly string[] {
  const words: string[] = [];
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
    words.push(found[1] ?? '');
    at = word.lastIndex;
    // A `)` may be followed at once by a field of the group's value.
  }
  return words;
}
