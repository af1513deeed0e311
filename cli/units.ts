const decimalUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];
const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'];

/** A size as Docker shows it, in powers of 1000: `1.98MB`. `digits` are significant ones. */
export function humanSize(sizeBytes: number, digits = 4): string {
  return scaled(sizeBytes, { base: 1000, units: decimalUnits, digits });
}

/** A size in powers of 1024: `23.54GiB`. */
export function humanBinarySize(sizeBytes: number): string {
  return scaled(sizeBytes, { base: 1024, units: binaryUnits, digits: 4 });
}

interface Scale {
  readonly base: number;
  readonly units: readonly string[];
  readonly digits: number;
}

function scaled(sizeBytes: number, { base, units, digits }: Scale): string {
  let value = sizeBytes;
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  return `${significant(value, digits)}${units[unit] ?? ''}`;
}

/** Go's %.Ng: N significant digits, no trailing zeros, an exponent when N digits do not reach. */
export function significant(value: number, digits: number): string {
  const text = value.toPrecision(digits);
  if (text.includes('e')) {
    const [mantissa = '', exponent = ''] = text.split('e');
    return `${trimZeros(mantissa)}e${exponent.replace(/^([+-])(\d)$/, '$10$2')}`;
  }
  return trimZeros(text);
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** How long, in Docker's words: `Less than a second`, `About a minute`, `3 weeks`. */
export function humanDuration(elapsedMs: number): string {
  const seconds = Math.floor(elapsedMs / 1000);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(elapsedMs / 60_000);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.floor(elapsedMs / 3_600_000 + 0.5);
  return hours === 1 ? 'About an hour' : longDuration(hours);
}

function longDuration(hours: number): string {
  const days = Math.floor(hours / 24);
  if (hours < 48) return `${hours} hours`;
  if (days < 14) return `${days} days`;
  if (days < 60) return `${Math.floor(days / 7)} weeks`;
  return days < 730 ? `${Math.floor(days / 30)} months` : `${Math.floor(days / 365)} years`;
}

/** `5 minutes ago`; `N/A` for Docker's zero times. */
export function humanAge(sinceMs: number, nowMs = Date.now()): string {
  return sinceMs <= 0 ? 'N/A' : `${humanDuration(nowMs - sinceMs)} ago`;
}

/** A time as Go prints it by default: `2026-11-23 13:44:19 +0000 UTC` in local time. */
export function goTime(unixSeconds: number): string {
  const at = new Date(unixSeconds * 1000);
  const offset = -at.getTimezoneOffset();
  const local = new Date(at.getTime() + offset * 60_000).toISOString();
  const sign = offset < 0 ? '-' : '+';
  const hours = String(Math.floor(Math.abs(offset) / 60)).padStart(2, '0');
  const minutes = String(Math.abs(offset) % 60).padStart(2, '0');
  const zone = offset === 0 ? 'UTC' : zoneName(at);
  return `${local.slice(0, 10)} ${local.slice(11, 19)} ${sign}${hours}${minutes} ${zone}`;
}

function zoneName(at: Date): string {
  const named = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(at);
  return named.find((part) => part.type === 'timeZoneName')?.value ?? 'UTC';
}

/** The first `width` characters, the last of them an ellipsis when something was cut. */
export function ellipsis(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text;
  return width <= 1
    ? characters.slice(0, width).join('')
    : `${characters.slice(0, width - 1).join('')}…`;
}

/** The 12 hexadecimal digits by which people know an id. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
