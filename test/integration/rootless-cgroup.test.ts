/** `--rootless` where a control group was delegated: limits, figures, and their end. */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test, type Test } from 'tap';
import { logText, output, run, stateOf, until } from '../support/containers.js';
import type { TestDaemon } from '../support/daemon.js';
import {
  childrenOf, controllers, ownGroup, pidsIn, read, session, skipWithoutGroups,
} from '../support/delegated-group.js';
import { importDemoImage } from '../support/demo-image.js';
import { processesOf } from '../support/leaks.js';
import { startRootless } from '../support/ordinary-user.js';

const needs = { skip: skipWithoutGroups(), timeout: 240_000 };
const mebibyte = 2 ** 20;
/** No kernel that has this suite need have nftables. */
const alone = { NetworkMode: 'none' };

async function begin(t: Test, group: string): Promise<TestDaemon> {
  const daemon = await startRootless(t, { isBridgeless: true }, { group });
  await importDemoImage(daemon.api);
  return daemon;
}

const groupOf = (group: string, { rootId }: TestDaemon, id: string): string =>
  join(ownGroup(group), `tsdocker-${rootId}`, id);

async function execute({ api }: TestDaemon, id: string, ...Cmd: string[]): Promise<void> {
  const made = await api.post(`/containers/${id}/exec`, { Cmd });
  const started = await api.post(`/exec/${String(made.json.Id)}/start`, { Detach: true });
  if (started.status !== 200) throw new Error(`exec: ${started.status} ${started.text}`);
}

const memory = (bytes: number): object => ({ ...alone, Memory: bytes, MemorySwap: bytes });

/** With the daemon that the tests of one group share, for its start takes long there. */
type Fact = (t: Test, daemon: TestDaemon, group: string) => Promise<void>;

const limits: Fact = async (t, daemon, group) => {
  const { json: info } = await daemon.api.get('/info');
  t.match(info, {
    CgroupDriver: 'cgroupfs', CgroupVersion: '2', MemoryLimit: true, PidsLimit: true,
  });
  t.notMatch(String(info.Warnings), /No .* support/);
  const answer = await daemon.api.post('/containers/create', {
    Image: 'tsdocker-demo',
    Cmd: ['sh', '-c', 'cat /proc/self/cgroup /sys/fs/cgroup/memory.max; exec sleep 1000'],
    HostConfig: {
      ...alone, Memory: 64 * mebibyte, CpuPeriod: 100_000, CpuQuota: 50_000, PidsLimit: 30,
    },
  });
  t.same(answer.json.Warnings, [], 'nothing is discarded, and no device is told of');
  const id = String(answer.json.Id);
  t.equal((await daemon.api.post(`/containers/${id}/start`)).status, 204);
  const folder = groupOf(group, daemon, id);
  const told = (): readonly string[] =>
    ['memory.max', 'cpu.max', 'pids.max'].map((name) => read(join(folder, name)));
  t.same(told(), [String(64 * mebibyte), '50000 100000', '30']);
  await until('it has said where it is', async () => (await logText(daemon, id)).length > 10);
  t.equal(await logText(daemon, id), `0::/\n${64 * mebibyte}\n`, 'and sees its own alone');
  await until('its first command has ended', async () => pidsIn(folder).length === 1);
  t.same(pidsIn(folder), [String((await stateOf(daemon, id)).Pid)], 'it is alone there');
  const update = { Memory: 96 * mebibyte, MemorySwap: -1, PidsLimit: 40, CpuQuota: 20_000 };
  t.match(await daemon.api.post(`/containers/${id}/update`, update), { status: 200 });
  t.same(told(), [String(96 * mebibyte), '20000 100000', '40'], 'also while it lives');
};

const places: Fact = async (t, daemon, group) => {
  const id = await run(daemon, { command: ['sleep', '1000'], host: alone });
  const own = ownGroup(group);
  t.equal(read(join(own, 'cgroup.procs')), '', 'the group itself has no process');
  for (const each of controllers) t.match(read(join(own, 'cgroup.subtree_control')), each);
  const leaf = pidsIn(join(own, 'tsdocker-rootless'));
  const names = leaf.map((pid) => read(`/proc/${pid}/comm`));
  t.ok(leaf.includes(String(daemon.pid())), 'the daemon is in the leaf');
  t.ok(names.includes('tsdocker-hold'), 'and so is who holds the namespaces');
  t.ok(names.includes('tsdocker-shim'), 'and the shims');
  await execute(daemon, id, 'sleep', '999');
  const folder = groupOf(group, daemon, id);
  await until('both are there', async () => pidsIn(folder).length === 2);
};

