import {
  closeSync, constants, existsSync, openSync, readFileSync, statSync, writeFileSync,
} from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import {
  connect,
  launch,
  LaunchError,
  readExitFile,
  shimProgramFd,
  type Launching,
} from '../../native/index.js';
import { UNASKED, type LaunchProgram } from '../../native/launch/opcodes.js';
import type { YieldAnswer } from '../../native/shim/client.js';
import { containerProgram, monitorIn, openStep, shell, slots } from '../support/launch-programs.js';
import { atGate, containerDir, readLog } from '../support/shim-container.js';

test('the exit code of a process is told, filed and stays its own', async (t) => {
  const { dir, launching } = await atGate(t, { argv: shell('exit 42') });
  t.equal((await launching.shim.hello()).started, false, 'nothing runs before the gate');
  await launching.open();
  t.match(await launching.shim.exited, { lost: false, exitCode: 42, signal: 0, oomKilled: false });
  t.match(await readExitFile(join(dir, 'exit')), { exitCode: 42, signal: 0 });
  t.equal(existsSync(join(dir, 'exit.draft')), false);
});

test('a process killed by a signal exits with 128 + its number', async (t) => {
  const { launching } = await atGate(t, { argv: shell('sleep 100') });
  await launching.open();
  t.equal(await launching.shim.signal(9), true);
  t.match(await launching.shim.exited, { exitCode: 137, signal: 9 });
  t.equal(await launching.shim.signal(9), false, 'then there is nobody to signal');
});

test('both streams are in the log, in Docker\'s words', async (t) => {
  const script = 'echo out; echo err >&2; printf "%b" "<&>\\042\\0134\\t\\r\\n"; printf tail';
  const { dir, launching } = await atGate(t, { argv: shell(script) });
  await launching.open();
  await launching.shim.exited;
  const text = readFileSync(join(dir, 'log.json'), 'utf8');
  t.ok(text.includes('{"log":"\\u003c\\u0026\\u003e\\"\\\\\\u0009\\r\\n","stream":"stdout",'));
  const lines = readLog(join(dir, 'log.json'));
  const of = (stream: string): string =>
    lines.filter((line) => line.stream === stream).map((line) => line.log).join('');
  t.equal(of('stdout'), 'out\n<&>"\\\t\r\ntail');
  t.equal(of('stderr'), 'err\n');
  t.ok(lines.every((line) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(line.time)));
});

test('lines longer than 16 KiB are logged in pieces, invalid UTF-8 as U+FFFD', async (t) => {
  const long = 'head -c 40000 /dev/zero | tr "\\0" c; echo';
  const script = `${long}; printf "\\377\\303\\251 \\342\\200\\250\\n"`;
  const { launching, log } = await atGate(t, { argv: shell(script) });
  await launching.open();
  await launching.shim.exited;
  const lines = log();
  t.same(lines.map((line) => line.log.length), [16384, 16384, 7233, 5]);
  t.equal(lines[3]?.log, '\ufffdé \u2028\n');
  t.equal(lines[0]?.time, lines[2]?.time, 'pieces have the time of the first');
});

test('a log is rotated by size, and keeps so many files', async (t) => {
  const dir = containerDir(t);
  const path = join(dir, 'log.json');
  const log = { kind: 'json-file', path, maxSizeBytes: 20_000, maxFiles: 3 } as const;
  const { launching } = await atGate(t, { argv: shell('seq 1 3000') }, { log }, { dir });
  await launching.open();
  await launching.shim.exited;
  const names = ['log.json.2', 'log.json.1', 'log.json'];
  const numbers = names.flatMap((name) => readLog(join(dir, name)).map((line) => Number(line.log)));
  t.equal(existsSync(join(dir, 'log.json.3')), false);
  t.equal(numbers.at(-1), 3000);
  t.ok(numbers.every((number, index) => index === 0 || number === (numbers[index - 1] ?? 0) + 1));
  for (const name of names.slice(0, 2)) {
    const size = statSync(join(dir, name)).size;
    t.ok(size >= 20_000 && size < 20_200, `${name} has ${size} bytes`);
  }
});

