/** Debian's containerd runs its containers with our OCI runtime, by its shim for runc. */
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type Test } from 'tap';
import { asInstalled } from '../support/as-installed.js';
import { lacking } from '../support/debian-package.js';
import { ended, type Ended } from '../support/oci-bundle.js';

const skip = lacking('containerd');
/** Its control groups are below this name. */
const space = 'tsdocker-test';

interface Containerd {
  readonly rootfs: string;
  /** Of `ctr run`: which runtime, on a root of its own. */
  readonly flags: readonly string[];
  readonly ctr: (...args: readonly string[]) => Promise<Ended>;
  readonly says: (...args: readonly string[]) => Promise<string>;
  /** Waits until the list of tasks shows this. */
  readonly shows: (pattern: RegExp) => Promise<void>;
}

/** A daemon in a folder of its own, which ends with the test. */
async function containerd(t: Test): Promise<Containerd> {
  const { folder, rootfs, runtime, command, call } = asInstalled(t, 'containerd', space);
  const socket = join(folder, 'sock');
  const off = ['grpc.v1.cri', 'snapshotter.v1.devmapper', 'internal.v1.opt'];
  writeFileSync(join(folder, 'config.toml'), `
version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ${JSON.stringify(off.map((name) => `io.containerd.${name}`))}
[grpc]
address = "${socket}"
[ttrpc]
address = "${socket}.ttrpc"
`);
  const [program = '', ...words] = command;
  const config = join(folder, 'config.toml');
  const daemon = spawn(program, [...words, 'containerd', '--config', config], { stdio: 'ignore' });
  const end = ended(daemon);
  const ctr = (...args: readonly string[]): Promise<Ended> =>
    call('ctr', '--address', socket, '--namespace', space, ...args);
  t.teardown(async () => {
    for (const name of ['c', 'd']) {
      await ctr('task', 'rm', '--force', name);
      await ctr('container', 'rm', name);
    }
    daemon.kill();
    await end;
  });
  for (let i = 0; i < 300 && !existsSync(socket); i++) await sleep(100);
  const says = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await ctr(...args);
    t.equal(code, 0, `ctr ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  return {
    rootfs, ctr, says,
    flags: [
      '--runtime', 'io.containerd.runc.v2', '--runc-binary', runtime,
      '--runc-root', join(folder, 'runtime'), '--rootfs', rootfs,
    ],
    shows: async (pattern) => {
      let last = '';
      for (let i = 0; i < 100; i++) {
        last = await says('task', 'ls');
        if (pattern.test(last)) break;
        await sleep(100);
      }
      t.match(last, pattern);
    },
  };
}

test('ctr run gives output and the exit code, with a terminal too', { skip }, async (t) => {
  const { ctr, says, flags } = await containerd(t);
  const run = await ctr('run', '--rm', ...flags, 'c', '/bin/sh', '-c', 'echo hi; id -u; exit 3');
  t.match(run, { code: 3, stdout: 'hi\n0\n' });
  const nowhere = await ctr('run', '--rm', ...flags, 'd', '/bin/nowhere');
  t.match(nowhere, { code: 1, stderr: /exec: "\/bin\/nowhere": .*no such file or directory/ });
  // Who waits for the process has heard of its end: it was not the runtime's to reap.
  t.notMatch(await says('task', 'ls'), /^d\s/m);
});

test('a task is executed in, measured, paused, killed and removed', { skip }, async (t) => {
  const { ctr, says, shows, flags } = await containerd(t);
  const loop = 'trap "exit 5" TERM; while true; do sleep 0.1; done';
  await says('run', '--detach', ...flags, 'c', '/bin/sh', '-c', loop);
  await shows(/c\s+\d+\s+RUNNING/);
  const exec = (...words: readonly string[]): Promise<Ended> =>
    ctr('task', 'exec', '--exec-id', words.join('').slice(0, 8).replace(/\W/g, 'x'), 'c', ...words);
  // ctr leaves when the process has ended, whatever it has still to copy.
  const more = 'echo more; sleep 1; exit 4';
  t.match(await exec('/bin/sh', '-c', more), { code: 4, stdout: 'more\n' });
  t.match(await says('task', 'ps', 'c'), /PID\s+INFO\n\d+/);
  t.match(await says('task', 'metrics', 'c'), /pids\.current\s+\d/);
  await says('task', 'pause', 'c');
  await shows(/c\s+\d+\s+PAUSED/);
  await says('task', 'resume', 'c');
  await says('task', 'kill', '--signal', 'SIGTERM', 'c');
  await shows(/c\s+\d+\s+STOPPED/);
  t.match(await ctr('task', 'rm', 'c'), { stderr: /exit code 5/ });
  await says('container', 'rm', 'c');
  t.notMatch(await says('container', 'ls'), /^c /m);
});
