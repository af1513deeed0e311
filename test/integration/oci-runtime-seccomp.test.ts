/** Filters of calls: whom they ask, what they are installed with, and what is wrong with one. */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { ended, ociWorld, type OciWorld } from '../support/oci-bundle.js';

/** Answers each call of mkdir with ENOSPC; tells what it was sent with the descriptor. */
const agent = `
import array, fcntl, json, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
for _ in range(int(sys.argv[2])):
  c = s.accept()[0]
  words, control, _, _ = c.recvmsg(65536, socket.CMSG_SPACE(4))
  fd = array.array('i', control[0][2])[0]
  note = bytearray(80)
  fcntl.ioctl(fd, 0xc0502100, note)
  (cookie,) = struct.unpack_from('Q', note)
  fcntl.ioctl(fd, 0xc0182101, struct.pack('QqiI', cookie, 0, -28, 0))
  print(words.decode(), flush=True)
`;

async function listening(world: OciWorld, times: number): Promise<[string, ChildProcess]> {
  const path = join(world.folder, 'agent');
  const child = spawn('python3', ['-c', agent, path, String(times)], {
    stdio: ['ignore', 'pipe', 'inherit'], timeout: 30_000,
  });
  for (let i = 0; i < 500 && !fs.existsSync(path); i++) await sleep(20);
  return [path, child];
}

const asks = (listenerPath: string, more = {}): object => ({
  defaultAction: 'SCMP_ACT_ALLOW', listenerPath, listenerMetadata: 'of the test',
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_NOTIFY' }], ...more,
});

test('a call may be left to who listens, of the program and of execs', async (t) => {
  const world = await ociWorld(t);
  fs.symlinkSync('busybox', join(world.bundle, 'rootfs', 'bin', 'mkdir'));
  const [path, child] = await listening(world, 2);
  const told = ended(child);
  world.configure((config) => {
    config.process['args'] = ['sh', '-c', 'mkdir /dev/shm/x; exec sleep 60'];
    config.linux['seccomp'] = asks(path);
  });
  const out = fs.openSync(join(world.folder, 'out'), 'a');
  const run = world.start(['run', '--detach', world.id], out);
  run.stdin?.end();
  fs.closeSync(out);
  t.equal((await ended(run)).code, 0);
  const exec = await world.call('exec', world.id, 'mkdir', '/dev/shm/y');
  t.match(exec, { code: 1, stderr: /No space left on device/ });
  t.match(fs.readFileSync(join(world.folder, 'out'), 'utf8'), /x': No space left on device/);
  const { stdout } = await told;
  const [first, second] = stdout.trim().split('\n').map((line): unknown => JSON.parse(line));
  const { pid } = await world.state();
  t.match(first, {
    ociVersion: /^1\./, fds: ['seccompFd'], pid, metadata: 'of the test',
    state: { id: world.id, status: 'creating', bundle: world.bundle, pid },
  });
  t.match(second, { fds: ['seccompFd'], state: { status: 'running', pid } });
});

test('nobody who listens is an error, and leaves nothing', async (t) => {
  const world = await ociWorld(t);
  world.configure(({ linux }) => (linux['seccomp'] = asks(join(world.folder, 'nobody'))));
  const told = await world.call('run', world.id);
  t.match(told, { code: 1, stderr: /seccomp listener \/\S+nobody: no such file/ });
  t.same(world.containers(), []);
});

test('flags are given to the kernel, and architectures beside its own are filtered', async (t) => {
  const world = await ociWorld(t);
  world.configure(({ process: own, linux }) => {
    own['args'] = ['grep', 'Speculation_Store_Bypass\\|Seccomp:', '/proc/self/status'];
    linux['seccomp'] = {
      defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_RISCV64'],
      flags: [
        'SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
        'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
      ],
    };
  });
  t.match(await world.call('run', world.id), { code: 0, stdout: /^Seccomp:\t2$/m });
});

test('a filter that contradicts itself is refused by the path of what is wrong', async (t) => {
  const world = await ociWorld(t);
  const rule = { names: ['mkdir'], action: 'SCMP_ACT_ERRNO' };
  const notify = { ...rule, action: 'SCMP_ACT_NOTIFY' };
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ syscalls: [{ ...rule, action: 'SCMP_ACT_KILL', errnoRet: 1 }] }, /errnoRet: is not of SCMP/],
    [{ syscalls: [{ ...rule, names: [] }] }, /\.syscalls\[0\]\.names: must not be empty/],
    [{ listenerMetadata: 'x' }, /\.listenerMetadata: needs a listenerPath/],
    [{ syscalls: [notify] }, /\.listenerPath: is missing/],
    [{ syscalls: [notify], listenerPath: 'here' }, /\.listenerPath: must be absolute/],
    [{ syscalls: [{ ...notify, names: ['write'] }] }, /names\[0\]: is a call of the start itself/],
    [{ defaultAction: 'SCMP_ACT_NOTIFY' }, /\.defaultAction: must be of some calls/],
    [{ flags: ['SECCOMP_FILTER_FLAG_HOPE'] }, /\.flags\[0\]: must be one of SECCOMP_FILTER_FLAG/],
    [{ architectures: ['SCMP_ARCH_Z80'] }, /\.architectures\[0\]: must be one of SCMP_ARCH_/],
  ];
  for (const [seccomp, stderr] of wrong) {
    world.configure(({ linux }) => {
      linux['seccomp'] = { defaultAction: 'SCMP_ACT_ALLOW', ...seccomp };
    });
    t.match(await world.call('run', world.id), { code: 1, stderr });
  }
});
