/** Figures, processes and limits of real containers. */
import { readFileSync } from 'node:fs';
import type { Test } from 'tap';
import { test } from 'tap';
import type { ContainerCPUStats, ContainerStatsResponse } from '../../api-spec/index.js';
import { create, run, until } from '../support/containers.js';
import type { TestDaemon } from '../support/daemon.js';
import { startDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { docker } from '../support/docker-cli.js';

async function world(t: Test, command = ['sleep', '1000'], host: object = {}) {
  const daemon = await startDaemon(t);
  await importDemoImage(daemon.api);
  return { daemon, id: await run(daemon, { name: 'box', command, host }) };
}

async function sample({ api }: TestDaemon, query: string): Promise<ContainerStatsResponse> {
  return (await api.get(`/containers/box/stats?${query}`)).json as ContainerStatsResponse;
}

test('a sample tells what a busy container uses', async (t) => {
  const busy = ['sh', '-c', 'while :; do :; done'];
  const { daemon, id } = await world(t, busy, { Memory: 67_108_864, NanoCpus: 200_000_000 });
  const now = await sample(daemon, 'stream=false');
  t.match(now, {
    id, name: '/box', memory_stats: { limit: 67_108_864 }, pids_stats: { current: 1 },
  });
  t.ok((now.memory_stats?.usage ?? 0) > 0);
  t.ok((now.cpu_stats?.throttling_data.throttled_periods ?? 0) > 0, 'it is held back');
  const total = (cpu: ContainerCPUStats | undefined): number => cpu?.cpu_usage.total_usage ?? 0;
  const used = total(now.cpu_stats) - total(now.precpu_stats);
  t.ok(used > 50e6 && used < 600e6, `a fifth of a second in a second: ${used}`);
  t.ok((now.cpu_stats?.system_cpu_usage ?? 0) > (now.precpu_stats?.system_cpu_usage ?? 0));
  t.match(now.networks, { eth0: { rx_errors: 0, tx_bytes: Number } });
  const once = await sample(daemon, 'stream=false&one-shot=true');
  t.match(once, {
    preread: '0001-01-01T00:00:00Z', precpu_stats: { cpu_usage: { total_usage: 0 } },
  });
  t.equal((await daemon.api.get('/containers/box/stats?stream=true&one-shot=true')).status, 400);
  const format = '{{.Name}} {{.PIDs}} {{.MemUsage}}';
  const host = `unix://${daemon.socket}`;
  const shown = await docker(host, ['stats', '--no-stream', '--format', format]);
  t.match(shown, { code: 0, stdout: /^box 1 \S+ \/ 64MiB\n$/ });
});

test('traffic is counted where it passes', async (t) => {
  const script = 'ping -c 3 -s 1000 -W 5 $(ip route | awk "/default/ { print \\$3 }"); sleep 600';
  const { daemon } = await world(t, ['sh', '-c', script]);
  const eth0 = async () =>
    (await sample(daemon, 'stream=false&one-shot=true')).networks?.['eth0'];
  await until('it has been heard', async () => ((await eth0())?.rx_bytes ?? 0) >= 3000, 60_000);
  const seen = await eth0();
  t.ok((seen?.tx_bytes ?? 0) >= 3000, `${seen?.tx_bytes} bytes sent`);
  t.ok((seen?.rx_packets ?? 0) >= 3 && (seen?.tx_packets ?? 0) >= 3, 'packets too');
});

test('a stream goes on until the container is removed', async (t) => {
  const { daemon } = await world(t);
  const response = await daemon.api.open('/containers/box/stats');
  const lines: string[] = [];
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if (!text.endsWith('\n')) continue;
    lines.push(...text.trim().split('\n'));
    text = '';
    if (lines.length === 1) await daemon.api.post('/containers/box/kill');
    if (lines.length === 2) await daemon.api.delete('/containers/box');
  }
  const [live, dead] = lines.map((line) => JSON.parse(line) as ContainerStatsResponse);
  t.match(live, { name: '/box', pids_stats: { current: 1 } });
  t.match(dead, { name: '/box', read: '0001-01-01T00:00:00Z', memory_stats: {} });
});

