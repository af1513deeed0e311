/** Control groups of version 1, one folder per hierarchy; in hybrid set-ups too. */
import * as fs from 'node:fs';
import { hasCode } from '../../../native/errno-error.js';
import { makeFolders, removeFolders } from '../../../native/folders.js';
import type { OciDeviceRule, OciResources } from '../oci.js';
import type {
  BlockIoEntry, CgroupEntry, Cgroups, CgroupStats, CgroupView, ContainerCgroup, RealtimeBudget,
} from './cgroup.js';
import {
  childrenOf, failures, killAll, makeGroup, readNumber, readPids, readTable, readText,
  GROUP_MODE, removeGroup, tryMakeGroup, undoGroup, until, writeControl, writeFile,
  type ControlWrite,
} from './files.js';
import type { Hierarchy } from './layout.js';
import { v1DeviceWrites, v1Writes } from './v1-limits.js';

/**
 * The first process enters by `tasks`: `cgroup.procs` would wait for a grace period, 6 to 10 ms.
 */
const ENTRY_FILE = 'tasks';
/** /proc/stat and cpuacct.stat count in these. */
const NS_PER_TICK = 10_000_000;

/** `budget` is given to groups above one that wants real time. */
export function cgroupsV1(
  hierarchies: readonly Hierarchy[],
  budget: RealtimeBudget = { period: 0, runtime: 0 },
): Cgroups {
  const open = (path: string): ContainerCgroup => group(hierarchies, path);
  return {
    version: 1,
    open,
    create: (path, resources) => create(hierarchies, path, resources, { open, budget }),
    warnings: (resources) => warnings(hierarchies, resources),
    sweep: (parent, known) => sweep(hierarchies, parent, known, open),
  };
}

/** Its dozen folders are a millisecond of the kernel's, which a thread waits for. */
async function create(
  hierarchies: readonly Hierarchy[],
  path: string,
  wanted: OciResources | Promise<OciResources>,
  { open, budget }: {
    readonly open: (path: string) => ContainerCgroup;
    readonly budget: RealtimeBudget;
  },
): Promise<ContainerCgroup> {
  const folders = hierarchies.map((hierarchy) => joined(hierarchy, path));
  const there = await makeFolders(folders, GROUP_MODE);
  try {
    const resources = await wanted;
    for (const hierarchy of hierarchies.slice(there)) makeIn(hierarchy, path);
    const cpuset = folderOf(hierarchies, 'cpuset', path);
    if (cpuset !== undefined) inheritCpuset(cpuset.slice(0, cpuset.lastIndexOf('/')), cpuset);
    if ((resources.cpu?.realtimeRuntime ?? 0) > 0) giveRealtime(hierarchies, path, budget);
    apply(hierarchies, path, v1Writes(resources));
    applyDeviceRules(folderOf(hierarchies, 'devices', path), resources.devices);
    return open(path);
  } catch (error) {
    for (const folder of folders) undoGroup(folder);
    throw error;
  }
}

/** The folder of a group in one hierarchy; parents that are missing are made too, and stay. */
function makeIn(hierarchy: Hierarchy, path: string): string {
  const folder = joined(hierarchy, path);
  if (!tryMakeGroup(folder)) {
    const parent = path.slice(0, path.lastIndexOf('/'));
    const above = makeIn(hierarchy, parent);
    if (hierarchy.controllers.includes('cpuset')) prepareCpuset(hierarchy.mount, above);
    makeGroup(folder);
  }
  return folder;
}

/**
 * A new cpuset has no cpus and no memory nodes, and no process may enter it so: the kernel copies
 * the parent's to each child when the parent says so, and the parent gets them here.
 */
function prepareCpuset(mount: string, parent: string): void {
  if (parent === mount) return;
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readText(`${parent}/${file}`).trim() !== '') continue;
    const above = parent.slice(0, parent.lastIndexOf('/'));
    writeFile(`${parent}/${file}`, readText(`${above}/${file}`).trim());
  }
  writeFile(`${parent}/cgroup.clone_children`, '1');
}

