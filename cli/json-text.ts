/**
 * Indents JSON without reading its values, so that 64-bit numbers and escapes stay as the engine
 * wrote them (JSON.parse would round the one and undo the other). `prefix` goes before each line
 * but the first.
 */
export function indentJson(text: string, indent: string, prefix = ''): string {
  const out: string[] = [];
  let depth = 0;
  const newLine = (): void => {
    out.push('\n', prefix, indent.repeat(depth));
  };
  let at = 0;
  while (at < text.length) {
    const character = text.charAt(at);
    const end = character === '"' ? endOfString(text, at) : endOfEmpty(text, at);
    const piece = text.slice(at, end);
    at = end;
    if (piece.length > 1) out.push(piece.startsWith('"') ? piece : piece.replace(/\s/g, ''));
    else if ('}]'.includes(piece)) {
      depth--;
      newLine();
      out.push(piece);
    } else if ('{[,'.includes(piece)) {
      if (piece !== ',') depth++;
      out.push(piece);
      newLine();
    } else if (piece === ':') out.push(': ');
    else if (!isBlank(piece)) out.push(piece);
  }
  return out.join('');
}

/** An object or a list with nothing in it is one piece; anything else is one character. */
function endOfEmpty(text: string, start: number): number {
  const closing = { '{': '}', '[': ']' }[text.charAt(start)];
  const close = nextVisible(text, start + 1);
  return closing !== undefined && text[close] === closing ? close + 1 : start + 1;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function nextVisible(text: string, start: number): number {
  let at = start;
  while (at < text.length && isBlank(text.charAt(at))) at++;
  return at;
}

function isBlank(character: string): boolean {
  return character === ' ' || character === '\n' || character === '\r' || character === '\t';
}

/** JSON as Go's encoder writes it: `<`, `>`, `&` and the two line separators escaped. */
export function goJson(value: unknown): string {
  return JSON.stringify(value ?? null).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
