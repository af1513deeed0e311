import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type Test } from 'tap';
import { connect, CWD, launch, readExitFile, type LaunchProgram } from '../../native/index.js';
import {
  containerProgram,
  monitorIn,
  openStep,
  shell,
  slots,
  targetStep,
} from '../support/launch-programs.js';
import { connectIfThere } from '../../native/shim/client.js';
import { isAlive } from '../support/alive.js';
import { atGate, containerDir, readAll, readLog } from '../support/shim-container.js';

const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/** A process that launches a container in `dir` and stays; what it prints first: shim and init. */
async function launcher(
  t: Test,
  dir: string,
  script: string,
  opens: boolean,
): Promise<{ readonly kill: () => Promise<void>; readonly shim: number; readonly init: number }> {
  const program = `
    import { launch } from ${url('../../native/index.js')};
    import { containerProgram, monitorIn, shell } from ${url('../support/launch-programs.js')};
    const rootfs = ${JSON.stringify(join(dir, 'root'))};
    const container = { rootfs, argv: shell(${JSON.stringify(script)}) };
    const launching = await launch({ program: containerProgram(container),
      monitor: monitorIn(${JSON.stringify(dir)}, container) });
    if (${opens}) await launching.open();
    console.log(JSON.stringify(await launching.shim.hello()));
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
  t.teardown(() => child.kill('SIGKILL'));
  const line = await new Promise<Buffer>((resolve) => child.stdout.once('data', resolve));
  const { shimPid, pid } = JSON.parse(line.toString()) as { shimPid: number; pid: number };
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
  };
  return { kill, shim: shimPid, init: pid };
}

async function until(condition: () => boolean): Promise<boolean> {
  for (let i = 0; i < 250 && !condition(); i++) await sleep(20);
  return condition();
}

test('a daemon killed before the gate takes the launch with it', async (t) => {
  const dir = containerDir(t);
  const { kill, shim, init } = await launcher(t, dir, 'true', false);
  await kill();
  t.ok(await until(() => !isAlive(shim) && !isAlive(init)));
  t.equal(existsSync(join(dir, 'shim.sock')), false);
  t.equal(existsSync(join(dir, 'exit')), false);
});

test('a daemon killed while a container runs is not missed', async (t) => {
  const dir = containerDir(t);
  const { kill, init } = await launcher(t, dir, 'seq 1 1000; sleep 0.5; seq 1 30000; exit 9', true);
  await kill();
  const shim = await connect(join(dir, 'shim.sock'));
  t.match(await shim.hello(), { pid: init, started: true });
  t.match(await shim.exited, { exitCode: 9 });
  t.equal(readLog(join(dir, 'log.json')).length, 31_000);
  t.match(await readExitFile(join(dir, 'exit')), { exitCode: 9 });
  await shim.bye();
});

test('a full disk costs log lines, counted, and nothing else', async (t) => {
  const log = { kind: 'json-file', path: '/dev/full', maxSizeBytes: 0, maxFiles: 1 } as const;
  const { launching } = await atGate(t, { argv: shell('seq 1 10000; exit 2') }, { log });
  await launching.open();
  const exited = await launching.shim.exited;
  t.match(exited, { exitCode: 2 });
  t.ok(!exited.lost && exited.logBytesLost > 10_000 * 60);
});

test('a process that holds the output after the end delays the exit only so long', async (t) => {
  const argv = shell('sleep 3 & echo main');
  const { launching, log } = await atGate(t, { argv, hostPid: true }, { drainMs: 300 });
  await launching.open();
  const startedMs = performance.now();
  t.match(await launching.shim.exited, { exitCode: 0 });
  const tookMs = performance.now() - startedMs;
  t.ok(tookMs > 250 && tookMs < 2500, `${tookMs} ms`);
  t.equal(log()[0]?.log, 'main\n');
});

const pidsRoot = '/sys/fs/cgroup/pids';
const noV1 = existsSync(`${pidsRoot}/tasks`) ? false : 'no cgroup v1 here';

test('what is left in the cgroup dies with the process', { skip: noV1 }, async (t) => {
  const dir = containerDir(t);
  const cgroup = join(pidsRoot, basename(dir));
  mkdirSync(cgroup);
  t.teardown(async () => {
    await until(() => readFileSync(join(cgroup, 'cgroup.procs'), 'utf8') === '');
    rmdirSync(cgroup);
  });
  const container = { rootfs: join(dir, 'root'), argv: shell('sleep 30 & exit 7'), hostPid: true };
  const program = containerProgram(container);
  const joinCgroup = [
    openStep(slots.free, join(cgroup, 'tasks'), 1),
    { op: 'write', fd: slots.free, bytes: Buffer.from('0') },
  ] as const;
  const launching = await launch({
    program: { ...program, init: [...joinCgroup, ...program.init] },
    monitor: monitorIn(dir, container, {
      killAtExit: [join(cgroup, 'cgroup.procs')],
      drainMs: 10_000,
    }),
  });
  await launching.open();
  const startedMs = performance.now();
  t.match(await launching.shim.exited, { exitCode: 7 });
  t.ok(performance.now() - startedMs < 5000, 'EOF came with the kill');
  await launching.shim.bye();
});

test('what a client wrote before it left reaches a process that reads late', async (t) => {
  const argv = shell('sleep 0.3; wc -c');
  const { launching, log } = await atGate(t, { argv, stdin: true });
  const socket = await launching.shim.attach({
    stdin: true,
    stdout: false,
    stderr: false,
    framed: true,
    detachKeys: new Uint8Array(0),
  });
  await launching.open();
  await new Promise((resolve) => socket.write(Buffer.alloc(250_000, 'x'), resolve));
  socket.destroy();
  t.match(await launching.shim.exited, { exitCode: 0 });
  t.equal(log()[0]?.log, '250000\n');
});

test('a user namespace gets its maps from the host strand', async (t) => {
  const dir = containerDir(t);
  const argv = shell('id -u; umask; cat /proc/self/uid_map');
  const map = (name: string, text: string) =>
    [
      { op: 'openChild', out: slots.free, name, flags: 1 },
      { op: 'write', fd: slots.free, bytes: Buffer.from(text), about: name },
    ] as const;
  const program: LaunchProgram = {
    host: [
      { op: 'pipe', read: slots.stdoutRead, write: slots.stdoutWrite },
      { op: 'pipe', read: slots.stderrRead, write: slots.stderrWrite },
      { op: 'clone', flags: 0x10000000 | 0x20000000, cgroup: CWD },
      ...map('uid_map', '0 100000 65536\n'),
      ...map('gid_map', '0 100000 65536\n'),
      { op: 'notify', token: 1 },
    ],
    init: [
      { op: 'await', token: 1 },
      { op: 'setresgid', gid: 0 },
      { op: 'setresuid', uid: 0 },
      { op: 'dup2', fd: slots.stdoutWrite, to: 1 },
      { op: 'execve', paths: ['/bin/busybox'], argv, env: [] },
    ],
  };
  const launching = await launch({ program, monitor: monitorIn(dir, {}) });
  t.match(readFileSync(`/proc/${launching.pid}/status`, 'utf8'), /^Uid:\t100000\t/m);
  await launching.open();
  t.match(await launching.shim.exited, { exitCode: 0 });
  const text = readLog(join(dir, 'log.json')).map((line) => line.log).join('');
  t.match(text, /^0\n0022\n\s+0\s+100000\s+65536\n$/);
  await launching.shim.bye();
});

test('a shim that goes while it is asked has gone, whatever that looks like', async (t) => {
  const dir = containerDir(t);
  const path = join(dir, 'leaving.sock');
  const goes: readonly ((socket: Socket) => void)[] = [
    (socket) => socket.destroy(),
    (socket) => void sleep(50).then(() => socket.destroy()),
  ];
  for (const go of goes) {
    // What it was asked is not read: its end is a reset.
    const server = createServer({ pauseOnConnect: true }, go);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    t.equal(await connectIfThere(path), undefined);
    await new Promise((resolve) => server.close(resolve));
  }
  t.equal(await connectIfThere(path), undefined);
});

test('a megabyte of environment arrives', async (t) => {
  const large = 'x'.repeat(100_000);
  const env = ['PATH=/bin', ...Array.from({ length: 10 }, (_, i) => `V${i}=${large}`)];
  const { launching, log } = await atGate(t, { argv: shell('echo ${#V9}'), env });
  await launching.open();
  await launching.shim.exited;
  t.equal(log()[0]?.log, '100000\n');
});

test('a name left by a dead shim is taken over, a living one is not', async (t) => {
  const dir = containerDir(t);
  const container = { rootfs: join(dir, 'root'), argv: shell('sleep 9') };
  const request = { program: containerProgram(container), monitor: monitorIn(dir, container) };
  const first = await launch(request);
  await t.rejects(launch(request), { strand: 'shim', code: 'EADDRINUSE', about: 'socket' });
  const { shimPid } = await first.shim.hello();
  process.kill(shimPid, 'SIGKILL');
  t.same(await first.shim.exited, { lost: true });
  t.ok(await until(() => !isAlive(first.pid)), 'init does not outlive its shim at the gate');
  const second = await launch(request);
  await second.abort();
});

test('a symbolic link in the root does not lead a mount target out of it', async (t) => {
  const dir = containerDir(t);
  const argv = shell('ls -d /canary/made; readlink /dev2');
  const container = { rootfs: join(dir, 'root'), argv };
  const program = containerProgram(container);
  const pivot = program.init.findIndex((step) => step.op === 'fchdir');
  const trap = [
    { op: 'symlinkat', target: '/canary', dir: slots.rootfs, path: 'dev2' },
    targetStep('/dev2/made', 'folder'),
    { op: 'symlinkat', target: '../../../../etc', dir: slots.rootfs, path: 'up' },
    targetStep('up/../made/../file', 'file'),
  ] as const;
  const init = [...program.init.slice(0, pivot), ...trap, ...program.init.slice(pivot)];
  const monitor = monitorIn(dir, container);
  const launching = await launch({ program: { ...program, init }, monitor });
  await launching.open();
  t.match(await launching.shim.exited, { exitCode: 0 });
  const text = readLog(join(dir, 'log.json')).map((line) => line.log).join('');
  t.equal(text, '/canary/made\n/canary\n');
  t.equal(existsSync('/canary'), false);
  await launching.shim.bye();
  writeFileSync(join(dir, 'root', 'ours'), 'the root was a tmpfs of its own');
});

test('the socket of a shim may have a path of any length', async (t) => {
  const dir = containerDir(t);
  const deep = join(dir, 'd'.repeat(100), 'e'.repeat(100));
  mkdirSync(deep, { recursive: true });
  const socketPath = join(deep, 'shim.sock');
  await t.rejects(connect(socketPath), { name: 'ErrnoError', code: 'ENOENT' });
  const { launching } = await atGate(t, { argv: shell('echo far') }, { socketPath }, { dir });
  const request = { stdin: false, stdout: true, stderr: true, framed: false };
  const socket = await launching.shim.attach({ ...request, detachKeys: new Uint8Array(0) });
  const netns = await launching.shim.getFd({ kind: 'netns' });
  t.ok(netns >= 0);
  closeSync(netns);
  const again = await connect(socketPath);
  await launching.open();
  t.equal((await readAll(socket)).toString(), 'far\n');
  t.match(await again.exited, { exitCode: 0 });
  again.disconnect();
});
