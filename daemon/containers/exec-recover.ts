import type { Container } from './container.js';
import type { Context } from './context.js';
import { Exec } from './exec-book.js';
import { followExec } from './exec-start.js';

const sigkill = 9;

/**
 * Takes the execs of live containers up again; those that have ended meanwhile end now, and probes,
 * whose time nobody has watched.
 */
export async function recoverExecs(context: Context, kept: readonly Container[]): Promise<void> {
  const live = new Map(
    kept.filter(({ task }) => task !== undefined).map((container) => [container.id, container]),
  );
  for (const { exec: record, task } of await context.runtime.recoverExecs(new Set(live.keys()))) {
    const container = live.get(record.containerId);
    if (container === undefined) continue;
    const exec = new Exec(record);
    exec.become({ status: 'running', task });
    context.execs.add(exec, container);
    followExec(context, container, exec, task);
    if (record.isProbe === true) await task.signal(sigkill);
  }
}
