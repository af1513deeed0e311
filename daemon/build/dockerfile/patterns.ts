/** A shell's patterns in `${x#pattern}` and its like: `*`, `?`, `\` before a character. Pure. */

/**
 * Matching costs the product of both lengths and no more, whatever the pattern: nothing is tried
 * twice, and no regular expression is of the user's making.
 */
interface Token {
  readonly kind: 'star' | 'any' | 'literal';
  readonly character: string;
}

function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern[at] ?? '';
    if (character === '*') tokens.push({ kind: 'star', character });
    else if (character === '?') tokens.push({ kind: 'any', character });
    else if (character === '\\') {
      at += 1;
      tokens.push({ kind: 'literal', character: pattern[at] ?? '\\' });
    } else tokens.push({ kind: 'literal', character });
  }
  return tokens;
}

/**
 * For each place of the text, where the longest or shortest match that begins there ends; -1 for
 * none. From the last token to the first, each by what its successors can do.
 */
function endsOf(text: string, tokens: readonly Token[], greedy: boolean): Int32Array {
  const better = (one: number, other: number): number => {
    if (one < 0 || other < 0) return Math.max(one, other);
    return greedy ? Math.max(one, other) : Math.min(one, other);
  };
  let ends = Int32Array.from({ length: text.length + 1 }, (_, at) => at);
  for (const { kind, character } of [...tokens].reverse()) {
    const before = new Int32Array(text.length + 1).fill(-1);
    for (let at = text.length; at >= 0; at -= 1) {
      const next = ends[at + 1] ?? -1;
      if (kind === 'star') before[at] = better(ends[at] ?? -1, before[at + 1] ?? -1);
      else if (at < text.length && (kind === 'any' || text[at] === character)) before[at] = next;
    }
    ends = before;
  }
  return ends;
}

/** `${x#pattern}`, and `##` when greedy. */
export function removePrefix(text: string, pattern: string, greedy: boolean): string {
  const end = endsOf(text, tokensOf(pattern), greedy)[0] ?? -1;
  return end < 0 ? text : text.slice(end);
}

/** `${x%pattern}`, and `%%` when greedy: a prefix of the text read backwards. */
export function removeSuffix(text: string, pattern: string, greedy: boolean): string {
  const backwards = text.split('').reverse().join('');
  const end = endsOf(backwards, tokensOf(pattern).reverse(), greedy)[0] ?? -1;
  return end < 0 ? text : text.slice(0, text.length - end);
}

/** `${x/pattern/by}`, and `//` for all. */
export function replacePattern(
  text: string,
  { pattern, by, all }: { readonly pattern: string; readonly by: string; readonly all: boolean },
): string {
  const ends = endsOf(text, tokensOf(pattern), true);
  let result = '';
  let at = 0;
  while (at < text.length) {
    const end = ends[at] ?? -1;
    if (end <= at) {
      result += text[at] ?? '';
      at += 1;
      continue;
    }
    result += by;
    at = end;
    if (!all) break;
  }
  return result + text.slice(at);
}
