/**
 * The launch programs of a daemon without privileges. Pure.
 *
 * One makes the namespaces. Its host strand is a shim that stays outside, where ports of the host
 * are bound; its init strand becomes a process that does nothing but hold them. The other enters
 * them, in the process of the daemon itself, and becomes the daemon.
 */
import { CWD, type LaunchProgram, type Slot, type Step } from '../../native/launch/opcodes.js';
import { groupMount, innerLeaf } from './group.js';
import type { HolderPlaces } from './places.js';

/** The shim asks for the id maps, and then for the network. */
export const MAPS = 1;
export const NETWORK = 2;

/** The shim's own program, for what holds the namespaces. */
export const PROGRAM_SLOT: Slot = 0;

// Tokens between the strands.
const BORN = 16;
const MAPPED = 17;
const MADE = 18;
const CONNECTED = 19;

// linux/sched.h, linux/mount.h, sys/prctl.h
const CLONE_NEWNS = 0x20000;
const CLONE_NEWCGROUP = 0x2000000;
const CLONE_NEWUSER = 0x10000000;
const CLONE_NEWNET = 0x40000000;
const MS_BIND = 0x1000;
const PR_SET_DUMPABLE = 4;
const O_WRONLY = 1;

/** What the namespaces are made of. */
export interface HolderPlan {
  readonly places: HolderPlaces;
  /** How long they last when nobody is there: for the next daemon to come. */
  readonly graceMs: number;
  /** The folder of the group that we are in, if that is ours: the root of what is seen inside. */
  readonly group?: string;
}

const passive = { arg3: 0, arg4: 0, arg5: 0 };

/** User, mount, network (and cgroup) namespaces, and who holds them. */
export function holderProgram({ places, graceMs, group }: HolderPlan): LaunchProgram {
  const hasCgroup = group !== undefined;
  return {
    host: [
      { op: 'clone', flags: CLONE_NEWUSER, cgroup: CWD, about: 'user namespace' },
      { op: 'await', token: BORN, about: 'user namespace' },
      { op: 'yield', token: MAPS, about: 'id maps' },
      { op: 'notify', token: MAPPED },
      { op: 'await', token: MADE, about: 'namespaces' },
      { op: 'yield', token: NETWORK, about: 'network' },
      { op: 'notify', token: CONNECTED },
    ],
    init: [
      // Its files in /proc belong to the user only so: newuidmap looks at that.
      { op: 'prctl', option: PR_SET_DUMPABLE, arg2: 1, ...passive, about: 'user namespace' },
      { op: 'notify', token: BORN },
      { op: 'await', token: MAPPED },
      {
        op: 'unshare', flags: CLONE_NEWNS | CLONE_NEWNET | (hasCgroup ? CLONE_NEWCGROUP : 0),
        about: 'namespaces',
      },
      { op: 'loopbackUp', about: 'loopback' },
      { op: 'notify', token: MADE },
      { op: 'await', token: CONNECTED },
      ...mounts(places, group),
      {
        op: 'execveat', fd: PROGRAM_SLOT, env: [], about: 'holder',
        argv: [
          'tsdocker-shim', 'hold', places.alive, String(graceMs), places.network,
          ...(hasCgroup ? [innerLeaf] : []),
        ],
      },
    ],
  };
}

/** What is seen otherwise inside. What is mounted outside later still comes along. */
function mounts({ resolvConf }: HolderPlaces, group: string | undefined): Step[] {
  const resolver: Step = {
    op: 'mount', source: resolvConf, on: CWD, target: '/etc/resolv.conf', type: '',
    flags: MS_BIND, data: '', tolerate: ['ENOENT'], about: '/etc/resolv.conf',
  };
  if (group === undefined) return [resolver];
  // Bound: the kernel mounts no file system anew where it is mounted already.
  const cgroup: Step = {
    op: 'mount', source: group, on: CWD, target: groupMount, type: '', flags: MS_BIND, data: '',
    about: groupMount,
  };
  return [resolver, cgroup];
}

/** The process that the daemon becomes. */
export interface Entry {
  readonly places: HolderPlaces;
  /** Whose namespaces they are. */
  readonly pid: number;
  readonly hasCgroup: boolean;
  /** The number of the descriptor that keeps the namespaces. */
  readonly aliveFd: number;
  readonly workingDirectory: string;
  readonly path: string;
  readonly argv: readonly string[];
  readonly env: readonly string[];
}

/** Enters the namespaces, user first: its root may enter the others. */
export function entryProgram(entry: Entry): LaunchProgram {
  const { places, pid, aliveFd, workingDirectory, path, argv, env } = entry;
  const kinds = [
    ['user', CLONE_NEWUSER],
    ...(entry.hasCgroup ? ([['cgroup', CLONE_NEWCGROUP]] as const) : []),
    ['mnt', CLONE_NEWNS],
    ['net', CLONE_NEWNET],
  ] as const;
  const alive: Slot = kinds.length;
  const open = { op: 'openat2', dir: CWD, mode: 0, resolve: 0 } as const;
  return {
    host: [],
    init: [
      ...kinds.map(([name], out): Step => ({
        ...open, out, path: `/proc/${pid}/ns/${name}`, flags: 0, about: `${name} namespace`,
      })),
      { ...open, out: alive, path: places.alive, flags: O_WRONLY, about: places.alive },
      { op: 'dup2', fd: alive, to: aliveFd, about: places.alive },
      ...kinds.map(([name, type], fd): Step => ({
        op: 'setns', fd, type, about: `${name} namespace`,
      })),
      // Relative paths are meant from here; a folder that is nobody's any more is none.
      { op: 'chdir', path: workingDirectory, tolerate: ['ENOENT', 'EACCES'] },
      { op: 'execve', paths: [path], argv, env, about: path },
    ],
  };
}
