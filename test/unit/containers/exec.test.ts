/** Execs without a kernel: their life, their words, their end. */
import { PassThrough } from 'node:stream';
import type { Test } from 'tap';
import { test } from 'tap';
import { invalidParameter } from '../../../api-spec/errors.js';
import type { ExecRequest, ExecTask, LiveExec } from '../../../daemon/runtime/exec-task.js';
import type { TaskExit } from '../../../daemon/runtime/task.js';
import { setUp } from './fakes.js';

/** A played process: it writes `output` and ends when it is told to. */
function played(output = ''): {
  readonly task: ExecTask;
  readonly exec: (request: ExecRequest) => Promise<LiveExec>;
  readonly end: (exitCode: number) => void;
  readonly calls: string[];
} {
  const calls: string[] = [];
  const stream = new PassThrough();
  let settle: (exit: TaskExit) => void = () => undefined;
  const exited = new Promise<TaskExit>((resolve) => {
    settle = resolve;
  });
  const task: ExecTask = {
    pid: 99,
    exited,
    signal: async () => !calls.includes('end'),
    resize: async (rows, columns) => void calls.push(`resize ${rows}x${columns}`),
    dispose: async () => void calls.push('dispose'),
  };
  const end = (exitCode: number): void => {
    calls.push('end');
    stream.end();
    // Later than the end of the output, as it may be with two connections.
    setTimeout(() => settle({ exitCode, oomKilled: false, finishedAtMs: Date.now() }), 20);
  };
  const exec = async ({ attach }: ExecRequest): Promise<LiveExec> => {
    if (attach === undefined) return { task };
    calls.push(`attach ${attach.framed ? 'framed' : 'raw'}`);
    stream.write(output);
    return { task, stream };
  };
  return { task, exec, end, calls };
}

async function running(t: Test) {
  const world = setUp(t);
  const { Id: id } = await world.containers.create({
    name: 'box', body: { Image: 'web' }, apiMinor: 51,
  });
  await world.containers.start(id);
  return { ...world, id };
}

const all = { AttachStdout: true, AttachStderr: true };

test('the exit code is known when the client sees the end', async (t) => {
  const { containers, world, actions } = await running(t);
  const { exec, end, calls } = played('hi');
  world.exec = exec;
  const { Id } = await containers.execCreate('box', { Cmd: ['echo', 'hi'], ...all });
  const conversation = await containers.execStart(Id, { Detach: false });
  const client = new PassThrough();
  const over = conversation?.run(client, new AbortController().signal);
  setTimeout(() => end(3), 10);
  await over;
  t.match(await containers.execInspect(Id), { Running: false, ExitCode: 3, Pid: 99 });
  t.same(calls.slice(0, 2), ['attach framed', 'end']);
  const told = (await actions()).filter((action) => action.startsWith('exec'));
  t.same(told, ['exec_create: echo hi', 'exec_start: echo hi', 'exec_die']);
});

test('what cannot be started says so in the stream, with code 126', async (t) => {
  const { containers, world } = await running(t);
  world.exec = () => Promise.reject(invalidParameter('OCI runtime exec failed: no'));
  const { Id } = await containers.execCreate('box', { Cmd: ['no'], ...all });
  const client = new PassThrough();
  const conversation = await containers.execStart(Id, { Tty: true });
  await conversation?.run(client, new AbortController().signal);
  t.equal(String(client.read()), 'OCI runtime exec failed: no\r\n');
  t.match(await containers.execInspect(Id), { Running: false, ExitCode: 126, Pid: 0 });
});

test('a second start is refused, in words or with a status', async (t) => {
  const { containers, world } = await running(t);
  const { task, exec, end } = played();
  world.exec = exec;
  const { Id } = await containers.execCreate('box', { Cmd: ['sleep'], ...all });
  t.equal(await containers.execStart(Id, { Detach: true }), undefined);
  const runs = `Error: Exec command ${Id} is already running`;
  await t.rejects(containers.execStart(Id, { Detach: true }), { kind: 'Conflict', message: runs });
  const client = new PassThrough();
  await (await containers.execStart(Id, { Tty: true }))?.run(client, new AbortController().signal);
  t.equal(String(client.read()), `${runs}\r\n`);
  end(0);
  await task.exited;
  const hasRun = { message: `Error: Exec command ${Id} has already run` };
  await t.rejects(containers.execStart(Id, { Detach: true }), hasRun);
});

test('a resize waits for the start', async (t) => {
  const { containers, world } = await running(t);
  const { exec, calls } = played();
  world.exec = exec;
  const { Id } = await containers.execCreate('box', { Cmd: ['sh'], Tty: true, ...all });
  const resized = containers.execResize(Id, { rows: 5, columns: 6 });
  await containers.execStart(Id, { Detach: true });
  await resized;
  t.same(calls, ['resize 5x6']);
});

test('what was never started is forgotten with the container\'s process', async (t) => {
  const { containers, world, id } = await running(t);
  const { Id } = await containers.execCreate('box', { Cmd: ['true'] });
  t.same((await containers.inspect(id, { size: false })).ExecIDs, [Id]);
  world.task.end(0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal((await containers.inspect(id, { size: false })).ExecIDs, null);
  await t.rejects(containers.execInspect(Id), { message: `No such exec instance: ${Id}` });
});

test('a client that detaches leaves it running', async (t) => {
  const { containers, world } = await running(t);
  const { task } = played();
  const gone = new PassThrough();
  world.exec = async () => ({ task, stream: gone });
  const body = { Cmd: ['sh'], Tty: true, AttachStdin: true, ...all };
  const { Id } = await containers.execCreate('box', body);
  const conversation = await containers.execStart(Id, { Tty: true });
  setTimeout(() => gone.end(), 10);
  await conversation?.run(new PassThrough(), new AbortController().signal);
  t.match(await containers.execInspect(Id), { Running: true, ExitCode: null, Pid: 99 });
});
