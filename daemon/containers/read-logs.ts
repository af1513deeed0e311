import { invalidParameter } from '../../api-spec/errors.js';
import type { Container } from './container.js';
import type { Context } from './context.js';
import type { LogPiece, LogQuery } from './needs.js';
import { isLive } from './state.js';

/** The log of a container; a follower ends once the container has and all is read. */
export function readLogs(
  { logs }: Context,
  container: Container,
  query: LogQuery,
): AsyncIterable<readonly LogPiece[]> {
  if (!query.stdout && !query.stderr) {
    throw invalidParameter('Bad parameters: you must choose at least one stream');
  }
  return logs.read(container.record, query, endOf(container));
}

function endOf(container: Container): Promise<void> {
  if (!isLive(container.record.state)) return Promise.resolve();
  return new Promise((resolve) => container.onExit(() => resolve()));
}
