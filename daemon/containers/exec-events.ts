import type { ExecRecord } from '../runtime/exec-task.js';
import type { Container } from './container.js';
import { containerEvent, tell } from './context.js';
import type { Context } from './context.js';
import type { ContainerEvent } from './needs.js';

type Action = 'exec_create' | 'exec_start' | 'exec_detach';

/**
 * Tells of it once whoever asked has been answered, and lets nobody wait for that: an exec is
 * no record that must last. What is told in a row stays in order.
 */
export function tellExec(
  context: Context,
  container: Container,
  exec: ExecRecord,
  action: Action,
): void {
  setImmediate(() => {
    tell(context, execEvent(container, exec, action)).catch((error: unknown) => {
      context.log.error({ id: container.id, exec: exec.id, err: error }, `${action} was not told`);
    });
  });
}

/** `exec_create: sh -c ls` and its like, with the exec's id. */
function execEvent(
  { record }: Container,
  { command, id }: ExecRecord,
  action: Action,
): ContainerEvent {
  const [program = '', ...args] = command;
  const attributes = { execID: id };
  if (action === 'exec_detach') return containerEvent(record, action, attributes);
  return containerEvent(record, `${action}: ${program} ${args.join(' ')}`, attributes);
}
