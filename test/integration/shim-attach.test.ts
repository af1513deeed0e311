import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type Test } from 'tap';
import {
  connect,
  CWD,
  firstInnerSlot,
  launch,
  type AttachRequest,
  type LaunchProgram,
} from '../../native/index.js';
import { monitorIn, openStep, shell, slots } from '../support/launch-programs.js';
import { atGate, readAll, unframe } from '../support/shim-container.js';

const everything: AttachRequest = {
  stdin: true,
  stdout: true,
  stderr: true,
  framed: true,
  detachKeys: new Uint8Array(0),
};

/** So much more than the sockets, the pipe and the client's memory hold together. */
const FLOOD_BYTES = 6_000_000;
const flood = `head -c ${FLOOD_BYTES} /dev/zero | tr "\\0" "x"`;

test('who attaches before the start misses nothing', async (t) => {
  const { launching } = await atGate(t, { argv: shell('echo first; echo bad >&2') });
  const socket = await launching.shim.attach({ ...everything, stdin: false });
  const output = readAll(socket);
  await launching.open();
  const streams = unframe(await output);
  t.equal(streams.get(1)?.toString(), 'first\n');
  t.equal(streams.get(2)?.toString(), 'bad\n');
});

test('half-closing a client is EOF for the process, whose answer still comes', async (t) => {
  const { launching } = await atGate(t, { argv: shell('sort; echo end'), stdin: true });
  const socket = await launching.shim.attach({ ...everything, framed: false });
  await launching.open();
  socket.end('b\na\n');
  t.equal((await readAll(socket)).toString(), 'a\nb\nend\n');
  t.match(await launching.shim.exited, { exitCode: 0 });
});

test('stdin ends with the last of its clients, not the first', async (t) => {
  const { launching } = await atGate(t, { argv: ['/bin/busybox', 'cat'], stdin: true });
  const first = await launching.shim.attach({ ...everything, framed: false });
  const second = await launching.shim.attach({ ...everything, framed: false });
  await launching.open();
  first.end('one\n');
  await sleep(50);
  second.end('two\n');
  t.equal((await readAll(second)).toString(), 'one\ntwo\n');
});

test('the detach keys end one attachment, nothing else', async (t) => {
  const { launching, log } = await atGate(t, { argv: ['/bin/busybox', 'cat'], stdin: true });
  const detachKeys = Buffer.from([16, 17]);
  const socket = await launching.shim.attach({ ...everything, framed: false, detachKeys });
  const other = await launching.shim.attach(everything);
  await launching.open();
  socket.write(Buffer.from([0x61, 16, 16, 0x62, 10, 16]));
  await once(socket, 'readable');
  socket.write(Buffer.from([17, 0x63]));
  t.equal((await readAll(socket)).toString(), 'a\x10\x10b\n');
  t.equal(await launching.shim.signal(0), true, 'the process goes on');
  other.end();
  await launching.shim.exited;
  t.equal(log()[0]?.log, 'a\x10\x10b\n');
});

test('a terminal: one stream, a size, an end', async (t) => {
  const script = 'stty size; read line; stty size; echo "got $line"; tty';
  const { launching, log } = await atGate(t, { argv: shell(script), tty: true });
  const socket = await launching.shim.attach({ ...everything, framed: false });
  await launching.open();
  await launching.shim.resize(50, 120);
  await sleep(50);
  socket.write('hi\n');
  const text = (await readAll(socket)).toString();
  t.match(text, /^(24 80|50 120)\r\nhi\r\n50 120\r\ngot hi\r\n\/dev\/pts\/0\r\n$/);
  t.match(await launching.shim.exited, { exitCode: 0 });
  t.equal(log().map((line) => line.log).join(''), text);
});

test('without a terminal there is nothing to resize', async (t) => {
  const { launching } = await atGate(t, { argv: shell('sleep 9') });
  await t.rejects(launching.shim.resize(1, 1), { code: 'ENOTTY' });
});

test('a client that reads slowly loses nothing, and the log does not wait for it', async (t) => {
  const { launching, log } = await atGate(t, { argv: shell(flood) });
  const socket = await launching.shim.attach({ ...everything, stdin: false });
  await launching.open();
  t.match(await launching.shim.exited, { exitCode: 0 });
  t.equal(log().reduce((sum, line) => sum + line.log.length, 0), FLOOD_BYTES);
  const streams = unframe(await readAll(socket));
  const digest = createHash('sha256').update(streams.get(1) ?? '').digest('hex');
  t.equal(digest, createHash('sha256').update('x'.repeat(FLOOD_BYTES)).digest('hex'));
});

test('a client that has stopped reading holds the container up only for a while', async (t) => {
  const attach = { spillDir: '/tmp', spillBytes: 1024 * 1024, stallMs: 800 };
  const { launching, log } = await atGate(t, { argv: shell(`${flood}; sleep 1`) }, { attach });
  const socket = await launching.shim.attach({ ...everything, stdin: false });
  await launching.open();
  await sleep(500);
  const written = log().reduce((sum, line) => sum + line.log.length, 0);
  t.ok(written < FLOOD_BYTES, 'back-pressure first');
  await sleep(500);
  const streams = unframe(await readAll(socket));
  t.match(await launching.shim.exited, { exitCode: 0 });
  t.equal(log().reduce((sum, line) => sum + line.log.length, 0), FLOOD_BYTES);
  t.ok((streams.get(1)?.length ?? 0) < FLOOD_BYTES);
  t.match(streams.get(3)?.toString(), 'did not read in time');
});