const figures: Fact = async (t, daemon, group) => {
  const command = ['sh', '-c', 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 1000'];
  const host = { ...memory(64 * mebibyte), PidsLimit: 30 };
  const id = await run(daemon, { command, host });
  const path = `/containers/${id}/stats?stream=false&one-shot=1`;
  await until('it has used the processor', async () => {
    const { json } = await daemon.api.get(path);
    return Number(json.cpu_stats.cpu_usage.total_usage) > 1_000_000;
  });
  const { json: stats } = await daemon.api.get(path);
  t.match(stats, { memory_stats: { limit: 64 * mebibyte }, pids_stats: { limit: 30 } });
  t.ok(Number(stats.memory_stats.usage) > 0);
  t.ok(Number(stats.pids_stats.current) > 0);
  const events = join(groupOf(group, daemon, id), 'cgroup.events');
  t.equal((await daemon.api.post(`/containers/${id}/pause`)).status, 204);
  t.match(read(events), /frozen 1/);
  t.equal((await stateOf(daemon, id)).Status, 'paused');
  t.equal((await daemon.api.post(`/containers/${id}/unpause`)).status, 204);
  t.match(read(events), /frozen 0/);
};

const greed: Fact = async (t, daemon) => {
  const command = ['sh', '-c', 'x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done'];
  const id = await run(daemon, { command, host: memory(24 * mebibyte) });
  await until('it has ended', async () => (await stateOf(daemon, id)).Status === 'exited', 60_000);
  t.match(await stateOf(daemon, id), { OOMKilled: true, ExitCode: 137 });
};

test('a delegated group limits, counts and pauses', needs, async (t) => {
  const group = session(t);
  const daemon = await begin(t, group);
  const facts: readonly (readonly [string, Fact])[] = [
    ['limits are the kernel\'s, and change while a container lives', limits],
    ['who is no container is in a leaf; an exec is where its container is', places],
    ['a container has figures, and is paused', figures],
    ['one that asks for too much memory is killed, and that is told', greed],
  ];
  for (const [name, fact] of facts) {
    await t.test(name, (inner) => fact(inner, daemon, group));
  }
});

test('a daemon from another group finds its way back, and nothing is left', needs, async (t) => {
  const group = session(t);
  const daemon = await begin(t, group);
  const id = await run(daemon, { command: ['sleep', '1000'], host: { ...alone, PidsLimit: 30 } });
  const own = ownGroup(group);
  const folder = groupOf(group, daemon, id);
  const bystander = spawn('sleep', ['1000'], { stdio: 'ignore' });
  t.teardown(() => bystander.kill('SIGKILL'));
  fs.writeFileSync(join(own, 'tsdocker-rootless', 'cgroup.procs'), String(bystander.pid));
  const before = await stateOf(daemon, id);
  await daemon.kill9();
  await daemon.start();
  t.equal(childrenOf(group).length, 2, 'it began in a group of its own');
  t.ok(pidsIn(join(own, 'tsdocker-rootless')).includes(String(daemon.pid())));
  t.same(await stateOf(daemon, id), before, 'the container is adopted');
  await execute(daemon, id, 'sleep', '999');
  await until('both are there', async () => pidsIn(folder).length === 2);
  await daemon.api.post(`/containers/${id}/update`, { PidsLimit: 40 });
  t.equal(read(join(folder, 'pids.max')), '40');
  t.equal((await daemon.api.post(`/containers/${id}/pause`)).status, 204);
  t.equal((await daemon.api.post(`/containers/${id}/unpause`)).status, 204);
  t.equal((await output(daemon, { command: ['true'], host: alone })).code, 0, 'another one starts');
  t.equal((await daemon.api.post(`/containers/${id}/restart?t=0`)).status, 204);
  t.equal(read(join(folder, 'pids.max')), '40');
  t.equal((await daemon.api.delete(`/containers/${id}?force=1`)).status, 204);
  await daemon.stop();
  await until('the groups are gone', async () => childrenOf(own).length === 0, 90_000);
  t.equal(read(join(own, 'cgroup.subtree_control')), '');
  await until('so are the processes', async () => processesOf(daemon).length === 0, 30_000);
  t.same(pidsIn(own), [String(bystander.pid)], 'whoever was there before is there again');
});

test('when the holder is killed, the next daemon limits in another group', needs, async (t) => {
  const group = session(t);
  const daemon = await begin(t, group);
  const id = await run(daemon, { command: ['sleep', '1000'], host: { ...alone, PidsLimit: 30 } });
  const first = ownGroup(group);
  const pids = pidsIn(join(first, 'tsdocker-rootless')).map(Number);
  const holder = pids.find((pid) => read(`/proc/${pid}/comm`) === 'tsdocker-hold') ?? 0;
  t.ok(holder > 0);
  process.kill(holder, 'SIGKILL');
  await daemon.kill9();
  await daemon.start();
  t.equal((await stateOf(daemon, id)).Status, 'running', 'the container has not ended');
  t.equal((await daemon.api.post(`/containers/${id}/restart?t=0`)).status, 204);
  const groups = childrenOf(group).filter((each) => each !== first);
  t.equal(groups.length, 1);
  const folder = join(groups[0] ?? '', `tsdocker-${daemon.rootId}`, id);
  t.equal(read(join(folder, 'pids.max')), '30');
  t.same(pidsIn(folder), [String((await stateOf(daemon, id)).Pid)]);
});

test('without a group of the user\'s there are none', needs, async (t) => {
  const daemon = await startRootless(t, { isBridgeless: true });
  await importDemoImage(daemon.api);
  t.match((await daemon.api.get('/info')).json, { CgroupDriver: 'none', CgroupVersion: '2' });
  const limited = { command: ['true'], host: { ...alone, PidsLimit: 30 } };
  t.equal((await output(daemon, limited)).code, 0);
});
