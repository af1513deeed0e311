/** The daemon runs containers with other OCI runtimes: Debian's crun and runc. */
import {
  existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { until } from '../support/containers.js';
import { lacking, packageCache } from '../support/debian-package.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { docker, dockerProgram, type CommandResult } from '../support/docker-cli.js';
import { debianRuntime, type Subject } from '../support/oci-conformance.js';

const crun = debianRuntime('crun', 'usr/bin/crun');
const runtimes = [crun, debianRuntime('runc', 'usr/sbin/runc')];
const noClient = dockerProgram() === undefined && 'there is no docker client: .ci/setup tests';

interface Engine {
  readonly daemon: TestDaemon;
  readonly docker: (...args: readonly string[]) => Promise<CommandResult>;
  /** Standard output of a command that goes well. */
  readonly says: (...args: readonly string[]) => Promise<string>;
  /** What the runtime knows of containers. */
  readonly kept: () => readonly string[];
}

/** The unpacked runtime finds its libraries by a script of this path. */
function wrapper(t: Test, { name, program }: Subject): string {
  const folder = mkdtempSync(join(tmpdir(), 'tsd-runtime-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, name);
  const libraries = program.environment?.['LD_LIBRARY_PATH'] ?? '';
  const call = `LD_LIBRARY_PATH='${libraries}' exec '${program.command[0] ?? ''}' "$@"`;
  writeFileSync(path, `#!/bin/sh\n${call}\n`, { mode: 0o755 });
  return path;
}

async function engine(t: Test, subject: Subject, ...flags: readonly string[]): Promise<Engine> {
  const path = wrapper(t, subject);
  const daemon = await startDaemon(t, { flags: ['--add-runtime', `other=${path}`, ...flags] });
  await importDemoImage(daemon.api);
  const call = (...args: readonly string[]): Promise<CommandResult> =>
    docker(`unix://${daemon.socket}`, args);
  return {
    daemon, docker: call,
    says: async (...args) => {
      const { code, stdout, stderr } = await call(...args);
      t.equal(code, 0, `docker ${args.join(' ')}: ${stderr}`);
      return stdout.trim();
    },
    kept: () => {
      const folder = join(daemon.execRoot, 'r/other');
      return existsSync(folder) ? readdirSync(folder) : [];
    },
  };
}

const image = 'tsdocker-demo';
const loop = 'echo out; trap "exit 5" TERM; while true; do sleep 0.1; done';

test('a runtime that sends no terminal fails the start', { skip: noClient }, async (t) => {
  const daemon = await startDaemon(t, { flags: ['--add-runtime', 'silent=/bin/true'] });
  await importDemoImage(daemon.api);
  const run = ['run', '--rm', '-t', '--runtime', 'silent', image, 'true'];
  const failed = await docker(`unix://${daemon.socket}`, run);
  t.match(failed, { code: 125, stderr: /console: .*EAGAIN/i });
});

test('a runtime whose start has no end is ended, and nothing is left', {
  skip: crun.skip === false ? noClient : crun.skip,
}, async (t) => {
  const path = wrapper(t, crun);
  const slow = `${path}-slow`;
  const started = `${path}-started`;
  const wait = `{ echo $$ > ${started}; exec sleep 1000; }`;
  const script = `for word; do [ "$word" != start ] || ${wait}; done\nexec ${path} "$@"`;
  writeFileSync(slow, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const daemon = await startDaemon(t, { flags: ['--add-runtime', `slow=${slow}`] });
  await importDemoImage(daemon.api);
  const call = (...args: readonly string[]): Promise<CommandResult> =>
    docker(`unix://${daemon.socket}`, args);
  const late = await call('run', '--name', 'one', '--runtime', 'slow', image, 'true');
  t.match(late, { code: /^12[57]$/, stderr: /start took longer than 20 s/ });
  t.equal(existsSync(`/proc/${readFileSync(started, 'utf8').trim()}`), false, 'it has ended');
  t.match(await call('ps', '-a', '--format', '{{.Names}} {{.Status}}'), {
    stdout: /^one (Created|Exited)/,
  });
  t.match(await call('rm', 'one'), { code: 0 });
  t.same(readdirSync(join(daemon.execRoot, 'r/slow')), [], 'nor does it keep anything');
});

for (const subject of runtimes) {
  const skip = subject.skip === false ? noClient : subject.skip;
  const { name } = subject;

  test(`${name} runs: output, input, exit codes, terminals, limits`, { skip }, async (t) => {
    const { docker: call, says, kept } = await engine(t, subject);
    const run = (...args: readonly string[]): Promise<CommandResult> =>
      call('run', '--rm', '--runtime', 'other', ...args);
    t.match(await run(image, 'sh', '-c', 'echo hi; echo wrong >&2; exit 3'), {
      code: 3, stdout: 'hi\n', stderr: 'wrong\n',
    });
    t.match(await run('-t', image, 'tty'), { code: 0, stdout: /^\/dev\/(pts\/\d|console)\r\n$/ });
    t.match(await run('--user', '7:8', '-w', '/tmp', '-e', 'A=b', '--init', image,
      'sh', '-c', 'id -u; pwd; echo $A; cat /proc/1/comm'), { code: 0, stdout: /7\n\/tmp\nb\n/ });
    t.match(await run('--memory', '64m', image, 'cat', '/proc/self/status'), {
      code: 0, stdout: /Seccomp:\t2/,
    });
    t.match(await run(image, 'nowhere'), { code: /^12[57]$/, stderr: /nowhere/ });
    t.equal(await says('ps', '-aq'), '');
    t.same(kept(), [], 'the runtime keeps nothing of them');
  });

  test(`${name}'s containers are executed in, paused, measured, stopped`, { skip }, async (t) => {
    const { docker: call, says, kept } = await engine(t, subject, '--default-runtime', 'other');
    await says('run', '-d', '--name', 'one', image, 'sh', '-c', loop);
    t.equal(await says('inspect', '--format', '{{.HostConfig.Runtime}}', 'one'), 'other');
    t.equal(kept().length, 1, 'it is the runtime\'s');
    t.match(await call('exec', 'one', 'sh', '-c', 'echo more; exit 4'), {
      code: 4, stdout: 'more\n',
    });
    t.match(await says('exec', '-t', 'one', 'tty'), /^\/dev\/pts\/\d/);
    await says('pause', 'one');
    t.equal(await says('inspect', '--format', '{{.State.Status}}', 'one'), 'paused');
    await says('unpause', 'one');
    t.match(await says('stats', '--no-stream', '--format', '{{.PIDs}}', 'one'), /^[12]$/);
    t.match(await says('exec', 'one', 'ip', 'addr'), /eth0/, 'it has its network');
    t.equal(await says('logs', 'one'), 'out');
    await says('stop', '--time', '30', 'one');
    t.equal(await says('inspect', '--format', '{{.State.ExitCode}}', 'one'), '5');
    await says('start', 'one');
    await says('kill', 'one');
    t.equal(await says('wait', 'one'), '137');
    await says('rm', 'one');
    t.same(kept(), []);
  });

  test(`${name}'s containers outlive the daemon`, { skip }, async (t) => {
    const { daemon, says, kept } = await engine(t, subject);
    const run = ['run', '-d', '--runtime', 'other', '--name'];
    await says(...run, 'one', image, 'sh', '-c', loop);
    await says(...run, 'two', image, 'sh', '-c', 'sleep 1; exit 6');
    const pid = await says('inspect', '--format', '{{.State.Pid}}', 'one');
    await daemon.kill9();
    await daemon.start();
    t.equal(await says('inspect', '--format', '{{.State.Status}} {{.State.Pid}}', 'one'),
      `running ${pid}`);
    t.equal(await says('wait', 'two'), '6');
    await says('stop', '--time', '30', 'one');
    t.equal(await says('inspect', '--format', '{{.State.ExitCode}}', 'one'), '5');
    await says('rm', 'one', 'two');
    t.same(kept(), []);
  });
}

const noRunsc = lacking('runsc') || noClient;

async function withRunsc(t: Test): Promise<TestDaemon> {
  const path = join(packageCache, 'runsc/usr/bin/runsc');
  const runtimeArgs = ['--platform=ptrace', '--network=none'];
  const daemonJson = { runtimes: { runsc: { path, runtimeArgs } } };
  const daemon = await startDaemon(t, { daemonJson });
  await importDemoImage(daemon.api);
  return daemon;
}

test('runsc runs: a kernel of its own, with its arguments', { skip: noRunsc }, async (t) => {
  const daemon = await withRunsc(t);
  const call = (...args: readonly string[]): Promise<CommandResult> =>
    docker(`unix://${daemon.socket}`, args);
  const run = (...args: readonly string[]): Promise<CommandResult> =>
    call('run', '--network', 'none', '--runtime', 'runsc', ...args);
  const script = 'id -u; pwd; cat /proc/version; echo wrong >&2; exit 3';
  t.match(await run('--rm', '--user', '7:8', '-w', '/tmp', image, 'sh', '-c', script), {
    code: 3, stdout: /^7\n\/tmp\nLinux version 4\.4\.0 /, stderr: 'wrong\n',
  });
  t.match(await run('-d', '--name', 'one', image, 'sh', '-c', loop), { code: 0 });
  t.match(await call('stop', '--time', '60', 'one'), { code: 0 });
  t.match(await call('inspect', '--format', '{{.State.ExitCode}}', 'one'), { stdout: '5\n' });
  t.match(await call('rm', 'one'), { code: 0 });
  const kept = readdirSync(join(daemon.execRoot, 'r/runsc'));
  t.same(kept.filter((name) => !name.endsWith('.lock')), [], 'it keeps nothing');
});

test('in a container of runsc, runsc runs what else is run', { skip: noRunsc }, async (t) => {
  const daemon = await withRunsc(t);
  const call = (args: readonly string[], input = ''): Promise<CommandResult> =>
    docker(`unix://${daemon.socket}`, args, { input });
  const host = ['--network', 'none', '--runtime', 'runsc'];
  const run = ['run', '-d', '--name', 'one', ...host, image, 'sh', '-c', loop];
  t.match(await call(run), { code: 0 });
  const script = 'cat /proc/version; id -u; pwd; echo $A; echo wrong >&2; exit 4';
  const options = ['--user', '7', '--workdir', '/tmp', '--env', 'A=b'];
  t.match(await call(['exec', ...options, 'one', 'sh', '-c', script]), {
    code: 4, stdout: /^Linux version 4\.4\.0 .*\n7\n\/tmp\nb\n$/, stderr: 'wrong\n',
  });
  t.match(await call(['exec', '--interactive', 'one', 'cat'], 'to it and back'), {
    code: 0, stdout: 'to it and back',
  });
  t.match(await call(['exec', '--tty', 'one', 'sh', '-c', 'test -t 0 && echo is one']), {
    code: 0, stdout: 'is one\r\n',
  });
  t.not((await call(['exec', 'one', '/no/such/program'])).code, 0);
  await until('nothing of them is left', async () =>
    readdirSync(join(daemon.execRoot, 'e')).length === 0);
  t.match(await call(['rm', '--force', 'one']), { code: 0 });
});

test('what a runtime keeps of nobody keeps no daemon from coming up', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tsd-runtime-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const late = join(folder, 'late');
  // What it is to remove somebody else has removed just then.
  const script = 'for last; do :; done\nrm -r "$2/$last"\necho "no $last" >&2; exit 1\n';
  writeFileSync(late, `#!/bin/sh\n${script}`, { mode: 0o755 });
  const flags = ['--add-runtime', 'gone=/nowhere/gone', '--add-runtime', `late=${late}`];
  const daemon = await startDaemon(t, { flags });
  await daemon.kill9();
  const id = 'a'.repeat(64);
  const kept = ['gone', 'late'].map((name) => join(daemon.execRoot, 'r', name, id));
  for (const each of kept) mkdirSync(each, { recursive: true });
  await daemon.start();
  t.equal((await daemon.api.get('/_ping')).status, 200);
  t.same(kept.map((each) => existsSync(each)), [true, false]);
});

test('runtimes are told, and others refused in Docker\'s words', { skip: noClient }, async (t) => {
  const flags = ['--add-runtime', 'other=/nowhere/other'];
  const daemon = await startDaemon(t, { flags });
  await importDemoImage(daemon.api);
  t.match((await daemon.api.get('/info')).json, {
    DefaultRuntime: 'runc', Runtimes: { runc: {}, other: { path: '/nowhere/other' } },
  });
  const run = (runtime: string): Promise<CommandResult> =>
    docker(`unix://${daemon.socket}`, ['run', '--rm', '--runtime', runtime, image, 'true']);
  t.match(await run('nope'), { code: 125, stderr: /unknown or invalid runtime name: nope/ });
  t.match(await run('other'), { code: 125, stderr: /OCI runtime create failed/ });
});
