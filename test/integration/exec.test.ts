/** Execs in real containers, through the API and the real docker client. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { test } from 'tap';
import type { ExecInspectResponse } from '../../api-spec/index.js';
import { run, until } from '../support/containers.js';
import type { TestDaemon } from '../support/daemon.js';
import { startDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { docker } from '../support/docker-cli.js';

/** A daemon with one container that sleeps. */
async function world(t: Test): Promise<{ readonly daemon: TestDaemon; readonly id: string }> {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return { daemon, id: await run(daemon, { name: 'box', command: ['sleep', '1000'] }) };
}

async function created(daemon: TestDaemon, body: object): Promise<string> {
  const answer = await daemon.api.post('/containers/box/exec', { AttachStdout: true, ...body });
  if (answer.status !== 201) throw new Error(`exec: ${answer.status} ${answer.text}`);
  return String(answer.json.Id);
}

/** What a shell in the container says; its frames taken off. */
async function said(daemon: TestDaemon, script: string, body: object = {}): Promise<string> {
  const exec = await created(daemon, { Cmd: ['sh', '-c', script], AttachStderr: true, ...body });
  const { bytes } = await daemon.api.post(`/exec/${exec}/start`, { Detach: false });
  let text = '';
  for (let at = 0; at + 8 <= bytes.length; at += 8 + bytes.readUInt32BE(at + 4)) {
    text += bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at + 4)).toString();
  }
  return text;
}

async function inspected(daemon: TestDaemon, exec: string): Promise<ExecInspectResponse> {
  const { json } = await daemon.api.get(`/exec/${exec}/json`);
  return json as ExecInspectResponse;
}

test('the docker client runs a command, with its streams and its exit code', async (t) => {
  const { daemon } = await world(t);
  const host = `unix://${daemon.socket}`;
  const command = ['exec', 'box', 'sh', '-c', 'echo out; echo err >&2; exit 7'];
  t.match(await docker(host, command), { code: 7, stdout: 'out\n', stderr: 'err\n' });
  const lines = 'one\ntwo\n'.repeat(50_000);
  const copied = await docker(host, ['exec', '-i', 'box', 'cat'], { input: lines });
  t.equal(copied.code, 0);
  t.ok(copied.stdout === lines, 'half-closed input comes back whole');
  t.match(await docker(host, ['exec', '-t', 'box', 'tty']), { code: 0, stdout: '/dev/pts/0\r\n' });
  for (const [program, reason] of [
    ['nosuch', 'executable file not found in $PATH'], ['/etc', 'permission denied'],
  ] as const) {
    const failed = await docker(host, ['exec', 'box', program]);
    t.equal(failed.code, 126);
    t.ok(failed.stdout.includes(`unable to start container process: exec: "${program}"`));
    t.ok(failed.stdout.includes(reason));
  }
});

test('why a command could not be started is told however fast its shim is gone', async (t) => {
  const { daemon } = await world(t);
  const told = new Set<string>();
  for (let round = 0; round < 300; round += 1) {
    const exec = await created(daemon, { Cmd: ['/nothing'] });
    const { text } = await daemon.api.post(`/exec/${exec}/start`, { Detach: false });
    told.add(text.slice(text.indexOf('OCI')).trim());
  }
  t.same([...told], [
    'OCI runtime exec failed: exec failed: unable to start container process: ' +
      'exec: "/nothing": stat /nothing: no such file or directory: unknown',
  ]);
});

