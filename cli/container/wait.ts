import type { ContainerWaitResponse } from '../../api-spec/container-verbs.js';
import type { Engine } from '../engine/engine.js';
import { jsonLines } from '../engine/lines.js';
import { CommandError } from '../errors.js';

/** What `wait` waits for. */
export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/**
 * Registers a wait; the promise is settled once the engine has it, so that a start after that
 * cannot be missed. The answer waits for the exit code.
 */
export async function beginWait(
  engine: Engine,
  id: string,
  condition: WaitCondition,
): Promise<() => Promise<number>> {
  const answer = await engine.open('POST', `/containers/${id}/wait`, { query: { condition } });
  return async () => {
    for await (const result of jsonLines<ContainerWaitResponse>(answer)) {
      const reason = result.Error?.Message ?? '';
      if (reason !== '') throw new CommandError(`Error waiting for container: ${reason}`, 125);
      return result.StatusCode;
    }
    throw new CommandError('the engine went away while the container ran', 125);
  };
}