test('a command that does not exist, or may not be executed, fails at the gate', async (t) => {
  const beforeExec = [
    openStep(slots.free, '/text', constants.O_CREAT | constants.O_WRONLY, 0o755),
    { op: 'write', fd: slots.free, bytes: Buffer.from('no program') },
    { op: 'close', fd: slots.free },
  ] as const;
  const codeOf = async (paths: readonly string[]): Promise<unknown> => {
    const { dir, launching } = await atGate(t, { argv: ['x'], paths, beforeExec });
    const error: unknown = await launching.open().catch((reason: unknown) => reason);
    t.ok(error instanceof LaunchError && error.strand === 'init' && error.about === 'exec');
    t.equal(existsSync(join(dir, 'shim.sock')), false, 'the shim has gone');
    return error instanceof LaunchError ? error.code : error;
  };
  t.equal(await codeOf(['/nope', '/bin/nope']), 'ENOENT');
  t.equal(await codeOf(['/bin/nope', '/dev', '/nope']), 'EACCES');
  t.equal(await codeOf(['/text']), 'ENOEXEC');
});

test('a step that fails is named, and everything before it is undone', async (t) => {
  const dir = containerDir(t);
  const container = { rootfs: join(dir, 'root'), argv: shell('true') };
  const program = containerProgram(container);
  const failing = {
    ...program,
    init: program.init.map((step) =>
      step.op === 'moveMount' && step.about === 'mount /proc' ? { ...step, to: 200 } : step,
    ),
  };
  await t.rejects(launch({ program: failing, monitor: monitorIn(dir, container) }), {
    name: 'LaunchError',
    strand: 'init',
    code: 'EBADF',
    message: 'mount /proc: EBADF',
  });
  t.equal(existsSync(join(dir, 'shim.sock')), false);
});

test('a yield gives the pid, and its answer is written; a refusal undoes the launch', async (t) => {
  const dir = containerDir(t);
  const container = { rootfs: join(dir, 'root'), argv: shell('exit 5') };
  const program = containerProgram({
    ...container,
    atHostEnd: [
      { op: 'yield', token: 7 },
      { op: 'openChild', out: slots.free, name: 'oom_score_adj', flags: 1 },
      { op: 'writeAnswer', fd: slots.free },
    ],
  });
  const seen: number[][] = [];
  const start = (answer: () => Promise<Uint8Array>): Promise<Launching> =>
    launch({
      program,
      monitor: monitorIn(dir, container),
      onYield: async (token, pid) => {
        seen.push([token, pid]);
        return { bytes: await answer() };
      },
    });
  await t.rejects(start(() => Promise.reject(new Error('no network'))), { message: 'no network' });
  const launching = await start(() => Promise.resolve(Buffer.from('123')));
  t.equal(readFileSync(`/proc/${launching.pid}/oom_score_adj`, 'utf8'), '123\n');
  t.same(seen[1], [7, launching.pid]);
  await launching.abort();
  t.equal(existsSync(`/proc/${launching.pid}`), false);
});

test('a yield may be answered with a descriptor, and one that waits for it fails without', async (t) => {
  const dir = containerDir(t);
  const container = { rootfs: join(dir, 'root'), argv: shell('exit 5') };
  const path = join(dir, 'told');
  const program = containerProgram({
    ...container,
    atHostEnd: [
      { op: 'yieldFd', token: 7, out: slots.free },
      { op: 'write', fd: slots.free, bytes: Buffer.from('to it') },
    ],
  });
  const fd = openSync(path, 'w');
  t.teardown(() => closeSync(fd));
  const start = (answer: YieldAnswer): Promise<Launching> => launch({
    program, monitor: monitorIn(dir, container), onYield: () => Promise.resolve(answer),
  });
  await t.rejects(start({ bytes: Buffer.from('no descriptor') }), { code: 'EBADF' });
  const launching = await start({ fd });
  t.equal(readFileSync(path, 'utf8'), 'to it');
  await launching.abort();
});

