import type { Duplex } from 'node:stream';
import { ApiError, conflict } from '../../api-spec/errors.js';
import { ErrnoError } from '../../native/errno-error.js';
import type { ExecRequest, ExecTask } from '../runtime/exec-task.js';
import type { AttachOptions, Task } from '../runtime/task.js';
import type { AttachConversation, ClientLine } from './attach.js';
import type { Container } from './container.js';
import { containerEvent } from './context.js';
import type { Context } from './context.js';
import { parseDetachKeys } from './detach-keys.js';
import type { Exec } from './exec-book.js';
import { tellExec } from './exec-events.js';
import { exchange } from './exchange.js';
import { frame } from './stdcopy.js';

/** Exit code of what could not be started, as Docker has it for every reason. */
const NOT_STARTED = 126;

/** What a start says. */
export interface StartOptions {
  readonly detached: boolean;
  /** Whether the client reads a terminal's bytes: then they come without frames. */
  readonly raw: boolean;
  /** `[rows, columns]`. */
  readonly size?: readonly [number, number];
  /** The connection of who reads it, if it may be given away. */
  readonly line?: ClientLine;
}

/**
 * Starts it, and resolves to its client's stream, unless the line has been given or there is none.
 * `ApiError` 409 when it has been started before, 400 when it cannot be.
 */
export async function startExec(
  context: Context,
  container: Container,
  exec: Exec,
  options: StartOptions,
): Promise<Duplex | undefined> {
  const { task } = container;
  refuseSecondStart(exec);
  if (task === undefined) throw conflict(`container ${container.id} is not running`);
  exec.become({ status: 'starting' });
  try {
    tellExec(context, container, exec.record, 'exec_start');
    const request = requestOf(context, container, { exec, task, options });
    const live = await context.runtime.exec(request);
    if (request.client !== undefined && live.stream === undefined) options.line?.give();
    exec.become({ status: 'running', task: live.task });
    followExec(context, container, exec, live.task);
    return live.stream;
  } catch (error) {
    exec.become({ status: 'ended', pid: 0, exitCode: NOT_STARTED });
    context.execs.dropLater(exec);
    throw error;
  }
}

/** Whoever has been told of a new exec starts it next, as a rule, and attached as it was made. */
export function expectStart(context: Context, container: Container, exec: Exec): void {
  const { task } = container;
  if (task === undefined || exec.state.status !== 'created') return;
  const options = { detached: false, raw: exec.record.tty };
  context.runtime.expectExec(requestOf(context, container, { exec, task, options }));
}

function requestOf(
  { rootfs }: Context,
  { record: container }: Container,
  { exec, task, options }: {
    readonly exec: Exec;
    readonly task: Task;
    readonly options: StartOptions;
  },
): ExecRequest {
  const { size, detached, line } = options;
  const attach = detached ? undefined : attachmentOf(exec, options);
  // Of one who sends, what has come already would be lost.
  const givesLine = line !== undefined && attach?.stdin === false;
  return {
    exec: {
      ...exec.record,
      stdin: exec.record.stdin && !detached,
      ...(size === undefined ? {} : { consoleSize: size }),
    },
    container,
    task,
    rootfs: () => rootfs.mount(container),
    ...(attach === undefined ? {} : { attach }),
    ...(givesLine ? { client: () => line.fd } : {}),
  };
}

function refuseSecondStart({ record, state }: Exec): void {
  if (state.status === 'created') return;
  const said = state.status === 'ended' ? 'has already run' : 'is already running';
  throw conflict(`Error: Exec command ${record.id} ${said}`);
}

/** What the client takes part in; undefined when that is nothing. */
function attachmentOf({ record }: Exec, { raw }: StartOptions): AttachOptions | undefined {
  const { stdin, stdout, stderr, tty, detachKeys } = record;
  if (!stdin && !stdout && !stderr) return undefined;
  const hasKeys = tty || detachKeys !== undefined;
  return {
    stdin,
    // A terminal has one output, whichever was asked for.
    stdout: stdout || (tty && stderr),
    stderr,
    framed: !raw,
    detachKeys: hasKeys ? parseDetachKeys(detachKeys) : new Uint8Array(),
  };
}

/** Sees to it that the end of an exec is recorded, told and cleaned up after. */
export function followExec(
  context: Context,
  container: Container,
  exec: Exec,
  task: ExecTask,
): void {
  const follow = async (): Promise<void> => {
    const { exitCode } = await task.exited;
    exec.become({ status: 'ended', pid: task.pid, exitCode });
    context.execs.dropLater(exec);
    const attributes = { execID: exec.record.id, exitCode: String(exitCode) };
    context.events.soon(containerEvent(container.record, 'exec_die', attributes));
    // Who waits for its output goes first; cleaning up can wait.
    await exec.heard();
    await task.dispose();
  };
  follow().catch((error: unknown) => {
    context.log.error(
      { id: container.id, exec: exec.record.id, err: error },
      'an exec did not end well',
    );
  });
}

/** Runs an exec for one client; from here on what goes wrong is said in the stream. */
export function conversationOf(
  context: Context,
  container: Container,
  exec: Exec,
  options: Omit<StartOptions, 'detached'>,
): AttachConversation {
  return {
    tty: options.raw,
    speaksSoon: true,
    // Nothing has been started: it may be, by somebody else.
    abandon: () => undefined,
    run: async (client, signal, line) => {
      let stream: Duplex | undefined;
      try {
        stream = await startExec(context, container, exec, {
          detached: false, ...options, ...(line === undefined ? {} : { line }),
        });
      } catch (error) {
        if (!(error instanceof ApiError)) {
          context.log.error({ id: container.id, exec: exec.record.id, err: error }, 'exec failed');
        }
        say(client, error instanceof Error ? error.message : String(error), options);
        return;
      }
      await exec.talk(converse(context, container, { exec, stream, client, signal }));
    },
  };
}

interface Talk {
  readonly exec: Exec;
  readonly stream: Duplex | undefined;
  readonly client: Duplex;
  readonly signal: AbortSignal;
}

/** The exit code is recorded before the client sees the end: it asks for it at once. */
async function converse(
  context: Context,
  container: Container,
  { exec, stream, client, signal }: Talk,
): Promise<void> {
  const { stdin } = exec.record;
  if (stream === undefined) client.resume();
  else await exchange(stream, client, { stdin, signal });
  if (signal.aborted) return;
  // Only keys on its input end the output of one that lives.
  if (stream !== undefined && stdin && (await isAlive(exec))) {
    tellExec(context, container, exec.record, 'exec_detach');
    return;
  }
  await exec.ended(signal);
}

async function isAlive({ state }: Exec): Promise<boolean> {
  if (state.status !== 'running') return false;
  try {
    return await state.task.signal(0);
  } catch (error) {
    if (error instanceof ErrnoError && error.code === 'EPIPE') return false;
    throw error;
  }
}

function say(client: Duplex, message: string, { raw }: { readonly raw: boolean }): void {
  const text = Buffer.from(`${message}\r\n`);
  client.write(raw ? text : Buffer.concat([frame('stdout', text.length), text]));
}
