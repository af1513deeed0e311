/**
 * Figures of a container, told as they are with either version of control groups: without a
 * network, so that the suite runs on the user-mode kernel, too.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test, type Test } from 'tap';
import type { ContainerStatsResponse } from '../../api-spec/index.js';
import { run, until } from '../support/containers.js';
import { startDaemon, type TestDaemon } from '../support/daemon.js';
import { importDemoImage } from '../support/demo-image.js';
import { docker } from '../support/docker-cli.js';

const command = promisify(execFile);
const mebibyte = 2 ** 20;
const isV2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
const needsRoot = {
  skip: process.getuid?.() === 0 ? false : 'a daemon needs root', timeout: 180_000,
};

async function begin(t: Test): Promise<TestDaemon> {
  const daemon = await startDaemon(t, { isBridgeless: true });
  await importDemoImage(daemon.api);
  return daemon;
}

/** Of one that runs: all parts are there. */
type Sample = ContainerStatsResponse & Required<Pick<
  ContainerStatsResponse,
  'blkio_stats' | 'memory_stats' | 'cpu_stats' | 'precpu_stats' | 'pids_stats'
>>;

async function sample({ api }: TestDaemon, query: string): Promise<Sample> {
  const { json } = await api.get(`/containers/box/stats?stream=false${query}`);
  return json as Sample;
}

interface BlockDevice {
  /** Its node. */
  readonly path: string;
  /** Where its file system is mounted. */
  readonly mounted: string;
}

/** A file as a block device with a file system; undefined where the kernel has no such devices. */
async function blockDevice(t: Test): Promise<BlockDevice | undefined> {
  for (const program of ['modprobe', 'busybox']) {
    if (existsSync('/dev/loop-control')) break;
    const args = program === 'busybox' ? ['modprobe', 'loop'] : ['loop'];
    await command(program, args).catch(() => undefined);
  }
  if (!existsSync('/dev/loop-control')) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'tsd-disk-'));
  const [file, mounted] = [join(folder, 'file'), join(folder, 'mounted')];
  mkdirSync(mounted);
  await command('truncate', ['-s', '64M', file]);
  const { stdout } = await command('losetup', ['--find', '--show', file]);
  const path = stdout.trim();
  await command('mkfs.ext4', ['-q', path]);
  await command('mount', [path, mounted]);
  t.teardown(async () => {
    await command('umount', [mounted]);
    await command('losetup', ['--detach', path]);
    rmSync(folder, { recursive: true });
  });
  return { path, mounted };
}

async function countsBlocks(t: Test, daemon: TestDaemon, device: BlockDevice): Promise<void> {
  const script = 'dd if=/dev/zero of=/disk/a bs=1M count=8 oflag=direct && ' +
    'dd if=/disk/a of=/dev/null bs=1M count=4 iflag=direct && echo buffered > /disk/b && ' +
    'sync && touch /disk/done && sleep 1000';
  await run(daemon, {
    name: 'box', command: ['sh', '-c', script],
    host: {
      NetworkMode: 'none', Binds: [`${device.mounted}:/disk`],
      // Version 1 counts where something is bounded, since Linux 6.12.
      BlkioDeviceWriteBps: [{ Path: device.path, Rate: 1e9 }],
    },
  });
  const isDone = () => Promise.resolve(existsSync(`${device.mounted}/done`));
  await until('it has written', isDone, 60_000);
  const { blkio_stats: io } = await sample(daemon, '&one-shot=true');
  const value = (list: typeof io.io_serviced_recursive, op: string): number =>
    (list ?? []).filter((each) => each.major === 7 && each.op === op)
      .reduce((sum, each) => sum + each.value, 0);
  const bytes = { read: 4 * mebibyte, write: 8 * mebibyte };
  for (const [op, least] of Object.entries(bytes)) {
    const told = value(io.io_service_bytes_recursive, op);
    t.ok(told >= least && told < least + mebibyte, `${op}: ${told} bytes of ${least}`);
  }
  if (!isV2) t.ok(value(io.io_serviced_recursive, 'write') >= 8, 'requests, too');
  const shown = await docker(`unix://${daemon.socket}`, [
    'stats', '--no-stream', '--format', '{{.BlockIO}}', 'box',
  ]);
  t.match(shown.stdout, /^4\.\d+MB \/ 8\.\d+MB\n$/);
  t.equal((await daemon.api.delete('/containers/box?force=1')).status, 204);
}

async function measuresGroup(t: Test, daemon: TestDaemon): Promise<void> {
  const script = 'head -c 20971520 /dev/zero > /dev/shm/held; sleep 1000 & sleep 1000 & ' +
    'touch /dev/shm/done; while [ ! -e /dev/shm/enough ]; do :; done; wait';
  await run(daemon, {
    name: 'box', command: ['sh', '-c', script],
    host: { NetworkMode: 'none', Memory: 128 * mebibyte, PidsLimit: 50, IpcMode: 'private' },
  });
  await until('it holds them', async () => {
    const { pids_stats: pids } = await sample(daemon, '&one-shot=true');
    return pids.current === 3;
  }, 60_000);
  const now = await sample(daemon, '');
  const { memory_stats: memory, cpu_stats: cpu, precpu_stats: before, pids_stats: pids } = now;
  t.match(pids, { current: 3, limit: 50 });
  t.equal(memory.limit, 128 * mebibyte);
  const usage = memory.usage ?? 0;
  t.ok(usage >= 20 * mebibyte && usage < 100 * mebibyte, `${usage} bytes`);
  const details = memory.stats ?? {};
  t.type(details[isV2 ? 'inactive_file' : 'total_inactive_file'], 'number');
  t.equal(details[isV2 ? 'shmem' : 'total_shmem'], 20 * mebibyte);
  t.equal('max_usage' in memory, !isV2);
  const used = cpu.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const passed = (cpu.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  t.ok(used > 0 && passed > 0 && used <= passed * 1.1, `${used} of ${passed} ns`);
  t.equal('percpu_usage' in cpu.cpu_usage, !isV2);
  t.ok((cpu.online_cpus ?? 0) >= 1);
  t.equal(now.networks, undefined, 'it has no network');
  const format = '{{.Name}} {{.PIDs}} {{.MemUsage}} {{.MemPerc}} {{.CPUPerc}} {{.NetIO}}';
  const shown = await docker(`unix://${daemon.socket}`, [
    'stats', '--no-stream', '--format', format,
  ]);
  // Zeros at the end are left out: 21MiB.
  const figures = /^box 3 2\d(?:\.\d+)?MiB \/ 128MiB (?:1[5-9]|2\d)\.\d+% \d+\.\d+% 0B \/ 0B\n$/;
  t.match(shown.stdout, figures);
}

// One daemon for both: its start takes most of the time on the user-mode kernel.
test('figures are those of the kernel', needsRoot, async (t) => {
  const device = await blockDevice(t);
  const daemon = await begin(t);
  const lacks = device === undefined && 'no loop devices';
  await t.test('what goes to a block device, past all memory, is counted', { skip: lacks },
    async (sub) => {
      if (device !== undefined) await countsBlocks(sub, daemon, device);
    });
  await t.test('memory, time and processes are those of its group', async (sub) =>
    measuresGroup(sub, daemon));
});
