/** Debian's podman runs its containers with our OCI runtime. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { asInstalled } from '../support/as-installed.js';
import { lacking } from '../support/debian-package.js';
import type { Ended } from '../support/oci-bundle.js';

const skip = lacking('podman');

interface Podman {
  readonly rootfs: string;
  readonly call: (...args: readonly string[]) => Promise<Ended>;
  /** Standard output of a command that goes well. */
  readonly says: (...args: readonly string[]) => Promise<string>;
}

const settings = `
[containers]
seccomp_profile = "/usr/share/containers/seccomp.json"
netns = "none"
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
`;

/** Everything of it in a folder of its own. */
function podman(t: Test): Podman {
  const { folder, rootfs, runtime, call } = asInstalled(t, 'podman', 'libpod_parent');
  const path = (name: string): string => join(folder, name);
  writeFileSync(path('containers.conf'), settings);
  const storage = `driver = "vfs"\nrunroot = "${path('r')}"\ngraphroot = "${path('g')}"\n`;
  writeFileSync(path('storage.conf'), `[storage]\n${storage}`);
  const program = [
    'env', `CONTAINERS_CONF=${path('containers.conf')}`,
    `CONTAINERS_STORAGE_CONF=${path('storage.conf')}`,
    'podman', '--runtime', runtime, '--root', path('g'), '--runroot', path('r'),
    '--tmpdir', path('t'),
  ];
  const run = (...args: readonly string[]): Promise<Ended> => call(...program, ...args);
  t.teardown(() => run('rm', '--all', '--force', '--time', '0'));
  return {
    rootfs, call: run,
    says: async (...args) => {
      const { code, stdout, stderr } = await run(...args);
      t.equal(code, 0, `podman ${args.join(' ')}: ${stderr}`);
      return stdout.trim();
    },
  };
}

const loop = 'echo out; trap "exit 5" TERM; while true; do sleep 0.1; done';

test('podman run gives output, streams and the exit code', { skip }, async (t) => {
  const { call, rootfs } = podman(t);
  const run = (...words: readonly string[]): Promise<Ended> =>
    call('run', '--rm', '--rootfs', rootfs, ...words);
  t.match(await run('/bin/sh', '-c', 'echo hi; echo wrong >&2; exit 3'), {
    code: 3, stdout: 'hi\n', stderr: 'wrong\n',
  });
  const tty = await call('run', '-t', '--rm', '--rootfs', rootfs, '/bin/tty');
  t.match(tty, { code: 0, stdout: /^\/dev\/(pts\/0|console)\r\n$/ });
  const limits = ['--memory', '64m', '--pids-limit', '50', '--user', '7:8'];
  const script = 'id -u; id -g';
  const limited = await call(
    'run', '--rm', ...limits, '--rootfs', rootfs, '/bin/sh', '-c', script);
  t.match(limited, { code: 0, stdout: '7\n8\n' });
  t.match(await run('/bin/nowhere'), { stderr: /no such file or directory/ });
});

test('podman looks at a container, and does things to it, while it runs', { skip }, async (t) => {
  const { call, says, rootfs } = podman(t);
  await says('run', '-d', '--name', 'c', '--rootfs', rootfs, '/bin/sh', '-c', loop);
  t.match(await says('ps', '--format', '{{.Names}} {{.Status}}'), /^c Up /);
  t.match(await call('exec', 'c', '/bin/sh', '-c', 'echo more; exit 4'), {
    code: 4, stdout: 'more\n',
  });
  t.match(await says('exec', '-t', 'c', '/bin/tty'), /^\/dev\/pts\/\d/);
  t.match(await says('top', 'c', 'pid', 'args'), /1\s+\/bin\/sh/);
  await says('pause', 'c');
  t.match(await says('ps', '-a', '--format', '{{.Status}}'), /paused/i);
  await says('unpause', 'c');
  t.match(await says('stats', '--no-stream', '--format', '{{.PIDs}}', 'c'), /^\d+$/);
  t.equal(await says('logs', 'c'), 'out');
});

test('podman stops, starts, kills and removes it, and has its exit codes', { skip }, async (t) => {
  const { call, says, rootfs } = podman(t);
  const code = (): Promise<string> => says('inspect', '--format', '{{.State.ExitCode}}', 'c');
  await says('run', '-d', '--name', 'c', '--rootfs', rootfs, '/bin/sh', '-c', loop);
  await says('stop', '--time', '30', 'c');
  t.equal(await code(), '5');
  await says('start', 'c');
  await says('kill', '--signal', 'KILL', 'c');
  t.equal(await says('wait', 'c'), '137');
  t.equal(await code(), '137');
  await says('rm', 'c');
  t.match(await call('container', 'exists', 'c'), { code: 1 });
});