/** From the top: no group may have more than the one above it. */
function giveRealtime(
  hierarchies: readonly Hierarchy[],
  path: string,
  { period, runtime }: RealtimeBudget,
): void {
  const parts = path.split('/').filter((part) => part !== '').slice(0, -1);
  const writes = Object.entries({ 'cpu.rt_period_us': period, 'cpu.rt_runtime_us': runtime })
    .filter(([, value]) => value > 0)
    .map(([file, value]) => ({ controller: 'cpu', file, value: String(value) }));
  for (const [index] of parts.entries()) {
    apply(hierarchies, parts.slice(0, index + 1).join('/'), writes);
  }
}

/** One whose parent does not clone its own: an operator's, named by `CgroupParent`. */
function inheritCpuset(parent: string, folder: string): void {
  if (readText(`${parent}/cgroup.clone_children`).trim() === '1') return;
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readText(`${folder}/${file}`).trim() !== '') continue;
    writeFile(`${folder}/${file}`, readText(`${parent}/${file}`).trim());
  }
}

function apply(
  hierarchies: readonly Hierarchy[],
  path: string,
  writes: readonly ControlWrite[],
): void {
  for (const write of writes) {
    writeControl(folderOf(hierarchies, write.controller, path), write);
  }
}

/** Rules that follow each other into one file take one open: there are a dozen of them. */
function applyDeviceRules(folder: string | undefined, rules: readonly OciDeviceRule[]): void {
  if (folder === undefined) return;
  let batch: { file: string; values: string[] } | undefined;
  const batches: { file: string; values: string[] }[] = [];
  for (const { file, value } of v1DeviceWrites(rules)) {
    if (batch?.file !== file) batches.push((batch = { file, values: [] }));
    batch.values.push(value);
  }
  for (const { file, values } of batches) writeFile(`${folder}/${file}`, ...values);
}

function folderOf(
  hierarchies: readonly Hierarchy[],
  controller: string,
  path: string,
): string | undefined {
  const hierarchy = hierarchies.find((each) => each.controllers.includes(controller));
  return hierarchy === undefined ? undefined : joined(hierarchy, path);
}

const joined = ({ mount }: Hierarchy, path: string): string =>
  `${mount}/${path.split('/').filter((part) => part !== '').join('/')}`;

function group(hierarchies: readonly Hierarchy[], path: string): ContainerCgroup {
  const folder = (controller: string): string => folderOf(hierarchies, controller, path) ?? '';
  const folders = hierarchies.map((hierarchy) => joined(hierarchy, path));
  const [firstFolder = ''] = folders;
  const home = folder('pids') || firstFolder;
  const freezer = folder('freezer') === '' ? '' : `${folder('freezer')}/freezer.state`;
  const freeze = async (state: 'FROZEN' | 'THAWED'): Promise<void> => {
    const file = `${folder('freezer')}/freezer.state`;
    await until(`${state.toLowerCase()} ${path}`, () => {
      writeFile(file, state);
      return readText(file).trim() === state;
    });
  };
  return {
    path,
    entry: entry(hierarchies, path),
    oomFiles: [`${folder('memory')}/memory.oom_control`],
    killFiles: [`${home}/cgroup.procs`],
    places: { folders, home, freezer },
    settled: () => Promise.resolve(),
    update: async (resources) => update(hierarchies, path, resources),
    delegate: () => undefined,
    freeze: () => freeze('FROZEN'),
    thaw: () => freeze('THAWED'),
    isFrozen: () => readText(`${folder('freezer')}/freezer.state`).trim() === 'FROZEN',
    pids: () => readPids(home),
    kill: () => kill(home, folder('freezer')),
    stats: () => stats(folder),
    remove: async () => {
      if ((await removeFolders(folders)) === 0) return;
      const results = await Promise.allSettled(folders.map(removeGroup));
      const errors = failures(results);
      if (errors.length > 0) throw new AggregateError(errors, `cgroup ${path} is not removed`);
    },
  };
}