test('an attached client that is killed disturbs neither the process nor its log', async (t) => {
  const argv = shell('seq 1 20000; sleep 0.3; seq 1 20000');
  const { dir, launching, log } = await atGate(t, { argv });
  const index = new URL('../../native/index.js', import.meta.url).href;
  const program = `
    import { connect } from ${JSON.stringify(index)};
    const shim = await connect(${JSON.stringify(join(dir, 'shim.sock'))});
    const socket = await shim.attach({ stdin: true, stdout: true, stderr: true, framed: true,
      detachKeys: new Uint8Array(0) });
    console.log('attached');`;
  const client = spawn(process.execPath, ['--input-type=module', '-e', program]);
  t.teardown(() => client.kill('SIGKILL'));
  await new Promise((resolve) => client.stdout.once('data', resolve));
  await launching.open();
  client.kill('SIGKILL');
  t.match(await launching.shim.exited, { exitCode: 0 });
  t.equal(log().length, 40_000);
});

test('fds go to the shim and come back', async (t) => {
  const { dir, launching } = await atGate(t, { argv: shell('sleep 9') });
  await launching.open();
  const { shim, pid } = launching;
  const file = openSync(join(dir, 'log.json'), 'r');
  await shim.addFd(slots.free, file);
  const back = await shim.getFd({ kind: 'slot', slot: slots.free });
  t.equal(readlinkSync(`/proc/self/fd/${back}`), join(dir, 'log.json'));
  await shim.dropFd(slots.free);
  await t.rejects(shim.getFd({ kind: 'slot', slot: slots.free }), { code: 'EBADF' });
  const netns = await shim.getFd({ kind: 'netns' });
  t.equal(readlinkSync(`/proc/self/fd/${netns}`), readlinkSync(`/proc/${pid}/ns/net`));
  const root = await shim.getFd({ kind: 'rootDir' });
  t.ok(statSync(`/proc/self/fd/${root}/bin/busybox`).isFile(), 'the container\'s root');
  const pidfd = await shim.getFd({ kind: 'pidfd' });
  t.match(readFileSync(`/proc/self/fdinfo/${pidfd}`, 'utf8'), `Pid:\t${pid}\n`);
  for (const fd of [file, back, netns, root, pidfd]) closeSync(fd);
});

test('what lies inside the container goes with its process, not with the shim', async (t) => {
  const { dir, launching } = await atGate(t, { argv: ['/bin/busybox', 'cat'], stdin: true });
  await launching.open();
  const { shim } = launching;
  const file = openSync(join(dir, 'log.json'), 'r');
  await shim.addFd(firstInnerSlot, file);
  closeSync(await shim.getFd({ kind: 'slot', slot: firstInnerSlot }));
  await shim.signal(9);
  await shim.exited;
  const inner = { kind: 'slot', slot: firstInnerSlot } as const;
  await t.rejects(shim.getFd(inner), { code: 'EBADF' });
  await t.rejects(shim.addFd(firstInnerSlot, file), { code: 'ESRCH' });
  closeSync(file);
});

test('a second process joins a running container: an exec', async (t) => {
  const { dir, launching } = await atGate(t, { argv: shell('echo $$; sleep 9') });
  await launching.open();
  const argv = shell('echo $$; ls /proc | grep -c "^[12]$"; exit 4');
  const output = await runInside(t, launching.pid, `${dir}/exec`, argv);
  t.match(output, /^\d+\n2\n$/, 'in the pid namespace of the container');
  t.equal(await launching.shim.signal(0), true, 'whose own process goes on');
});

/** Joins the namespaces of `pid` by a shim of its own; what it has written. */
async function runInside(
  t: Test,
  pid: number,
  prefix: string,
  argv: readonly string[],
): Promise<string> {
  const joining = (name: string, type: number) =>
    [
      openStep(slots.free, `/proc/${pid}/ns/${name}`, 0),
      { op: 'setns', fd: slots.free, type },
    ] as const;
  const program: LaunchProgram = {
    host: [
      { op: 'pipe', read: slots.stdoutRead, write: slots.stdoutWrite },
      { op: 'pipe', read: slots.stderrRead, write: slots.stderrWrite },
      { op: 'clone', flags: 0, cgroup: CWD },
      { op: 'await', token: 1 },
      { op: 'yield', token: 2 },
    ],
    init: [
      ...joining('pid', 0x20000000),
      ...joining('mnt', 0x20000),
      { op: 'fork' },
      { op: 'notify', token: 1 },
      { op: 'setsid' },
      { op: 'dup2', fd: slots.stdoutWrite, to: 1 },
      { op: 'dup2', fd: slots.stderrWrite, to: 2 },
      { op: 'execve', paths: [argv[0] ?? ''], argv, env: ['PATH=/bin'] },
    ],
  };
  const monitor = monitorIn('/unused', {}, {
    socketPath: `${prefix}.sock`,
    exitPath: `${prefix}.exit`,
    log: { kind: 'none' },
    attach: { spillDir: '/tmp', spillBytes: 0, stallMs: 1000 },
  });
  let forked = 0;
  const onYield = (_: number, child: number): Promise<undefined> => {
    forked = child;
    return Promise.resolve(undefined);
  };
  const launching = await launch({ program, monitor: { ...monitor, keep: [] }, onYield });
  t.equal(forked, launching.pid, 'the fork is who runs');
  const request = { ...everything, stdin: false, framed: false };
  const output = readAll(await launching.shim.attach(request));
  await launching.open();
  t.match(await launching.shim.exited, { exitCode: 4 });
  await launching.shim.bye();
  await t.rejects(connect(`${prefix}.sock`), { code: 'ENOENT' });
  return (await output).toString();
}
