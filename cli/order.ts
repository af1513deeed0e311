/** Compares as people sort: runs of digits by their value, anything else by code point. */
export function naturalOrder(a: string, b: string): number {
  const left = pieces(a);
  const right = pieces(b);
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const order = compare(left[at] ?? '', right[at] ?? '');
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function pieces(text: string): readonly string[] {
  return text.match(/\d+|\D+/g) ?? [];
}

function compare(a: string, b: string): number {
  const isNumeric = /^\d/.test(a) && /^\d/.test(b);
  if (isNumeric && Number(a) !== Number(b)) return Number(a) - Number(b);
  return a < b ? -1 : Number(a > b);
}