test('who has no capability, and may drop none, has its bounding set as it is', async (t) => {
  const none = { op: 'capBounding', keep: 0n } as const;
  const bare = { op: 'capset', effective: 0n, permitted: 0n, inheritable: 0n } as const;
  const { launching } = await atGate(t, {
    argv: shell('exit 6'), beforeExec: [none, bare, none],
  });
  await launching.open();
  t.match(await launching.shim.exited, { exitCode: 6 });
});

test('one that is not asked for is told when it is there, behind however large a launch', async (t) => {
  const dir = containerDir(t);
  const path = join(dir, 'told');
  const fd = openSync(path, 'w');
  t.teardown(() => closeSync(fd));
  const start = (env: string[], unasked: Promise<YieldAnswer>): Promise<Launching> => {
    const container = { rootfs: join(dir, 'root'), argv: shell('exit 5'), env };
    const { host, init } = containerProgram(container);
    const told: LaunchProgram['host'] = [
      { op: 'yieldFd', token: UNASKED + 7, out: slots.free },
      { op: 'write', fd: slots.free, bytes: Buffer.from('to it. ') },
    ];
    return launch({
      program: { init, host: [...told, ...host] }, monitor: monitorIn(dir, container), unasked,
      onYield: () => Promise.reject(new Error('nobody asks')),
    });
  };
  // More than a socket takes before anybody reads.
  const large = Array.from({ length: 8 }, (_, nth) => `V${String(nth)}=${'x'.repeat(100_000)}`);
  for (const env of [[], large]) {
    await (await start(env, Promise.resolve({ fd }))).abort();
    await (await start(env, sleep(100, { fd }))).abort();
  }
  t.equal(readFileSync(path, 'utf8'), 'to it. '.repeat(4));
  const never = Promise.reject<YieldAnswer>(new Error('changed my mind'));
  await t.rejects(start([], never), { message: 'changed my mind' });
});

test('a launch that is aborted leaves no process', async (t) => {
  const dir = containerDir(t);
  const container = { rootfs: join(dir, 'root'), argv: shell('true') };
  const program = containerProgram({ ...container, atHostEnd: [{ op: 'yield', token: 1 }] });
  const stop = new AbortController();
  let pid = 0;
  const launching = launch({
    program,
    monitor: monitorIn(dir, container),
    signal: stop.signal,
    onYield: (_, init) => {
      pid = init;
      stop.abort(new Error('changed my mind'));
      return sleep(60_000, undefined, { ref: false, signal: stop.signal }).catch(() => undefined);
    },
  });
  await t.rejects(launching, { message: 'changed my mind' });
  t.ok(pid > 0);
  t.equal(existsSync(`/proc/${pid}`), false);
});

test('init killed at the gate fails the start', async (t) => {
  for (const blockedMs of [0, 50]) {
    const { launching } = await atGate(t, { argv: shell('true') });
    process.kill(launching.pid, 'SIGKILL');
    // Meanwhile the shim gives up, and `open` is written before its reason is read.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockedMs);
    await t.rejects(launching.open(), { name: 'LaunchError', code: 'ESRCH' }, `${blockedMs} ms`);
  }
});

test('a daemon that comes back finds the shim, its output and its exit', async (t) => {
  const argv = shell('sleep 0.1; seq 1 9; sleep 0.2; exit 6');
  const { dir, launching, log } = await atGate(t, { argv });
  await launching.open();
  launching.shim.disconnect();
  const again = await connect(join(dir, 'shim.sock'));
  t.match(await again.hello(), { version: 1, pid: launching.pid, started: true });
  t.match(await again.exited, { lost: false, exitCode: 6 });
  t.match((await again.hello()).exit, { exitCode: 6 });
  await again.bye();
  t.equal(log().length, 9);
  await t.rejects(connect(join(dir, 'shim.sock')), { code: 'ENOENT' });
});

