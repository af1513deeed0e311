/** The middle value; the mean of the two middle ones of an even number. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** The mean of what so many turns of `act` give, one after the other. */
export async function meanOf(count: number, act: () => Promise<number>): Promise<number> {
  let sum = 0;
  for (let done = 0; done < count; done++) sum += await act();
  return sum / count;
}

/** How many times better `ours` is than `theirs`. */
export function advantage(ours: number, theirs: number, better: 'lower' | 'higher'): number {
  return better === 'lower' ? theirs / ours : ours / theirs;
}

/** Three significant digits, without an exponent. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}
