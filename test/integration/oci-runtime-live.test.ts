/** What is done to a container of the OCI runtime while it lives. */
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type Test } from 'tap';
import { readHostFacts } from '../../daemon/runtime/host-facts.js';
import { ended, ociWorld, soon, type OciWorld } from '../support/oci-bundle.js';

const isV2 = readHostFacts().cgroups.version === 2;

/** One that runs until it is killed, and counts in /count as long as it is let. */
async function running(t: Test): Promise<OciWorld> {
  const world = await ociWorld(t);
  world.configure((config) => {
    config.process['args'] = ['sh', '-c', 'n=0; while true; do n=$((n+1)); echo $n > /count; done'];
    (config['root'] as Record<string, unknown>)['readonly'] = false;
    config.linux['resources'] = { memory: { limit: 64 * 1024 ** 2 }, pids: { limit: 100 } };
  });
  const out = openSync(join(world.folder, 'out'), 'a');
  const child = world.start(['run', '--detach', world.id], out);
  child.stdin?.end();
  closeSync(out);
  t.equal((await ended(child)).code, 0);
  return world;
}

const count = (world: OciWorld): string =>
  readFileSync(join(world.bundle, 'rootfs', 'count'), 'utf8');

/** What a child has written so far. */
function listen(child: ChildProcess): () => string {
  let said = '';
  child.stdout?.on('data', (text: string | Buffer) => (said += String(text)));
  return () => said;
}

/** It is empty for a moment whenever it is written. */
const moves = (world: OciWorld, from: string): Promise<boolean> =>
  soon(() => !['', from].includes(count(world)));

/** A limit as the kernel has it. */
function limit(world: OciWorld, v1: string, v2: string): string {
  const name = `tsdocker-runtime-${world.id}`;
  const [controller = '', file = ''] = v1.split('/');
  const path = isV2 ? `${name}/${v2}` : `${controller}/${name}/${file}`;
  return readFileSync(join('/sys/fs/cgroup', path), 'utf8').trim();
}

test('a paused container stands still, is told as paused, and goes on', async (t) => {
  const world = await running(t);
  const { id } = world;
  t.match(await world.call('resume', id), { code: 1, stderr: /cannot resume .* is running/ });
  t.match(await world.call('pause', id), { code: 0 });
  const { status, pid } = await world.state();
  t.equal(status, 'paused');
  t.type(pid, 'number');
  const before = count(world);
  await sleep(200);
  t.equal(count(world), before, 'nothing of it runs');
  t.match(await world.call('pause', id), { code: 1, stderr: /cannot pause .* is paused/ });
  t.match(await world.call('start', id), { code: 1, stderr: /is paused/ });
  t.match(await world.call('delete', id), { code: 1, stderr: /not stopped: paused/ });
  t.match(await world.call('exec', id, 'id'), { code: 1, stderr: /in a paused container/ });
  t.match(await world.call('resume', id), { code: 0 });
  t.match(await world.state(), { status: 'running' });
  t.ok(await moves(world, before), 'it goes on');
});

test('a paused container can be killed, or deleted by force', async (t) => {
  const world = await running(t);
  await world.call('pause', world.id);
  t.match(await world.call('kill', world.id, 'KILL'), { code: 0 });
  t.ok(await world.reach('stopped'));
  const other = await running(t);
  await other.call('pause', other.id);
  t.match(await other.call('delete', '--force', other.id), { code: 0 });
  t.same(other.containers(), []);
});

