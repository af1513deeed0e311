/** `HEALTHCHECK`. Pure. */
import { errorAt } from './dockerfile-error.js';
import { durationNs } from './duration.js';
import { checkFlags, type FlagValues } from './flags.js';
import type { HealthcheckInstruction } from './instruction.js';
import type { Statement } from './parse.js';
import { commandOf, takeFlags } from './words.js';

const known = {
  interval: 'text',
  timeout: 'text',
  'start-period': 'text',
  'start-interval': 'text',
  retries: 'text',
} as const;

/** Docker refuses what is shorter, 0 excepted. */
const minimumNs = 1_000_000;

/** `ApiError` 400 in Docker's words. */
export function parseHealthcheck(statement: Statement): HealthcheckInstruction {
  const { line, text, rest, escape } = statement;
  const taken = takeFlags(rest, escape);
  const flags = checkFlags(taken.flags, known, line);
  const [, word = '', command = ''] = /^(\S*)\s*([\s\S]*)$/.exec(taken.rest) ?? [];
  if (word === '') throw errorAt(line, 'HEALTHCHECK requires at least one argument');
  const timing = {
    intervalNs: durationOf(flags, 'interval', line),
    timeoutNs: durationOf(flags, 'timeout', line),
    startPeriodNs: durationOf(flags, 'start-period', line),
    startIntervalNs: durationOf(flags, 'start-interval', line),
    retries: retriesOf(flags.text('retries'), line),
  };
  const base = { kind: 'HEALTHCHECK', line, text, ...timing } as const;
  switch (word.toUpperCase()) {
    case 'NONE':
      if (command !== '') throw errorAt(line, 'HEALTHCHECK NONE takes no arguments');
      return base;
    case 'CMD':
      if (command === '') throw errorAt(line, 'Missing command after HEALTHCHECK CMD');
      return { ...base, command: commandOf(command) };
    default:
      throw errorAt(line, `Unknown type ${JSON.stringify(word)} in HEALTHCHECK (try CMD)`);
  }
}

function durationOf(flags: FlagValues, name: string, line: number): number {
  const text = flags.text(name);
  if (text === '') return 0;
  const ns = durationNs(text);
  if (ns === undefined) throw errorAt(line, `time: invalid duration ${JSON.stringify(text)}`);
  if (ns < 0 || (ns > 0 && ns < minimumNs)) {
    throw errorAt(line, `Interval ${JSON.stringify(name)} cannot be less than 1ms`);
  }
  return ns;
}

function retriesOf(text: string, line: number): number {
  if (text === '') return 0;
  if (!/^[+-]?\d{1,9}$/.test(text)) {
    const quoted = JSON.stringify(text);
    throw errorAt(line, `strconv.ParseInt: parsing ${quoted}: invalid syntax`);
  }
  const count = Number(text);
  if (count < 0) throw errorAt(line, `--retries cannot be negative (${count})`);
  return count;
}
