import { conflict, invalidParameter, notFound, systemError } from '../../api-spec/errors.js';
import type {
  ExecCreateBody,
  ExecInspectResponse,
  ExecStartBody,
  IDResponse,
} from '../../api-spec/index.js';
import type { ExecRecord } from '../runtime/exec-task.js';
import { randomId } from '../random-id.js';
import type { AttachConversation } from './attach.js';
import type { Container } from './container.js';
import type { Context } from './context.js';
import { parseDetachKeys } from './detach-keys.js';
import { Exec } from './exec-book.js';
import { tellExec } from './exec-events.js';
import { conversationOf, expectStart, startExec } from './exec-start.js';

/** How long a resize waits for its exec to be started, as Docker does. */
const MAX_RESIZE_WAIT_MS = 10_000;

/** Notes a command to be run in a live container; `ApiError` 409 for one that is not. */
export async function createExec(
  context: Context,
  ref: string,
  body: ExecCreateBody,
): Promise<IDResponse> {
  const container = context.book.resolve(ref);
  await container.settle();
  refuseUnlessRunning(container, ref);
  const exec = new Exec(recordOf(container.id, body));
  context.execs.add(exec, container);
  expectStart(context, container, exec);
  tellExec(context, container, exec.record, 'exec_create');
  return { Id: exec.record.id };
}

/** Notes a probe of health: Docker's events tell of it as of any exec. */
export async function createProbe(
  context: Context,
  container: Container,
  command: readonly string[],
): Promise<Exec> {
  await container.settle();
  refuseUnlessRunning(container, container.id);
  const body = { Cmd: command, AttachStdout: true, AttachStderr: true };
  const exec = new Exec({ ...recordOf(container.id, body), isProbe: true });
  context.execs.add(exec, container);
  tellExec(context, container, exec.record, 'exec_create');
  return exec;
}

function refuseUnlessRunning({ id, record, task }: Container, ref: string): void {
  const { status } = record.state;
  if (status === 'paused') {
    throw conflict(`Container ${ref} is paused, unpause the container before exec`);
  }
  if (status === 'restarting') {
    throw conflict(`Container ${ref} is restarting, wait until the container is running`);
  }
  if (status !== 'running' || task === undefined) {
    throw conflict(`container ${id} is not running`);
  }
}

function recordOf(containerId: string, body: ExecCreateBody): ExecRecord {
  const command = body.Cmd ?? [];
  if (command.length === 0) throw invalidParameter('No exec command specified');
  const hasNul = [...command, ...(body.Env ?? [])].some((text) => text.includes('\0'));
  if (hasNul) throw invalidParameter('a command or variable contains a NUL byte');
  const nameless = (body.Env ?? []).find((entry) => entry.startsWith('='));
  if (nameless !== undefined) throw invalidParameter(`invalid environment variable: ${nameless}`);
  const keys = body.DetachKeys ?? '';
  if (keys !== '') parseDetachKeys(keys, 'escape');
  const size = sizeOf(body.ConsoleSize);
  return {
    id: randomId(),
    containerId,
    command,
    user: body.User ?? '',
    env: body.Env ?? [],
    workingDir: body.WorkingDir ?? '',
    tty: body.Tty ?? false,
    privileged: body.Privileged ?? false,
    stdin: body.AttachStdin ?? false,
    stdout: body.AttachStdout ?? false,
    stderr: body.AttachStderr ?? false,
    ...(keys === '' ? {} : { detachKeys: keys }),
    ...(size === undefined ? {} : { consoleSize: size }),
  };
}

function keysOf({ detachKeys }: ExecRecord): string {
  return detachKeys === undefined
    ? '' : Buffer.from(parseDetachKeys(detachKeys)).toString('base64');
}

function sizeOf(given: readonly number[] | undefined): readonly [number, number] | undefined {
  const [rows = 0, columns = 0] = given ?? [];
  const isSize = [rows, columns].every(
    (each) => Number.isInteger(each) && each > 0 && each < 65_536,
  );
  return isSize ? [rows, columns] : undefined;
}

/**
 * Detached: started when it resolves, to nothing. Else the conversation starts it, and what goes
 * wrong from there on is text in it, a second start included (compose's watch relies on that).
 */
export async function startExecById(
  context: Context,
  id: string,
  body: ExecStartBody,
): Promise<AttachConversation | undefined> {
  const exec = context.execs.resolve(id);
  const container = context.book.resolve(exec.record.containerId);
  refuseUnlessRunning(container, container.id);
  const size = sizeOf(body.ConsoleSize);
  const how = { raw: body.Tty ?? false, ...(size === undefined ? {} : { size }) };
  if (body.Detach !== true) return conversationOf(context, container, exec, how);
  await startExec(context, container, exec, { detached: true, ...how });
  return undefined;
}

/** `ExitCode` is null until it has ended, and is there before its output ends. */
export function inspectExec({ execs, book }: Context, id: string): ExecInspectResponse {
  const { record, state } = execs.resolve(id);
  book.resolve(record.containerId);
  const [entrypoint = '', ...args] = record.command;
  return {
    ID: record.id,
    Running: state.status === 'running',
    ExitCode: state.status === 'ended' ? state.exitCode : null,
    ProcessConfig: {
      tty: record.tty,
      entrypoint,
      arguments: args,
      privileged: record.privileged,
      ...(record.user === '' ? {} : { user: record.user }),
    },
    OpenStdin: record.stdin,
    OpenStderr: record.stderr,
    OpenStdout: record.stdout,
    CanRemove: false,
    ContainerID: record.containerId,
    // Bytes, as Go writes them in JSON.
    DetachKeys: keysOf(record),
    Pid: pidOf(state),
  };
}

function pidOf(state: Exec['state']): number {
  if (state.status === 'running') return state.task.pid;
  return state.status === 'ended' ? state.pid : 0;
}

/** Waits until it is started. Without a terminal there is nothing to do, as in Docker. */
export async function resizeExec(
  { execs }: Context,
  id: string,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): Promise<void> {
  const exec = execs.resolve(id);
  const hasStarted = ({ status }: Exec['state']): boolean =>
    status === 'running' || status === 'ended';
  if (!(await exec.reaches(hasStarted, MAX_RESIZE_WAIT_MS))) {
    throw systemError('timeout waiting for exec session ready');
  }
  const { state } = exec;
  if (state.status !== 'running') throw notFound(`process does not exist ${id}: not found`);
  // The kernel has 16 bits for each; Docker drops the others without a word.
  if (exec.record.tty) await state.task.resize(rows & 0xffff, columns & 0xffff);
}