test('limits are changed by flags and by a file, and wrong ones change nothing', async (t) => {
  const world = await running(t);
  const { id } = world;
  t.equal(limit(world, 'memory/memory.limit_in_bytes', 'memory.max'), String(64 * 1024 ** 2));
  t.match(await world.call('update', '--memory', '96m', '--pids-limit', '50', id), { code: 0 });
  t.equal(limit(world, 'memory/memory.limit_in_bytes', 'memory.max'), String(96 * 1024 ** 2));
  t.equal(limit(world, 'pids/pids.max', 'pids.max'), '50');
  const file = join(world.folder, 'limits.json');
  const cpu = { quota: 50_000, period: 100_000 };
  writeFileSync(file, JSON.stringify({ pids: { limit: 60 }, cpu }));
  t.match(await world.call('update', '-r', file, id), { code: 0 });
  t.equal(limit(world, 'pids/pids.max', 'pids.max'), '60');
  t.match(limit(world, 'cpu/cpu.cfs_quota_us', 'cpu.max'), isV2 ? '50000 100000' : '50000');
  t.equal(limit(world, 'memory/memory.limit_in_bytes', 'memory.max'), String(96 * 1024 ** 2));
  const devices = await world.call('exec', id, 'sh', '-c', 'echo x > /dev/null && echo allowed');
  t.equal(devices.stdout, 'allowed\n', 'devices are what they were');
  t.match(await world.call('update', '--memory', 'much', id), { code: 1, stderr: /invalid size/ });
  writeFileSync(file, JSON.stringify({ pids: { limit: 'many' } }));
  t.match(await world.call('update', '-r', file, id), {
    code: 1, stderr: /limits\.json: \$\.pids\.limit: must be a whole number/,
  });
  t.equal(limit(world, 'pids/pids.max', 'pids.max'), '60');
  await world.call('kill', id, 'KILL');
  await world.reach('stopped');
  t.match(await world.call('update', '--pids-limit', '5', id), { code: 1, stderr: /is stopped/ });
});

test('limits that few ask for are in the kernel, and what it lacks is refused', async (t) => {
  const world = await running(t);
  const { id } = world;
  const file = join(world.folder, 'limits.json');
  const give = (limits: unknown): ReturnType<OciWorld['call']> => {
    writeFileSync(file, JSON.stringify(limits));
    return world.call('update', '-r', file, id);
  };
  const quota = { quota: 50_000, period: 100_000 };
  t.match(await give({ cpu: { ...quota, burst: 20_000 } }), { code: 0 });
  t.equal(limit(world, 'cpu/cpu.cfs_burst_us', 'cpu.max.burst'), '20000');
  t.match(await give({ cpu: { idle: 1 } }), { code: 0 });
  t.equal(limit(world, 'cpu/cpu.idle', 'cpu.idle'), '1');
  t.match(await give({ hugepageLimits: [{ pageSize: '3MB', limit: 1 }] }), {
    code: 1, stderr: /have no hugetlb\.3MB\./,
  });
  t.match(await give({ hugepageLimits: [{ pageSize: 'big', limit: 1 }] }), {
    code: 1, stderr: /\$\.hugepageLimits\[0\]\.pageSize: must be like 2MB/,
  });
  const unified = await give({ unified: { 'memory.high': '50000000' } });
  if (isV2) t.equal(limit(world, '', 'memory.high'), '49999872', 'whole pages');
  else t.match(unified, { code: 1, stderr: /memory\.high is of cgroup version 2/ });
  t.match(await give({ unified: { '../x': '1' } }), { code: 1 });
});

test('what it uses is told once, or again and again until it ends', async (t) => {
  const world = await running(t);
  const { id } = world;
  const one = await world.call('events', '--stats', id);
  const line: unknown = JSON.parse(one.stdout);
  t.match(line, { type: 'stats', id, data: { pids: { limit: 100 } } });
  const { data } = line as {
    data: { cpu: { usage: { total: number } }; memory: { usage: { usage: number } } };
  };
  t.ok(data.cpu.usage.total > 0);
  t.ok(data.memory.usage.usage > 0);
  const child = world.start(['events', '--interval', '100ms', id]);
  const said = listen(child);
  const told = ended(child);
  t.ok(await soon(() => said().split('\n').length > 2));
  await world.call('kill', id, 'KILL');
  t.equal((await told).code, 0, 'it ends with the container');
  t.match(await world.call('events', id), { code: 1, stderr: /not running/ });
});

