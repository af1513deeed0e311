/** Control groups of version 2: one folder, cloned into, devices by an eBPF program. */
import * as fs from 'node:fs';
import { attachDeviceProgram } from '../../../native/bpf.js';
import { hasCode } from '../../../native/errno-error.js';
import { inUserNamespace } from '../../../native/userns.js';
import type { OciResources } from '../oci.js';
import type { BlockIoEntry, Cgroups, CgroupStats, ContainerCgroup } from './cgroup.js';
import { enableControllers } from './delegation.js';
import { deviceProgram } from './device-program.js';
import {
  childrenOf, killAll, makeGroup, readNumber, readPids, readTable, readText, removeGroup,
  undoGroup, until, wordsOf, writeControl, writeFile,
} from './files.js';
import { v2Writes } from './v2-limits.js';

const NS_PER_US = 1000;

export function cgroupsV2(mount: string): Cgroups {
  const open = (path: string): ContainerCgroup => group(folderOf(mount, path), path);
  return {
    version: 2,
    open,
    create: async (path, resources) => create(mount, path, await resources, open),
    warnings: (resources) => warnings(mount, resources),
    sweep: (parent, known) => sweep(folderOf(mount, parent), parent, known, open),
  };
}

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '');
const folderOf = (mount: string, path: string): string => [mount, ...partsOf(path)].join('/');

function create(
  mount: string,
  path: string,
  resources: OciResources,
  open: (path: string) => ContainerCgroup,
): ContainerCgroup {
  let folder = mount;
  for (const part of partsOf(path)) {
    enableControllers(folder);
    folder = `${folder}/${part}`;
    makeGroup(folder);
  }
  try {
    for (const write of v2Writes(resources)) writeControl(folder, write);
    // Only the machine's root may load such a program; nobody else's can make a device.
    if (resources.devices.length > 0 && !inUserNamespace()) {
      attachDeviceProgram(folder, deviceProgram(resources.devices));
    }
    return open(path);
  } catch (error) {
    undoGroup(folder);
    throw error;
  }
}

function group(folder: string, path: string): ContainerCgroup {
  const freeze = async (frozen: 0 | 1): Promise<void> => {
    writeFile(`${folder}/cgroup.freeze`, String(frozen));
    await until(
      `freezing ${path}`, () => readTable(`${folder}/cgroup.events`)['frozen'] === frozen,
    );
  };
  return {
    path,
    entry: { kind: 'clone', folder },
    oomFiles: [`${folder}/memory.events`],
    killFiles: [`${folder}/cgroup.kill`],
    places: { folders: [folder], home: folder, freezer: `${folder}/cgroup.events` },
    settled: () => Promise.resolve(),
    update: async (resources) => {
      for (const write of v2Writes(resources)) writeControl(folder, write);
    },
    delegate: (uid) => delegate(folder, uid),
    freeze: () => freeze(1),
    thaw: () => freeze(0),
    isFrozen: () => readTable(`${folder}/cgroup.events`)['frozen'] === 1,
    pids: () => allPids(folder),
    kill: () => kill(folder),
    stats: () => stats(folder),
    remove: () => removeGroup(folder),
  };
}

/** What every kernel lets the owner of a group write. (runtime-spec, "Cgroup ownership") */
const leastDelegated = ['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'];

function delegate(folder: string, uid: number): void {
  const listed = wordsOf('/sys/kernel/cgroup/delegate');
  const files = listed.length === 0 ? leastDelegated : listed;
  // Its owning group stays; not every group has every file that is listed.
  for (const path of [folder, ...files.map((file) => `${folder}/${file}`)]) {
    const stat = fs.statSync(path, { throwIfNoEntry: false });
    if (stat !== undefined) fs.chownSync(path, uid, stat.gid);
  }
}

/** Those of groups that the container made below its own, too. */
function allPids(folder: string): readonly number[] {
  return [
    ...readPids(folder),
    ...childrenOf(folder).flatMap((child) => allPids(`${folder}/${child}`)),
  ];
}

async function kill(folder: string): Promise<void> {
  try {
    writeFile(`${folder}/cgroup.kill`, '1');
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error; // gone, or a kernel before 5.14
  }
  await killAll(() => allPids(folder));
}

