import * as fs from 'node:fs';
import { test, type Test } from 'tap';
import type { MountRecipe } from '../../storage-drivers/driver.js';
import { until } from '../support/containers.js';
import {
  openRuntimeWorld, type ContainerOptions, type RuntimeWorld,
} from '../support/runtime-world.js';

/** An overlay cannot lie on another: where the root is one already, the tests need a plain disk. */
function world(t: Test): RuntimeWorld {
  const opened = openRuntimeWorld(process.env['TSDOCKER_TEST_DIR']);
  t.teardown(() => opened.close());
  return opened;
}

const shell = (script: string): readonly string[] => ['sh', '-c', script];

test('--init is PID 1, reaps, and hands the exit code on', async (t) => {
  const { run } = world(t);
  const { output, exit } = await run({
    command: shell('cat /proc/1/comm; echo $$; exit 7'), host: { Init: true },
  });
  t.match(output, /^docker-init\n[2-9]\n$/);
  t.equal(exit.exitCode, 7);
});

test('a TTY is a terminal with a size, on /dev/console and the three streams', async (t) => {
  const { run } = world(t);
  const { output } = await run({
    command: shell(
      'tty; stty size; echo $TERM; stat -c %t:%T /dev/console; test -t 0 && test -t 2 && echo yes',
    ),
    config: { Tty: true }, host: { ConsoleSize: [30, 100] },
  });
  t.equal(output.replace(/\r/g, ''), '/dev/pts/0\n30 100\nxterm\n88:0\nyes\n');
});

test('stdin reaches the process, and its end', async (t) => {
  const { create } = world(t);
  const task = await create({ command: ['cat'], config: { OpenStdin: true, StdinOnce: true } });
  const stream = await task.attach({
    stdin: true, stdout: true, stderr: true, framed: false, detachKeys: new Uint8Array(),
  });
  await task.start();
  stream.end('hello');
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  t.equal(Buffer.concat(chunks).toString(), 'hello');
  t.equal((await task.exited).exitCode, 0);
});

test('exit codes are the process\'s own, 128+n after a signal', async (t) => {
  const { run, create } = world(t);
  t.equal((await run({ command: shell('exit 42') })).exit.exitCode, 42);
  const task = await create({ command: ['sleep', '60'] });
  await task.start();
  t.equal(await task.signal(9), true);
  t.equal((await task.exited).exitCode, 137);
  t.equal(await task.signal(9), false);
});

test('a command that cannot run is refused in the words that clients match', async (t) => {
  const { run, runtime, rootId } = world(t);
  const refusal = (...command: string[]): Promise<unknown> => run(
    { command, files: { '/etc/plain': 'x' } },
  );
  await t.rejects(refusal('nosuch'), {
    kind: 'InvalidParameter',
    message: /exec: "nosuch": executable file not found in \$PATH: unknown/,
  });
  await t.rejects(
    refusal('/nosuch'), { message: /exec: "\/nosuch": stat \/nosuch: no such file or directory/ },
  );
  await t.rejects(refusal('/etc/plain'), { message: /exec: "\/etc\/plain": permission denied/ });
  await t.rejects(refusal('/etc'), { message: /permission denied/ });
  const { cgroups } = runtime.host;
  const mount = cgroups.version === 2 ? cgroups.mount : (cgroups.hierarchies[0]?.mount ?? '');
  const left = fs.readdirSync(`${mount}/tsdocker-${rootId}`, { withFileTypes: true });
  t.same(left.filter((entry) => entry.isDirectory()), [], 'no cgroup is left');
});

test('a network that cannot be set up ends the launch, and leaves nothing', async (t) => {
  const { create, runtime } = world(t);
  const seen: number[] = [];
  await t.rejects(
    create(
      { command: ['true'], onCreated: (pid) => {
        seen.push(pid);
        return Promise.reject(new Error('no network'));
      } },
    ),
    { message: 'no network' },
  );
  const [pid = 0] = seen;
  t.ok(pid > 0);
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  t.same(await runtime.sweep(new Set()), []);
});

test('a paused container stands still, and goes on', async (t) => {
  const { create } = world(t);
  const task = await create({ command: ['sleep', '60'] });
  await task.start();
  await task.pause();
  await task.signal(15);
  t.equal(
    await Promise.race([task.exited, new Promise((r) => setTimeout(r, 100, 'alive'))]), 'alive',
  );
  await task.unpause();
  await task.signal(9);
  t.equal((await task.exited).exitCode, 137);
});

test('limits are in the group, and figures come out of it', async (t) => {
  const { runtime, request, record } = world(t);
  const options: ContainerOptions = {
    command: shell('while :; do :; done'),
    host: { Memory: 64 * 2 ** 20, PidsLimit: 20, CpuShares: 512, NanoCpus: 5e8 },
  };
  const rec = record(options);
  const task = await runtime.create(request(rec, options));
  t.teardown(async () => { await task.signal(9); await task.exited; await task.dispose(); });
  await task.start();
  const group = runtime.cgroup(rec);
  t.same(group.pids(), [task.pid]);
  const stats = group.stats();
  t.equal(stats.memory.limitBytes, 64 * 2 ** 20);
  t.equal(stats.pids.limit, 20);
  t.equal(stats.pids.current, 1);
  // A kernel that counts by its tick sees nothing of what ran between two of them.
  await until('time on the processor', () => Promise.resolve(group.stats().cpu.totalNs > 0));
  group.update(
    { devices: [], pids: { limit: 30 }, memory: { limit: 128 * 2 ** 20, swap: 256 * 2 ** 20 } },
  );
  t.equal(group.stats().pids.limit, 30);
  t.equal(group.stats().memory.limitBytes, 128 * 2 ** 20);
});