test('running out of memory is told', async (t) => {
  const world = await running(t);
  const child = world.start(['events', '--interval', '100ms', world.id]);
  const said = listen(child);
  const told = ended(child);
  t.ok(await soon(() => said().includes('\n')), 'it watches');
  const eater = 'x=a; while true; do x=$x$x$x$x; done';
  t.not((await world.call('exec', world.id, 'sh', '-c', eater)).code, 0);
  t.ok(await soon(() => /^\{"type":"oom","id":/m.test(said())));
  await world.call('kill', world.id, 'KILL');
  t.match(await told, { code: 0 });
});

test('an exec has the caller\'s streams, and ends with its program\'s code', async (t) => {
  const world = await running(t);
  const { id } = world;
  const before = readdirSync(join(world.root, id)).sort();
  const child = world.start(['exec', id, 'sh', '-c', 'cat; echo wrong >&2; exit 5', '--flag']);
  child.stdin?.end('hello\n');
  t.match(await ended(child), { code: 5, stdout: 'hello\n', stderr: 'wrong\n' });
  const who =
    'id -u; id -g; pwd; echo $A$B; grep NoNewPrivs /proc/self/status; ls /proc | grep -c ^1$';
  const { stdout } = await world.call(
    'exec', '-u', '1000:1001', '--cwd', '/bin', '-e', 'A=1', '--env', 'B=2', id, 'sh', '-c', who,
  );
  t.match(stdout, /^1000\n1001\n\/bin\n12\nNoNewPrivs:\t1\n1\n$/);
  t.match(await world.call('exec', id, 'nothing'), {
    code: 1, stderr: /exec: "nothing": executable file not found in \$PATH/,
  });
  t.match(await world.call('exec', id), { code: 1, stderr: /needs a command/ });
  t.match(await world.call('exec', '-u', 'root', id, 'id'), { code: 1, stderr: /root is no id/ });
  t.same(readdirSync(join(world.root, id)).sort(), before, 'nothing is left of them');
});

test('a detached exec is its caller\'s to wait for, and may be described by a file', async (t) => {
  const world = await running(t);
  const file = join(world.folder, 'process.json');
  const pidFile = join(world.folder, 'exec.pid');
  writeFileSync(file, JSON.stringify({
    args: ['sh', '-c', 'echo $HERE > /told; sleep 100'], cwd: '/', env: ['PATH=/bin', 'HERE=yes'],
    user: { uid: 0, gid: 0 },
  }));
  const out = openSync(join(world.folder, 'exec-out'), 'a');
  const child = world.start(
    ['exec', '--detach', '--pid-file', pidFile, '--process', file, world.id], out,
  );
  child.stdin?.end();
  closeSync(out);
  t.equal((await ended(child)).code, 0);
  const pid = Number(readFileSync(pidFile, 'utf8'));
  t.ok(existsSync(`/proc/${pid}`));
  const told = join(world.bundle, 'rootfs', 'told');
  t.ok(await soon(() => existsSync(told) && readFileSync(told, 'utf8') === 'yes\n'));
  const pids: unknown = JSON.parse((await world.call('ps', '-f', 'json', world.id)).stdout);
  t.ok(Array.isArray(pids) && pids.includes(pid), 'it is in the container\'s group');
  writeFileSync(file, JSON.stringify({
    args: ['grep', 'Cpus_allowed_list', '/proc/self/status'], cwd: '/', env: ['PATH=/bin'],
    execCPUAffinity: { initial: '0', final: '0' },
  }));
  const bound = await world.call('exec', '--process', file, world.id);
  t.equal(bound.stdout, 'Cpus_allowed_list:\t0\n');
  writeFileSync(file, JSON.stringify({ args: ['sh'], cwd: 'here', env: [] }));
  t.match(await world.call('exec', '--process', file, world.id), {
    code: 1, stderr: /process\.json: \$\.cwd: must be absolute/,
  });
});
