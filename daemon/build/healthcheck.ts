/** What `HEALTHCHECK` makes of an image's config. Pure. */
import type { HealthConfig } from '../../api-spec/index.js';
import type { Command, HealthcheckInstruction } from './dockerfile/instruction.js';
import { parseTrigger } from './dockerfile/parse.js';

/** The fields that were said; `Test` always. */
export function healthOf(instruction: HealthcheckInstruction): HealthConfig {
  const { command, intervalNs, timeoutNs, startPeriodNs, startIntervalNs, retries } = instruction;
  return {
    Test: testOf(command),
    ...(intervalNs === 0 ? {} : { Interval: intervalNs }),
    ...(timeoutNs === 0 ? {} : { Timeout: timeoutNs }),
    ...(startPeriodNs === 0 ? {} : { StartPeriod: startPeriodNs }),
    ...(startIntervalNs === 0 ? {} : { StartInterval: startIntervalNs }),
    ...(retries === 0 ? {} : { Retries: retries }),
  };
}

/** Of what follows the word `HEALTHCHECK`, for who changes a config without a build. */
export function healthOfText(text: string): HealthConfig | undefined {
  const instruction = parseTrigger(`HEALTHCHECK ${text}`, 1);
  return instruction.kind === 'HEALTHCHECK' ? healthOf(instruction) : undefined;
}

function testOf(command: Command | undefined): readonly string[] {
  if (command === undefined) return ['NONE'];
  return command.form === 'exec' ? ['CMD', ...command.words] : ['CMD-SHELL', command.line];
}
