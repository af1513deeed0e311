import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'tap';
import { launch } from '../../native/index.js';
import { builtFile, tsdocker } from '../../native/libc.js';
import { reaped } from '../../native/shim/reaping.js';
import { spawn } from '../../native/spawn.js';
import { containerProgram, monitorIn, openStep, shell, slots } from '../support/launch-programs.js';
import { containerDir } from '../support/shim-container.js';

const memoryRoot = '/sys/fs/cgroup/memory';
const noMemory = existsSync(`${memoryRoot}/tasks`) ? false : 'no cgroup v1 memory here';

test('a process that the kernel kills for memory is told apart', { skip: noMemory }, async (t) => {
  const dir = containerDir(t);
  const cgroup = join(memoryRoot, basename(dir));
  mkdirSync(cgroup);
  t.teardown(() => rmdirSync(cgroup));
  writeFileSync(join(cgroup, 'memory.limit_in_bytes'), '8388608');
  const argv = shell('exec dd if=/dev/zero of=/dev/null bs=64M count=1');
  const container = { rootfs: join(dir, 'root'), argv };
  const program = containerProgram(container);
  const joinCgroup = [
    openStep(slots.free, join(cgroup, 'tasks'), 1),
    { op: 'write', fd: slots.free, bytes: Buffer.from('0') },
  ] as const;
  const launching = await launch({
    program: { ...program, init: [...joinCgroup, ...program.init] },
    monitor: monitorIn(dir, container, { oomFiles: [join(cgroup, 'memory.oom_control')] }),
  });
  await launching.open();
  t.match(await launching.shim.exited, { exitCode: 137, signal: 9, oomKilled: true });
  await launching.shim.bye();
});

test('where memfds may not be executed, the shim runs from a read-only mount', async (t) => {
  const fd = tsdocker().tsd_open_read_only(builtFile('tsdocker-shim'));
  t.ok(fd >= 0);
  t.teardown(() => closeSync(fd));
  t.throws(() => openSync(`/proc/self/fd/${fd}`, 'r+'), { code: 'EROFS' });
  const dir = containerDir(t);
  const seen = openSync(join(dir, 'seen'), 'w');
  t.teardown(() => closeSync(seen));
  const argv = ['docker-init', '--', ...shell('exec >&3; pwd; exec ls /proc/self/fd')];
  const pid = await spawn(fd, argv, { fds: [-1, -1, -1, seen] });
  await reaped(pid);
  const text = readFileSync(join(dir, 'seen'), 'utf8');
  // The last is the folder that ls reads.
  t.equal(text, '/\n0\n1\n2\n3\n4\n', 'and inherits what it was given');
});

test('starting a shim costs far less than a fork of Node', async (t) => {
  const fd = tsdocker().tsd_open_read_only(builtFile('tsdocker-shim'));
  t.teardown(() => closeSync(fd));
  const times: number[] = [];
  for (let i = 0; i < 21; i++) {
    const startedMs = performance.now();
    const pid = await spawn(fd, ['tsdocker-shim', 'nothing'], { fds: [-1, -1, -1] });
    times.push(performance.now() - startedMs);
    await reaped(pid);
  }
  const median = times.sort((a, b) => a - b)[10] ?? Infinity;
  t.comment(`median ${median.toFixed(2)} ms`);
  t.ok(median < 5, `${median} ms, on a machine that others use too`);
});
