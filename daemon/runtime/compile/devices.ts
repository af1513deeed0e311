/** The nodes and links of /dev, and the console. */
import { CWD, type Slot, type Step } from '../../../native/launch/opcodes.js';
import type { OciDevice } from '../oci.js';
import type { ProgramBuilder, SharedSlots } from './builder.js';
import * as kernel from './kernel.js';

const nodeTypes: Readonly<Record<OciDevice['type'], number>> = {
  c: kernel.S_IFCHR,
  b: kernel.S_IFBLK,
  p: kernel.S_IFIFO,
};

/** `dev` is our own tmpfs; nodes elsewhere get their folder made inside the root. */
export function makeDevices(
  builder: ProgramBuilder,
  slots: SharedSlots,
  dev: Slot,
  devices: readonly OciDevice[],
): void {
  for (const device of devices) {
    const about = `device ${device.path}`;
    const at = device.path.lastIndexOf('/');
    const folder = device.path.slice(0, at);
    const name = device.path.slice(at + 1);
    const dir = folder === '/dev' ? dev : slots.scratch;
    if (dir !== dev) {
      builder.init.push({
        op: 'target', out: dir, root: slots.root, path: folder, kind: 0, mode: 0o755, about,
      });
    }
    builder.init.push(...node(device, dir, name));
  }
}

function node(device: OciDevice, dir: Slot, path: string): Step[] {
  const about = `device ${device.path}`;
  const { major, minor, uid, gid, fileMode } = device;
  const mode = nodeTypes[device.type] | fileMode;
  const steps: Step[] = [
    { op: 'mknodat', dir, path, mode, major, minor, tolerate: ['EEXIST'], about },
  ];
  if (uid !== 0 || gid !== 0) steps.push({ op: 'fchownat', dir, path, uid, gid, about });
  return steps;
}

const links: readonly (readonly [string, string])[] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
];

/** The links that every program expects in /dev. */
export function linkDevices(builder: ProgramBuilder, dev: Slot, hasKcore: boolean): void {
  const all = hasKcore ? [...links, ['core', '/proc/kcore'] as const] : links;
  for (const [path, target] of all) {
    builder.init.push({
      op: 'symlinkat', target, dir: dev, path, tolerate: ['EEXIST'], about: `link /dev/${path}`,
    });
  }
}

/** Binds the terminal over /dev/console, by the fd that TIOCGPTPEER gave and no name. */
export function placeConsole(
  builder: ProgramBuilder,
  slots: SharedSlots,
  dev: Slot,
  peer: Slot,
): void {
  const about = 'console';
  builder.init.push(
    {
      op: 'mknodat', dir: dev, path: 'console', mode: 0o100600, major: 0, minor: 0,
      tolerate: ['EEXIST'], about,
    },
    {
      op: 'openat2', out: slots.scratch, dir: dev, path: 'console', flags: kernel.O_PATH, mode: 0,
      resolve: kernel.OURS, about,
    },
    {
      op: 'openTree', out: slots.scratch2, dir: peer, path: '',
      flags: kernel.OPEN_TREE_CLONE | AT_EMPTY_PATH, about,
    },
    { op: 'moveMount', from: slots.scratch2, to: slots.scratch, path: '', flags: 0, about },
    { op: 'close', fd: slots.scratch2 },
  );
}

/** linux/fcntl.h */
export const AT_EMPTY_PATH = 0x1000;

/** /dev/null as the container has it, proved to be the device and not a file in its place. */
export function openNull(slots: SharedSlots, out: Slot): Step[] {
  const about = '/dev/null';
  return [
    {
      op: 'openat2', out, dir: slots.root, path: '/dev/null', flags: kernel.O_RDWR, mode: 0,
      resolve: kernel.INSIDE, about,
    },
    { op: 'fstatDevice', fd: out, major: 1, minor: 3, about },
  ];
}

/** /dev/null of the host: in init before the pivot. */
export function openHostNull(out: Slot): Step[] {
  const about = '/dev/null of the host';
  return [
    {
      op: 'openat2', out, dir: CWD, path: '/dev/null', flags: kernel.O_PATH, mode: 0,
      resolve: 0, about,
    },
    { op: 'fstatDevice', fd: out, major: 1, minor: 3, about },
  ];
}
