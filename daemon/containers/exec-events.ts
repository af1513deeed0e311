import type { ExecRecord } from '../runtime/exec-task.js';
import type { Container } from './container.js';
import { containerEvent } from './context.js';
import type { Context } from './context.js';

type Action = 'exec_create' | 'exec_start' | 'exec_detach';

/** `exec_create: sh -c ls` and its like, with the exec's id; nobody waits for it to be told. */
export function tellExec(
  { events }: Context,
  { record }: Container,
  { command, id }: ExecRecord,
  action: Action,
): void {
  const [program = '', ...args] = command;
  const said = action === 'exec_detach' ? action : `${action}: ${program} ${args.join(' ')}`;
  events.soon(containerEvent(record, said, { execID: id }));
}