function entry(hierarchies: readonly Hierarchy[], path: string): CgroupEntry {
  const views = hierarchies.map((hierarchy): CgroupView => {
    const name = hierarchy.mount.split('/').at(-1) ?? '';
    const aliases = hierarchy.controllers.filter((each) => each !== name && !each.includes('='));
    return { name, source: joined(hierarchy, path), aliases, controllers: hierarchy.controllers };
  });
  return { kind: 'tasks', files: views.map(({ source }) => `${source}/${ENTRY_FILE}`), views };
}

/** Memory and memory with swap bound each other: in one of the two orders the kernel takes them. */
function update(hierarchies: readonly Hierarchy[], path: string, resources: OciResources): void {
  const writes = [...v1Writes(resources)];
  try {
    apply(hierarchies, path, writes);
  } catch (error) {
    const isSwap = (write: ControlWrite): boolean => write.file === 'memory.memsw.limit_in_bytes';
    const swap = writes.find(isSwap);
    if (swap === undefined) throw error;
    apply(hierarchies, path, [swap, ...writes.filter((write) => !isSwap(write))]);
  }
}

async function kill(home: string, freezer: string): Promise<void> {
  await killAll(() => {
    // A frozen process would not die.
    if (freezer !== '' && readText(`${freezer}/freezer.state`).trim() !== 'THAWED') {
      thawIfThere(`${freezer}/freezer.state`);
    }
    return readPids(home);
  });
}

