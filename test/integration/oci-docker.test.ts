/** Debian's dockerd runs its containers with our OCI runtime, by its containerd. */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { asInstalled } from '../support/as-installed.js';
import { lacking } from '../support/debian-package.js';
import { docker, dockerProgram, type CommandResult } from '../support/docker-cli.js';
import { ended, soon } from '../support/oci-bundle.js';

const noClient = dockerProgram() === undefined && 'there is no docker client: .ci/setup tests';
const skip = lacking('dockerd') || noClient;
/** Its control groups are below this name. */
const parent = 'tsdocker-test-dockerd';
const STOP_MS = 30_000;

interface Dockerd {
  readonly call: (...args: readonly string[]) => Promise<CommandResult>;
  /** Standard output of a command that goes well. */
  readonly says: (...args: readonly string[]) => Promise<string>;
}

/** A genuine daemon on roots of its own, without networks; its one image is busybox's. */
async function dockerd(t: Test): Promise<Dockerd> {
  const { folder, rootfs, runtime, command } = asInstalled(t, 'dockerd', parent);
  const path = (name: string): string => join(folder, name);
  mkdirSync(path('tmp'));
  const host = `unix://${path('sock')}`;
  const [program = '', ...words] = command;
  const daemon = spawn(program, [
    ...words, 'dockerd', '--data-root', path('data'), '--exec-root', path('exec'),
    '--pidfile', path('pid'), '--host', host, '--storage-driver', 'vfs', '--bridge', 'none',
    '--iptables=false', '--ip6tables=false', '--cgroup-parent', `/${parent}`,
    '--add-runtime', `ours=${runtime}`, '--default-runtime', 'ours',
  ], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: path('tmp') } });
  const end = ended(daemon);
  const call = (...args: readonly string[]): Promise<CommandResult> => docker(host, args);
  t.teardown(async () => {
    await call('rm', '--force', 'one');
    daemon.kill();
    const hard = setTimeout(() => daemon.kill('SIGKILL'), STOP_MS);
    await end;
    clearTimeout(hard);
  });
  const isUp = await soon(async () => (await call('version')).code === 0);
  if (!isUp) {
    daemon.kill();
    t.fail(`dockerd does not come up: ${(await end).stderr.slice(-2000)}`);
  }
  const says = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await call(...args);
    t.equal(code, 0, `docker ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
  const tar = spawn('tar', ['-c', '-C', rootfs, '.']);
  const bytes: Buffer[] = [];
  for await (const chunk of tar.stdout) bytes.push(Buffer.from(chunk as Uint8Array));
  const made = await docker(host, ['import', '-', 'busybox'], { input: Buffer.concat(bytes) });
  t.equal(made.code, 0, made.stderr);
  return { call, says };
}

const loop = 'echo out; trap "exit 5" TERM; while true; do sleep 0.1; done';
const none = ['--network', 'none'];

test('docker run gives output, streams, limits and the exit code', { skip }, async (t) => {
  const { call, says } = await dockerd(t);
  t.equal(await says('info', '--format', '{{.DefaultRuntime}}'), 'ours');
  const run = (...words: readonly string[]): Promise<CommandResult> =>
    call('run', '--rm', ...none, ...words);
  t.match(await run('busybox', 'sh', '-c', 'echo hi; echo wrong >&2; exit 3'), {
    code: 3, stdout: 'hi\n', stderr: 'wrong\n',
  });
  t.match(await run('-t', 'busybox', 'tty'), { code: 0, stdout: /^\/dev\/pts\/0\r\n$/ });
  const limited = await run(
    '--memory', '64m', '--pids-limit', '50', '--user', '7:8', '--init', 'busybox', 'id');
  t.match(limited, { code: 0, stdout: /^uid=7 gid=8/ });
  t.match(await run('busybox', '/bin/nowhere'), {
    code: 127, stderr: /"\/bin\/nowhere": .*no such file or directory/,
  });
});

test('docker looks at a container, and does things to it, while it runs', { skip }, async (t) => {
  const { call, says } = await dockerd(t);
  const run = ['run', '-d', '--name', 'one', '--runtime', 'ours', ...none];
  await says(...run, 'busybox', 'sh', '-c', loop);
  t.equal(await says('inspect', '--format', '{{.HostConfig.Runtime}}', 'one'), 'ours');
  t.match(await call('exec', 'one', 'sh', '-c', 'echo more; exit 4'), {
    code: 4, stdout: 'more\n',
  });
  t.match(await call('exec', '-t', 'one', 'tty'), { code: 0, stdout: /^\/dev\/pts\/\d/ });
  t.match(await says('top', 'one'), /sh -c/);
  const stats = (format: string): Promise<string> =>
    says('stats', '--no-stream', '--format', format, 'one');
  t.match(await stats('{{.PIDs}} {{.MemUsage}}'), /^\d+ /);
  await says('update', '--memory', '96m', '--memory-swap', '96m', 'one');
  t.match(await stats('{{.MemUsage}}'), /96MiB$/);
  await says('pause', 'one');
  t.equal(await says('inspect', '--format', '{{.State.Status}}', 'one'), 'paused');
  await says('unpause', 'one');
  t.ok(await soon(async () => (await says('logs', 'one')) === 'out'));
});

test('docker stops, starts, kills and removes it, and has its exit codes', { skip }, async (t) => {
  const { call, says } = await dockerd(t);
  const code = (): Promise<string> => says('inspect', '--format', '{{.State.ExitCode}}', 'one');
  await says('run', '-d', '--name', 'one', ...none, 'busybox', 'sh', '-c', loop);
  await says('stop', '--time', '30', 'one');
  t.equal(await code(), '5');
  await says('start', 'one');
  await says('kill', 'one');
  t.equal(await says('wait', 'one'), '137');
  await says('rm', 'one');
  t.match(await call('inspect', 'one'), { code: 1 });
});
