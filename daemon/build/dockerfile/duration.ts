/** Go's durations: `1h30m`, `5s`, `1.5ms`. Pure. */

const unitsNs: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Nanoseconds; undefined for what is no duration. */
export function durationNs(text: string): number | undefined {
  const [, sign = '', rest = ''] = /^([+-]?)(.*)$/.exec(text) ?? [];
  if (rest === '0') return 0;
  const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy;
  let total = 0;
  let at = 0;
  for (let match = part.exec(rest); match !== null; match = part.exec(rest)) {
    total += Number(match[1]) * (unitsNs[match[2] ?? ''] ?? 0);
    at = part.lastIndex;
  }
  if (at === 0 || at !== rest.length || total > Number.MAX_SAFE_INTEGER * 1000) return undefined;
  return sign === '-' ? -total : total;
}

/** As Go writes it: `1m0s`, `5s`, `1.5ms`, `0s`. */
export function durationText(ns: number): string {
  if (ns === 0) return '0s';
  if (ns < 1e9) {
    const unit = ns < 1e3 ? 'ns' : ns < 1e6 ? 'µs' : 'ms';
    return `${Number((ns / (unitsNs[unit] ?? 1)).toFixed(9))}${unit}`;
  }
  const hours = Math.floor(ns / 3600e9);
  const minutes = Math.floor((ns % 3600e9) / 60e9);
  const seconds = Number(((ns % 60e9) / 1e9).toFixed(9));
  const withMinutes = hours > 0 || minutes > 0 ? `${minutes}m` : '';
  return `${hours > 0 ? `${hours}h` : ''}${withMinutes}${seconds}s`;
}
