/** What somebody may have meant who wrote a word that is none. Pure. */

/** The first of `words` that is closest to `word`, if it is close at all. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = maxDistance + 1;
  for (const candidate of words) {
    const away = distance(word.toLowerCase(), candidate.toLowerCase());
    if (away < bestDistance) {
      best = candidate;
      bestDistance = away;
    }
  }
  return best;
}

/** As Docker has it: three changes away is still meant. */
const maxDistance = 3;

/** Levenshtein's. */
function distance(one: string, other: string): number {
  // Longer ones cannot be close, and are not worth the square of their length.
  if (Math.abs(one.length - other.length) > maxDistance) return maxDistance + 1;
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const change = one[i - 1] === other[j - 1] ? 0 : 1;
      const left = next[j - 1] ?? 0;
      const above = row[j] ?? 0;
      const corner = row[j - 1] ?? 0;
      next.push(Math.min(left + 1, above + 1, corner + change));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
