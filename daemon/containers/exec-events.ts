import type { ExecRecord } from '../runtime/exec-task.js';
import type { Container } from './container.js';
import { containerEvent } from './context.js';
import type { ContainerEvent } from './needs.js';

/** `exec_create: sh -c ls` and its like, with the exec's id. */
export function execEvent(
  { record }: Container,
  { command, id }: ExecRecord,
  action: 'exec_create' | 'exec_start' | 'exec_detach',
): ContainerEvent {
  const [program = '', ...args] = command;
  const attributes = { execID: id };
  if (action === 'exec_detach') return containerEvent(record, action, attributes);
  return containerEvent(record, `${action}: ${program} ${args.join(' ')}`, attributes);
}
