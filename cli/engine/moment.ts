import { parseDurationNs } from '../flag-values.js';
import { CommandError } from '../errors.js';

const timeGrammar = new RegExp(
  '^(\\d{4}-\\d{2}-\\d{2})' +
    '(?:T(\\d{2})(?::(\\d{2})(?::(\\d{2})(?:[.,](\\d{1,9}))?)?)?)?' +
    '(Z|[+-]\\d{2}:?\\d{2})?$',
);

/**
 * A moment for `--since` and `--until` as the API takes it: seconds of the epoch with nine digits
 * after the point. Takes RFC 3339 (whole or in parts, local time without a zone), seconds, and
 * Go durations before now.
 */
export function momentParameter(
  name: 'since' | 'until',
  text: string,
  nowMs = Date.now(),
): string | undefined {
  if (text === '') return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return text;
  const parts = timeGrammar.exec(text);
  if (parts !== null) {
    const [, day = '', hour = '00', minute = '00', second = '00', fraction = '', zone = ''] = parts;
    const ms = Date.parse(`${day}T${hour}:${minute}:${second}${zone}`);
    return `${Math.floor(ms / 1000)}.${fraction.padEnd(9, '0')}`;
  }
  try {
    const ns = parseDurationNs(text);
    const ms = nowMs - ns / 1e6;
    const whole = Math.floor(ms / 1000);
    return `${whole}.${String(Math.floor((ms - whole * 1000) * 1e6)).padStart(9, '0')}`;
  } catch (problem) {
    const reason = `failed to parse value as time or duration: ${JSON.stringify(text)}`;
    throw new CommandError(`invalid value for "${name}": ${reason}`, 1, { cause: problem });
  }
}