test('user, folder, variables and rights are as asked for', async (t) => {
  const { daemon } = await world(t);
  t.match(
    await said(daemon, 'id', { User: 'user' }),
    'uid=1000(user) gid=1000(user) groups=1000(user),2000(extra)',
  );
  t.match(await said(daemon, 'id -u; id -g', { User: '5:6' }), '5\n6\n');
  t.equal(
    await said(daemon, 'pwd; echo $A $HOME', { WorkingDir: '/tmp', Env: ['A=b'] }),
    '/tmp\nb /root\n',
  );
  const caps = 'grep -E "CapInh|CapAmb|CapEff" /proc/self/status | tr -s "\\t " " "';
  const none = 'CapInh: 0000000000000000\nCapEff: 00000000a80425fb\nCapAmb: 0000000000000000\n';
  t.equal(await said(daemon, caps), none);
  const all = await said(daemon, caps, { Privileged: true });
  t.match(all, /CapInh: 0{16}\nCapEff: 0{5}1[0-9a-f]{10}\nCapAmb: 0{16}\n/);
  t.match(
    await said(daemon, 'true', { User: 'nosuch' }),
    'unable to find user nosuch: no matching entries',
  );
  t.match(await said(daemon, 'true', { WorkingDir: 'tmp' }), 'Cwd must be an absolute path');
});

test('no signal is blocked or ignored, in a container or an exec', async (t) => {
  const { daemon, id } = await world(t);
  // The daemon ignores SIGPIPE, as a shim does, which blocks all of them besides.
  const signals = (pid: number): string =>
    readFileSync(`/proc/${String(pid)}/status`, 'latin1').match(/Sig(Blk|Ign).*/g)?.join() ?? '';
  t.match(signals(daemon.pid()), /1000$/);
  const exec = await created(daemon, { Cmd: ['sleep', '1000'] });
  await daemon.api.post(`/exec/${exec}/start`, { Detach: true });
  const { State } = (await daemon.api.get(`/containers/${id}/json`)).json;
  const none = '0'.repeat(16);
  for (const pid of [Number(State.Pid), (await inspected(daemon, exec)).Pid]) {
    t.equal(signals(pid), `SigBlk:\t${none},SigIgn:\t${none}`);
  }
});

test('nothing of the host is open in an exec, nor can a folder be found by an fd', async (t) => {
  const { daemon } = await world(t);
  const exec = await created(daemon, { Cmd: ['sleep', '1000'] });
  await daemon.api.post(`/exec/${exec}/start`, { Detach: true });
  t.same(readdirSync(`/proc/${(await inspected(daemon, exec)).Pid}/fd`), ['0', '1', '2']);
  for (let fd = 0; fd < 24; fd += 1) {
    t.match(
      await said(daemon, 'pwd', { WorkingDir: `/proc/self/fd/${fd}` }),
      /chdir to cwd .* failed/,
      `fd ${fd}`,
    );
  }
});

test('an exec is in the groups and namespaces of its container', async (t) => {
  const { daemon, id } = await world(t);
  const { Pid } = (await daemon.api.get(`/containers/${id}/json`)).json.State;
  const exec = await created(daemon, { Cmd: ['sleep', '1000'] });
  await daemon.api.post(`/exec/${exec}/start`, { Detach: true });
  const { Pid: pid, Running, ExitCode } = await inspected(daemon, exec);
  t.match({ Running, ExitCode }, { Running: true, ExitCode: null });
  const read = (path: string): string => readFileSync(`/proc/${path}`, 'utf8');
  t.equal(read(`${pid}/cgroup`), read(`${Pid}/cgroup`));
  for (const space of ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup']) {
    t.equal(
      readlinkSync(`/proc/${pid}/ns/${space}`),
      readlinkSync(`/proc/${Pid}/ns/${space}`),
      space,
    );
  }
  t.match(read(`${pid}/status`), /^Seccomp:\s*2$/m);
  t.equal(read(`${pid}/oom_score_adj`), '0\n');
  t.same((await daemon.api.get(`/containers/${id}/json`)).json.ExecIDs, [exec]);
  await daemon.api.post(`/containers/${id}/kill`);
  await until('the exec has ended', async () => (await inspected(daemon, exec)).ExitCode === 137);
  t.equal((await daemon.api.get(`/containers/${id}/json`)).json.ExecIDs, null);
});