test('with no daemon, the shim leaves after the exit file is written', async (t) => {
  const { dir, launching } = await atGate(t, { argv: shell('sleep 0.1; exit 8') });
  await launching.open();
  launching.shim.disconnect();
  for (let i = 0; i < 100 && existsSync(join(dir, 'shim.sock')); i++) await sleep(20);
  t.match(await readExitFile(join(dir, 'exit')), { exitCode: 8 });
});

test('a shim killed by force is noticed as lost', async (t) => {
  const { launching } = await atGate(t, { argv: shell('sleep 100') });
  await launching.open();
  const { shimPid } = await launching.shim.hello();
  process.kill(shimPid, 'SIGKILL');
  t.same(await launching.shim.exited, { lost: true });
  process.kill(launching.pid, 'SIGKILL');
});

/** Empty for a process that has gone. */
function statusOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error) return '';
    throw error;
  }
}

test('orphans come to the shim, and it leaves no zombies', async (t) => {
  const script = '(sleep 0.05 &) ; (sleep 0.1 & exec sleep 0.01); sleep 0.3; true';
  const { launching } = await atGate(t, { argv: shell(script), hostPid: true });
  await launching.open();
  const { shimPid } = await launching.shim.hello();
  await sleep(200);
  const children = readFileSync(`/proc/${shimPid}/task/${shimPid}/children`, 'utf8');
  for (const pid of children.trim().split(' ')) {
    t.notMatch(statusOf(pid), /\) Z /);
  }
  t.match(await launching.shim.exited, { exitCode: 0 });
});

test('nonsense on the control socket ends that connection and nothing else', async (t) => {
  const { dir, launching } = await atGate(t, { argv: shell('sleep 100') });
  await launching.open();
  const messages = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.alloc(300, 0xff),
    Buffer.from([0, 0, 0, 0, 99, 0, 1, 0]),
    Buffer.from([4, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0]),
    Buffer.from([0, 0, 0, 0, 34, 0, 1, 0]),
    Buffer.from([0, 0, 0, 0, 35, 0, 1, 0]),
    Buffer.from([1, 0, 0]),
  ];
  for (const message of messages) {
    const socket = createConnection(join(dir, 'shim.sock'));
    socket.on('error', () => undefined);
    socket.end(message);
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
  }
  t.equal((await launching.shim.hello()).started, true);
});

test('a container sees neither our fds nor a writable shim', async (t) => {
  const script = 'ls /proc/self/fd; echo; (echo x >/proc/1/exe) 2>/dev/null && echo WRITTEN; true';
  const fd = shimProgramFd();
  t.throws(() => writeFileSync(`/proc/self/fd/${fd}`, 'x'), { code: /EPERM|EACCES|ETXTBSY|EROFS/ });
  const { launching, log } = await atGate(t, { argv: shell(script) });
  await launching.open();
  await launching.shim.exited;
  // The fourth is the folder that ls reads.
  t.same(log().map((line) => line.log), ['0\n', '1\n', '2\n', '3\n', '\n']);
});

test('--init: the sealed shim reaps and forwards as PID 1', async (t) => {
  const dir = containerDir(t);
  const script = 'trap "echo got; exit 3" TERM; echo $$; sleep 9 & wait';
  const container = {
    rootfs: join(dir, 'root'),
    argv: ['unused'],
    beforeExec: [
      {
        op: 'execveat',
        fd: slots.free,
        argv: ['/sbin/docker-init', '--', ...shell(script)],
        env: ['PATH=/bin'],
      },
    ],
  } as const;
  const launching = await launch({
    program: containerProgram(container),
    monitor: monitorIn(dir, container),
    passFds: new Map([[slots.free, shimProgramFd()]]),
  });
  t.teardown(() => launching.shim.disconnect());
  await launching.open();
  for (let i = 0; i < 100 && readLog(join(dir, 'log.json')).length === 0; i++) await sleep(10);
  t.not(readLog(join(dir, 'log.json'))[0]?.log, '1\n', 'the command is not PID 1');
  await launching.shim.signal(15);
  t.match(await launching.shim.exited, { exitCode: 3 });
  t.equal(readLog(join(dir, 'log.json')).at(-1)?.log, 'got\n');
  await launching.shim.bye();
});