const needed: readonly (readonly [string, (resources: OciResources) => boolean, string])[] = [
  [
    'memory', ({ memory }) => memory?.limit !== undefined,
    'Your kernel does not support memory limit capabilities or the cgroup is not mounted. ' +
      'Limitation discarded.',
  ],
  [
    'pids', ({ pids }) => (pids?.limit ?? 0) > 0,
    'Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. ' +
      'PIDs limit discarded.',
  ],
  [
    'cpu', ({ cpu }) => cpu?.shares !== undefined,
    'Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.',
  ],
  [
    'cpu', ({ cpu }) => cpu?.quota !== undefined,
    'Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.',
  ],
  [
    'cpuset', ({ cpu }) => cpu?.cpus !== undefined || cpu?.mems !== undefined,
    'Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.',
  ],
  [
    'io', ({ blockIO }) => blockIO?.weight !== undefined,
    'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.',
  ],
];

function warnings(mount: string, resources: OciResources): readonly string[] {
  const available = new Set(wordsOf(`${mount}/cgroup.controllers`));
  const missing = needed
    .filter(([controller, isAsked]) => isAsked(resources) && !available.has(controller))
    .map(([, , warning]) => warning);
  const { memory } = resources;
  if (memory?.swappiness !== undefined) {
    missing.push(
      'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. ' +
        'Memory swappiness discarded.',
    );
  }
  if (memory?.disableOOMKiller === true) {
    missing.push(
      'OomKillDisable is ignored when using cgroups v2: the OOM killer cannot be disabled.',
    );
  }
  return missing;
}

async function sweep(
  folder: string,
  parent: string,
  known: ReadonlySet<string>,
  open: (path: string) => ContainerCgroup,
): Promise<readonly string[]> {
  const unknown = childrenOf(folder).filter((name) => !known.has(name));
  for (const name of unknown) {
    const left = open(`${parent}/${name}`);
    await left.kill();
    await left.remove();
  }
  return unknown;
}

function stats(folder: string): CgroupStats {
  const cpu = readTable(`${folder}/cpu.stat`);
  const events = readTable(`${folder}/memory.events`);
  const limitBytes = readNumber(`${folder}/memory.max`);
  const peak = readNumber(`${folder}/memory.peak`);
  const pidsMax = readNumber(`${folder}/pids.max`);
  const io = ioStat(readText(`${folder}/io.stat`));
  return {
    memory: {
      usageBytes: readNumber(`${folder}/memory.current`) ?? 0,
      ...(peak === undefined ? {} : { maxUsageBytes: peak }),
      ...(limitBytes === undefined ? {} : { limitBytes }),
      failCount: events['max'] ?? 0,
      oomCount: events['oom'] ?? 0,
      details: readTable(`${folder}/memory.stat`),
    },
    cpu: {
      totalNs: (cpu['usage_usec'] ?? 0) * NS_PER_US,
      userNs: (cpu['user_usec'] ?? 0) * NS_PER_US,
      kernelNs: (cpu['system_usec'] ?? 0) * NS_PER_US,
      periods: cpu['nr_periods'] ?? 0,
      throttledPeriods: cpu['nr_throttled'] ?? 0,
      throttledNs: (cpu['throttled_usec'] ?? 0) * NS_PER_US,
    },
    pids: {
      current: readNumber(`${folder}/pids.current`) ?? 0,
      ...(pidsMax === undefined ? {} : { limit: pidsMax }),
    },
    blockIo: {
      serviceBytes: pick(io, { rbytes: 'read', wbytes: 'write' }),
      serviced: pick(io, { rios: 'read', wios: 'write' }),
    },
  };
}

/** Lines of `8:0 rbytes=1 wbytes=2 rios=3 …`. */
function ioStat(text: string): readonly BlockIoEntry[] {
  return text.split('\n').flatMap((line) => {
    const [device = '', ...fields] = line.split(' ');
    const [major = '', minor = ''] = device.split(':');
    if (minor === '') return [];
    return fields.map((field) => {
      const [op = '', value = '0'] = field.split('=');
      return { major: Number(major), minor: Number(minor), op, value: Number(value) };
    });
  });
}

function pick(
  entries: readonly BlockIoEntry[],
  names: Readonly<Record<string, string>>,
): readonly BlockIoEntry[] {
  return entries.flatMap((entry) => {
    const op = names[entry.op];
    return op === undefined ? [] : [{ ...entry, op }];
  });
}
