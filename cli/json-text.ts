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
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '"') {
      const end = endOfString(text, at);
      out.push(text.slice(at, end));
      at = end - 1;
    } else if (character === '{' || character === '[') {
      const close = nextVisible(text, at + 1);
      if (text[close] === '}' || text[close] === ']') {
        out.push(character, text.charAt(close));
        at = close;
        continue;
      }
      depth++;
      out.push(character);
      newLine();
    } else if (character === '}' || character === ']') {
      depth--;
      newLine();
      out.push(character);
    } else if (character === ',') {
      out.push(character);
      newLine();
    } else if (character === ':') out.push(': ');
    else if (!isBlank(character)) out.push(character);
  }
  return out.join('');
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
  return (JSON.stringify(value) ?? 'null').replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