test('a process that takes too much memory is killed, and that is told', async (t) => {
  const { run } = world(t);
  const { exit } = await run({
    command: shell(
      'yes | tr \\n x | head -c 100000000 | sort >/dev/null; exit 3',
    ), host: { Memory: 8 * 2 ** 20, MemorySwap: 8 * 2 ** 20 },
  });
  t.equal(exit.oomKilled, true);
});

test('it is told while the container lives, to whoever asks', async (t) => {
  const { runtime, request, record, reopen } = world(t);
  const options: ContainerOptions = {
    command: shell('(yes | tr \\n x | head -c 100000000 | sort >/dev/null); sleep 60'),
    host: { Memory: 8 * 2 ** 20, MemorySwap: 8 * 2 ** 20 },
  };
  const rec = record(options);
  const task = await runtime.create(request(rec, options));
  t.teardown(async () => { await task.signal(9); await task.exited; await task.dispose(); });
  const turn = task.oomTurn(0n);
  await task.start();
  const kills = await turn;
  t.ok(kills >= 1n, `${kills} killed`);
  t.ok(await task.signal(0), 'its first process lives');
  const found = await reopen().adopt(rec);
  t.ok(found !== undefined && 'task' in found);
  if (found === undefined || !('task' in found)) return;
  t.ok(await found.task.oomTurn(0n) >= 1n, 'the next daemon is told too');
});

test('another daemon finds the task again, and its end', async (t) => {
  const { runtime, request, record, reopen } = world(t);
  const options: ContainerOptions = { command: shell('sleep 60; exit 5') };
  const rec = record(options);
  const first = await runtime.create(request(rec, options));
  await first.start();
  const found = await reopen().adopt(rec);
  t.ok(found !== undefined && 'task' in found);
  if (found === undefined || !('task' in found)) return;
  t.equal(found.task.pid, first.pid);
  t.equal(found.task.shimPid, first.shimPid);
  await found.task.signal(9);
  t.equal((await found.task.exited).exitCode, 137);
  await found.task.dispose();
  const after = await reopen().adopt(rec);
  t.match(after, { exit: { exitCode: 137 } });
});

test('a sweep ends what nobody knows, and nothing else', async (t) => {
  const { create, runtime, record, reopen } = world(t);
  const known = await create({ command: ['sleep', '60'] });
  const unknown = await create({ command: ['sleep', '60'] });
  await known.start();
  await unknown.start();
  const removed = await reopen().sweep(new Set([known.containerId]));
  t.ok(removed.includes(`shim ${unknown.containerId.slice(0, 16)}`));
  t.equal((await unknown.exited).exitCode, 137);
  t.equal(await known.signal(0), true);
  t.equal(await runtime.adopt(record({ command: ['true'] })), undefined);
});

test('nothing of ours is mounted in the host\'s view', async (t) => {
  const { run, folder } = world(t);
  await run({ command: ['true'] });
  t.notMatch(fs.readFileSync('/proc/self/mountinfo', 'utf8'), folder);
});

test('ulimits hold, as far as this daemon may raise them', async (t) => {
  const { run, warnings } = world(t);
  const output = async (script: string, options: Omit<ContainerOptions, 'command'>) =>
    (await run({ ...options, command: shell(script) })).output.trimEnd();
  t.equal(
    await output('ulimit -Sn; ulimit -Hn; ulimit -c', {
      host: {
        Ulimits: [{ Name: 'nofile', Soft: 100, Hard: 200 }, { Name: 'core', Soft: 0, Hard: 0 }],
      },
    }),
    '100\n200\n0',
  );
  const most = Number(fs.readFileSync('/proc/sys/fs/nr_open', 'utf8'));
  const huge = await output(
    'ulimit -Hn', { host: { Ulimits: [{ Name: 'nofile', Soft: 1, Hard: most }] } },
  );
  t.match(huge, /^\d+$/);
  await output('true', { host: { Ulimits: [{ Name: 'nofile', Soft: 1, Hard: most }] } });
  t.ok(warnings.length <= 1, 'told once');
});

test('an overlay of layers is the root, and only its upper folder is written', async (t) => {
  const { runtime, request, record, folder } = world(t);
  const at = (name: string): string => `${folder}/${name}`;
  for (const name of ['one/bin', 'two/etc', 'upper', 'work', 'short']) {
    fs.mkdirSync(at(name), { recursive: true });
  }
  fs.copyFileSync('/bin/busybox', at('one/bin/busybox'));
  fs.writeFileSync(at('two/etc/passwd'), 'ann:x:5:6::/:\n');
  const rootfs = overlayAt(at);
  const create = (options: ContainerOptions): ReturnType<typeof runtime.create> =>
    runtime.create({ ...request(record(options), options), rootfs });
  const stranger: ContainerOptions = { command: ['x'], config: { User: 'ann:ann' } };
  await t.rejects(create(stranger), { message: /unable to find group ann/ });
  const task = await create({ command: ['/bin/busybox', 'touch', '/tmp-file'] });
  await task.start();
  t.equal((await task.exited).exitCode, 0);
  await task.dispose();
  t.ok(fs.existsSync(at('upper/tmp-file')));
  t.notOk(fs.existsSync(at('one/tmp-file')) || fs.existsSync(at('two/tmp-file')));
});

function overlayAt(at: (name: string) => string): MountRecipe {
  fs.rmSync(at('short'), { recursive: true });
  fs.mkdirSync(at('short'));
  fs.symlinkSync(at('one'), at('short/A'));
  fs.symlinkSync(at('two'), at('short/B'));
  return {
    kind: 'overlay', lowerdirs: [at('two'), at('one')], upperdir: at('upper'), workdir: at('work'),
    volatile: false, options: [], shortNames: { dir: at('short'), lowerdir: 'B:A' },
  };
}