test('an exit code is there as soon as the output has ended', async (t) => {
  const { daemon } = await world(t);
  for (let code = 0; code < 40; code += 1) {
    const exec = await created(daemon, { Cmd: ['sh', '-c', `exit ${code}`] });
    await daemon.api.post(`/exec/${exec}/start`, { Detach: false });
    t.match(await inspected(daemon, exec), { Running: false, ExitCode: code });
  }
  // With input it is asked whether it lives, just when its shim goes.
  const codes = new Set<unknown>();
  for (let round = 0; round < 200; round += 1) {
    const exec = await created(daemon, { Cmd: ['sh', '-c', 'exit 7'], AttachStdin: true });
    await daemon.api.post(`/exec/${exec}/start`, { Detach: false });
    codes.add((await inspected(daemon, exec)).ExitCode);
  }
  t.same([...codes], [7]);
  await until('no shim is left', async () => readdirSync(`${daemon.execRoot}/e`).length === 0);
});

test('refusals are in Docker\'s words', async (t) => {
  const { daemon, id } = await world(t);
  const { api } = daemon;
  t.match(await api.post('/containers/nosuch/exec', { Cmd: ['x'] }), {
    status: 404,
    json: { message: 'No such container: nosuch' },
  });
  t.match(await api.post('/containers/box/exec', {}), {
    status: 400,
    json: { message: 'No exec command specified' },
  });
  t.match(await api.post('/exec/nosuch/start', {}), {
    status: 404,
    json: { message: 'No such exec instance: nosuch' },
  });
  t.match(await api.get('/exec/nosuch/json'), { status: 404 });
  t.match(await api.post('/exec/nosuch/resize?h=1&w=1'), { status: 404 });
  const exec = await created(daemon, { Cmd: ['sleep', '1000'] });
  t.match(await inspected(daemon, exec), {
    ID: exec, Running: false, ExitCode: null, Pid: 0, ContainerID: id, OpenStdout: true,
    ProcessConfig: { tty: false, entrypoint: 'sleep', arguments: ['1000'], privileged: false },
  });
  t.match(await api.post(`/exec/${exec}/start`, { Detach: true }), { status: 200, text: '' });
  t.match(await api.post(`/exec/${exec}/start`, { Detach: true }), {
    status: 409, json: { message: `Error: Exec command ${exec} is already running` },
  });
  const twice = await api.post(`/exec/${exec}/start`, { Detach: false });
  t.match(twice, { text: /Error: Exec command \w+ is already running\r\n$/ });
  t.match(await api.post(`/exec/${exec}/resize?h=9&w=9`), { status: 200 });
  t.match(
    await api.post(`/exec/${await created(daemon, { Cmd: ['nosuch'] })}/start`, { Detach: true }),
    {
      status: 400,
      json: { message: /^OCI runtime exec failed: exec failed: .*executable file not found/ },
    },
  );
  await api.post('/containers/box/pause');
  const paused = 'is paused, unpause the container before exec';
  t.match(await api.post('/containers/box/exec', { Cmd: ['x'] }), {
    status: 409,
    json: { message: `Container box ${paused}` },
  });
  await api.post('/containers/box/unpause');
  const never = await created(daemon, { Cmd: ['true'] });
  await api.post('/containers/box/kill');
  t.match(await api.post('/containers/box/exec', { Cmd: ['x'] }), {
    status: 409,
    json: { message: `container ${id} is not running` },
  });
  t.match(await api.get(`/exec/${never}/json`), { status: 404 });
});

test('a terminal has the size that was asked for, and takes another', async (t) => {
  const { daemon } = await world(t);
  const script = 'stty size; until [ "$(stty size)" = "33 44" ]; do sleep 0.05; done; echo resized';
  const exec = await created(daemon, { Cmd: ['sh', '-c', script], Tty: true });
  const resized = daemon.api.post(`/exec/${exec}/resize?h=33&w=44`); // waits for the start
  await sleep(50);
  const body = { Detach: false, Tty: true, ConsoleSize: [11, 22] };
  const running = daemon.api.post(`/exec/${exec}/start`, body);
  t.equal((await resized).status, 200);
  const { text, headers } = await running;
  t.match(text, /^(11 22|33 44)\r\nresized\r\n$/);
  t.equal(headers['content-type'], 'application/vnd.docker.raw-stream');
});

