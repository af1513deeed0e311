import { invalidParameter } from '../../api-spec/errors.js';
import type { Container } from './container.js';
import type { Context } from './context.js';
import type { LogQuery, LogReading } from './needs.js';
import { isLive } from './state.js';

/**
 * The log of a container, as bytes: in frames, unless it has a terminal or its reader says
 * otherwise. A follower ends once the container has and all is read.
 */
export function readLogs(
  { logs }: Context,
  container: Container,
  query: LogQuery & Partial<Pick<LogReading, 'framing' | 'stopAt'>>,
): AsyncIterable<Uint8Array> {
  if (!query.stdout && !query.stderr) {
    throw invalidParameter('Bad parameters: you must choose at least one stream');
  }
  const framing = container.record.config.Tty === true ? 'raw' : 'stdcopy';
  const { record, task } = container;
  const writer = task === undefined ? {} : { task };
  return logs.read(record, { framing, ...query, ...writer, ended: endOf(container) });
}

function endOf(container: Container): Promise<void> {
  if (!isLive(container.record.state)) return Promise.resolve();
  return new Promise((resolve) => container.onExit(() => resolve()));
}
