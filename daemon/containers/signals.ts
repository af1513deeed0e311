/** Signals by name and number, as `kill` and `--stop-signal` take them. */
import { constants } from 'node:os';
import { invalidParameter } from '../../api-spec/errors.js';

const rtMin = 34;
const rtMax = 64;

/**
 * `TERM`, `SIGTERM`, `15`, `RTMIN+3` → 15…; names in any case. `ApiError` 400 in Docker's words for
 * what is none. (signal(7))
 */
export function parseSignal(text: string): number {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number >= 1 && number <= rtMax) return number;
    throw invalidParameter(`invalid signal: ${text}`);
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realtime = /^RTM(IN|AX)([+-]\d+)?$/.exec(name);
  if (realtime !== null) return parseRealtime(realtime[1] === 'IN', Number(realtime[2] ?? 0), text);
  const number = Object.entries(constants.signals).find(([key]) => key === `SIG${name}`)?.[1];
  if (number === undefined) throw invalidParameter(`invalid signal: ${text}`);
  return number;
}

/** As `parseSignal`, for one to be sent: of a number that is none Docker says something else. */
export function parseKillSignal(text: string): number {
  const number = /^-?\d{1,9}$/.test(text) ? Number(text) : undefined;
  if (number !== undefined && (number < 0 || number > rtMax)) {
    throw invalidParameter(`the linux daemon does not support signal ${number}`);
  }
  return parseSignal(text);
}

function parseRealtime(fromMin: boolean, offset: number, text: string): number {
  const number = (fromMin ? rtMin : rtMax) + offset;
  if (number < rtMin || number > rtMax) throw invalidParameter(`invalid signal: ${text}`);
  return number;
}