test('its life is told as events', async (t) => {
  const { daemon } = await world(t);
  const since = (Date.now() / 1000).toFixed(3);
  const exec = await created(daemon, { Cmd: ['sh', '-c', 'exit 3'] });
  await daemon.api.post(`/exec/${exec}/start`, { Detach: false });
  await sleep(100);
  const path = `/events?since=${since}&until=${(Date.now() / 1000).toFixed(3)}`;
  const lines = (await daemon.api.get(path)).text.trim().split('\n');
  const events = lines.map(
    (line) => JSON.parse(line) as { Action: string; Actor: { Attributes: Record<string, string> } },
  );
  t.same(
    events.map(({ Action }) => Action),
    ['exec_create: sh -c exit 3', 'exec_start: sh -c exit 3', 'exec_die'],
  );
  t.ok(events.every(({ Actor }) => Actor.Attributes['execID'] === exec));
  t.equal(events.at(-1)?.Actor.Attributes['exitCode'], '3');
});

test('execs outlive the daemon: the next one knows how they ended', async (t) => {
  const { daemon } = await world(t);
  const [lasting, ending] = [
    await created(daemon, { Cmd: ['sleep', '1000'] }),
    await created(daemon, { Cmd: ['sh', '-c', 'sleep 0.5; exit 9'] }),
  ];
  for (const exec of [lasting, ending])
    await daemon.api.post(`/exec/${exec}/start`, { Detach: true });
  const { Pid } = await inspected(daemon, lasting);
  await daemon.kill9();
  await sleep(700);
  t.ok(existsSync(`/proc/${Pid}`), 'it runs without a daemon');
  await daemon.start();
  t.match(await inspected(daemon, lasting), { Running: true, ExitCode: null, Pid });
  t.match(
    await said(daemon, 'echo fine'),
    'fine\n',
    'a container that was found again takes execs',
  );
  t.match(await said(daemon, 'id -u', { User: 'user' }), '1000\n');
  await daemon.api.post('/containers/box/kill');
  await until('it has ended', async () => (await inspected(daemon, lasting)).ExitCode === 137);
  await until('no shim is left', async () => readdirSync(`${daemon.execRoot}/e`).length === 0);
});

test('nothing of the host is seen in a process that is on its way', async (t) => {
  const { daemon } = await world(t);
  // Looks into every process but itself and the first, again and again, until it is told to end, or
  // half a minute has gone: whatever becomes of this test, it does not stay.
  const spy =
    'until [ -e /tmp/enough ]; do for p in /proc/[0-9]*; do [ $p = /proc/$$ ] || ' +
    'ls -l $p/fd 2>/dev/null; done; done | grep -E "cgroup|socket:|anon_inode|memfd|/tmp/tsd-"; ' +
    'echo looked';
  const exec = await created(daemon, { Cmd: ['timeout', '30', 'sh', '-c', spy] });
  const spying = daemon.api.post(`/exec/${exec}/start`, { Detach: false, Tty: true });
  for (let count = 0; count < 40; count += 1) await said(daemon, 'true');
  t.equal((await inspected(daemon, exec)).ExitCode, null, 'it looked at all of them');
  await said(daemon, 'touch /tmp/enough');
  t.equal((await spying).text.replace(/^[^l]*/, ''), 'looked\n');
});

test('a client that hangs up leaves nothing behind', async (t) => {
  const { daemon } = await world(t);
  const fds = (): number => readdirSync(`/proc/${daemon.pid()}/fd`).length;
  await said(daemon, 'true');
  const before = fds();
  for (let round = 0; round < 10; round += 1) {
    const exec = await created(daemon, { Cmd: ['sh', '-c', 'yes | head -c 1000000; sleep 0.3'] });
    const body = { Detach: false };
    const response = await daemon.api.open(`/exec/${exec}/start`, { method: 'POST', body });
    response.destroy();
  }
  await until('no shim is left', async () => readdirSync(`${daemon.execRoot}/e`).length === 0);
  await until('no fd is left', async () => fds() <= before + 2);
  t.match(await said(daemon, 'echo fine'), 'fine');
});