function thawIfThere(file: string): void {
  try {
    writeFile(file, 'THAWED');
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/** Which files a limit needs, and how Docker tells that they are missing. */
const needed: readonly {
  readonly controller: string;
  readonly file: string;
  /** Serves as well. */
  readonly or?: string;
  readonly isAsked: (resources: OciResources) => boolean;
  readonly warning: string;
}[] = [
  {
    controller: 'memory', file: 'memory.limit_in_bytes',
    isAsked: ({ memory }) => memory?.limit !== undefined,
    warning: 'Your kernel does not support memory limit capabilities or the cgroup is not ' +
      'mounted. Limitation discarded.',
  },
  {
    controller: 'memory', file: 'memory.memsw.limit_in_bytes',
    isAsked: ({ memory }) => memory?.limit !== undefined && memory.swap !== undefined,
    warning: 'Your kernel does not support swap limit capabilities or the cgroup is not mounted. ' +
      'Memory limited without swap.',
  },
  {
    controller: 'memory', file: 'memory.swappiness',
    isAsked: ({ memory }) => memory?.swappiness !== undefined,
    warning: 'Your kernel does not support memory swappiness capabilities or the cgroup is not ' +
      'mounted. Memory swappiness discarded.',
  },
  {
    controller: 'pids', file: 'pids.max', isAsked: ({ pids }) => (pids?.limit ?? 0) > 0,
    warning: 'Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. ' +
      'PIDs limit discarded.',
  },
  {
    controller: 'cpu', file: 'cpu.shares', isAsked: ({ cpu }) => cpu?.shares !== undefined,
    warning: 'Your kernel does not support CPU shares or the cgroup is not mounted. ' +
      'Shares discarded.',
  },
  {
    controller: 'cpu', file: 'cpu.cfs_quota_us', isAsked: ({ cpu }) => cpu?.quota !== undefined,
    warning: 'Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.',
  },
  {
    controller: 'cpuset', file: 'cpuset.cpus',
    isAsked: ({ cpu }) => cpu?.cpus !== undefined || cpu?.mems !== undefined,
    warning: 'Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.',
  },
  {
    controller: 'blkio', file: 'blkio.weight', or: 'blkio.bfq.weight',
    isAsked: ({ blockIO }) => blockIO?.weight !== undefined,
    warning: 'Your kernel does not support Block I/O weight or the cgroup is not mounted. ' +
      'Weight discarded.',
  },
  {
    controller: 'blkio', file: 'blkio.weight_device',
    isAsked: ({ blockIO }) => (blockIO?.weightDevice ?? []).length > 0,
    warning: 'Your kernel does not support Block I/O weight_device or the cgroup is not mounted. ' +
      'Weight-device discarded.',
  },
];

function warnings(hierarchies: readonly Hierarchy[], resources: OciResources): readonly string[] {
  const isThere = (controller: string, file: string): boolean => {
    const root = folderOf(hierarchies, controller, '');
    // The root group lacks some files that every other has (pids.max, cpu.cfs_quota_us).
    if (root === undefined) return false;
    const [child] = childrenOf(root);
    const folder = child === undefined ? root : `${root}/${child}`;
    return fs.existsSync(`${folder}/${file}`) || child === undefined;
  };
  return needed
    .filter(({ isAsked }) => isAsked(resources))
    .filter(({ controller, file, or = file }) => ![file, or].some((at) => isThere(controller, at)))
    .map(({ warning }) => warning);
}

async function sweep(
  hierarchies: readonly Hierarchy[],
  parent: string,
  known: ReadonlySet<string>,
  open: (path: string) => ContainerCgroup,
): Promise<readonly string[]> {
  const names = hierarchies.flatMap((hierarchy) => childrenOf(joined(hierarchy, parent)));
  const unknown = [...new Set(names)].filter((name) => !known.has(name));
  for (const name of unknown) {
    const left = open(`${parent}/${name}`);
    await left.kill();
    await left.remove();
  }
  return unknown;
}

function stats(folder: (controller: string) => string): CgroupStats {
  const memory = folder('memory');
  const cpuacct = folder('cpuacct');
  const ticks = readTable(`${cpuacct}/cpuacct.stat`);
  const throttling = readTable(`${folder('cpu')}/cpu.stat`);
  const limitBytes = readNumber(`${memory}/memory.limit_in_bytes`);
  const pidsMax = readNumber(`${folder('pids')}/pids.max`);
  return {
    memory: {
      usageBytes: readNumber(`${memory}/memory.usage_in_bytes`) ?? 0,
      maxUsageBytes: readNumber(`${memory}/memory.max_usage_in_bytes`) ?? 0,
      failCount: readNumber(`${memory}/memory.failcnt`) ?? 0,
      // Without a limit the file says the largest page-aligned number.
      ...(limitBytes === undefined ? {} : { limitBytes }),
      details: readTable(`${memory}/memory.stat`),
    },
    cpu: {
      totalNs: readNumber(`${cpuacct}/cpuacct.usage`) ?? 0,
      userNs: (ticks['user'] ?? 0) * NS_PER_TICK,
      kernelNs: (ticks['system'] ?? 0) * NS_PER_TICK,
      perCpuNs: readText(`${cpuacct}/cpuacct.usage_percpu`).trim().split(' ').map(Number),
      periods: throttling['nr_periods'] ?? 0,
      throttledPeriods: throttling['nr_throttled'] ?? 0,
      throttledNs: throttling['throttled_time'] ?? 0,
    },
    pids: {
      current: readNumber(`${folder('pids')}/pids.current`) ?? 0,
      ...(pidsMax === undefined ? {} : { limit: pidsMax }),
    },
    blockIo: {
      serviceBytes: blockIo(`${folder('blkio')}/blkio.throttle.io_service_bytes_recursive`),
      serviced: blockIo(`${folder('blkio')}/blkio.throttle.io_serviced_recursive`),
    },
  };
}

/** Lines of `8:0 Read 4096`, closed by `Total 4096`. */
function blockIo(path: string): readonly BlockIoEntry[] {
  return readText(path).split('\n').flatMap((line) => {
    const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
    if (match === null) return [];
    const [, major, minor, op = '', value] = match;
    return [
      { major: Number(major), minor: Number(minor), op: op.toLowerCase(), value: Number(value) },
    ];
  });
}