test('top shows the processes of the container and of no other', async (t) => {
  const { daemon, id } = await world(t, ['sh', '-c', 'sleep 4321; true']);
  const { Pid } = (await daemon.api.get(`/containers/${id}/json`)).json.State;
  const all = (await daemon.api.get('/containers/box/top')).json;
  t.same(all.Titles, ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD']);
  t.match(all.Processes, [
    ['root', String(Pid), String, String, String, '?', String, 'sh -c sleep 4321; true'],
    ['root', String, String(Pid), String, String, '?', String, 'sleep 4321'],
  ]);
  t.equal(all.Processes.length, 2);
  t.match((await daemon.api.get('/containers/box/top?ps_args=-eo%20pid,comm')).json, {
    Titles: ['PID', 'COMMAND'], Processes: [[String(Pid), 'sh'], [String, 'sleep']],
  });
  const top = (args: string) =>
    daemon.api.get(`/containers/box/top?ps_args=${encodeURIComponent(args)}`);
  const unknown = 'ps: error: unknown gnu long option';
  const noPid = "Couldn't find PID field in ps output";
  t.match(await top('-o cmd'), { status: 500, json: { message: noPid } });
  t.match(await top('--nosuch'), { status: 500, json: { message: unknown } });
  t.match(await top('-o ppid=PID'), { status: 400 });
  await daemon.api.post('/containers/box/kill');
  t.match(await top(''), { status: 409, json: { message: `container ${id} is not running` } });
});

test('new limits hold at once, and are remembered', async (t) => {
  const { daemon, id } = await world(t);
  const update = (body: object) => daemon.api.post('/containers/box/update', body);
  t.match(await update({}), { status: 200, json: { Warnings: null } });
  const MiB = 2 ** 20;
  const limits = {
    Memory: 64 * MiB, MemorySwap: 128 * MiB, PidsLimit: 77, NanoCpus: 500_000_000, CpusetCpus: '0',
  };
  t.match(await update(limits), { status: 200, json: { Warnings: null } });
  t.match((await daemon.api.get(`/containers/${id}/json`)).json.HostConfig, limits);
  t.match(await sample(daemon, 'stream=false&one-shot=true'), {
    memory_stats: { limit: 64 * MiB }, pids_stats: { limit: 77 },
  });
  const { Pid } = (await daemon.api.get(`/containers/${id}/json`)).json.State;
  t.match(readFileSync(`/proc/${Pid}/status`, 'utf8'), /Cpus_allowed_list:\t0\n/);
  t.match(await update({ PidsLimit: -1, Memory: 96 * MiB }), { status: 200 });
  const later = await sample(daemon, 'stream=false&one-shot=true');
  t.equal(later.memory_stats?.limit, 96 * MiB);
  t.equal(later.pids_stats?.limit, undefined);
  const policy = { Name: 'on-failure', MaximumRetryCount: 3 };
  t.match(await update({ RestartPolicy: policy }), { status: 200 });
  t.match((await daemon.api.get(`/containers/${id}/json`)).json.HostConfig.RestartPolicy, policy);
});

test('limits that do not go together are refused, and change nothing', async (t) => {
  const { daemon, id } = await world(t);
  const refused = async (body: object, status: number, message: string): Promise<void> => {
    const answer = await daemon.api.post('/containers/box/update', body);
    t.match(answer, { status, json: { message } }, JSON.stringify(body));
  };
  const prefix = `Cannot update container ${id}: `;
  await refused({ Memory: 1000 }, 400, 'Minimum memory limit allowed is 6MB');
  const swap = 'Memory limit should be smaller than already set memoryswap limit';
  await refused({ Memory: 2 ** 25 }, 409, prefix + swap);
  await refused({ CpusetCpus: '7777' }, 400, 'Requested CPUs are not available');
  const unknown = "invalid restart policy: unknown policy 'x'";
  await refused({ RestartPolicy: { Name: 'x' } }, 400, unknown);
  await daemon.api.post('/containers/box/update', { NanoCpus: 500_000_000 });
  const period = 'CPU Period cannot be updated as NanoCPUs has already been set';
  await refused({ CpuPeriod: 50_000 }, 409, `${prefix}Conflicting options: ${period}`);
  const { HostConfig } = (await daemon.api.get(`/containers/${id}/json`)).json;
  t.match(HostConfig, { Memory: 0, CpuPeriod: 0 });
  await create(daemon, { name: 'brief', command: ['true'], host: { AutoRemove: true } });
  const policy = { RestartPolicy: { Name: 'always' } };
  const why = 'Restart policy cannot be updated because AutoRemove is enabled';
  t.match(await daemon.api.post('/containers/brief/update', policy), {
    status: 409, json: { message: new RegExp(why) },
  });
  t.equal((await daemon.api.post('/containers/nosuch/update', {})).status, 404);
});
