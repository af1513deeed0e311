/** The nodes and links of /dev, and the console. */
import { CWD, type Slot, type Step } from '../../../native/launch/opcodes.js';
import type { OciDevice, OciMount } from '../oci.js';
import { landing, type ProgramBuilder, type SharedSlots } from './builder.js';
import * as kernel from './kernel.js';

const nodeTypes: Readonly<Record<OciDevice['type'], number>> = {
  c: kernel.S_IFCHR,
  b: kernel.S_IFBLK,
  p: kernel.S_IFIFO,
};

/** The kind of file, for mknod(2). */
export const nodeType = ({ type }: OciDevice): number => nodeTypes[type];

/** Where nodes are made, and those that are only put in place: mounts, by path. */
export interface DevicePlaces {
  /** Our own tmpfs. */
  readonly dev: Slot;
  readonly nodes?: ReadonlyMap<string, Slot>;
  /** None can be made: the host's are shown. */
  readonly binds?: boolean;
}

/** Nodes elsewhere than in /dev get their folder made inside the root. */
export function makeDevices(
  builder: ProgramBuilder,
  slots: SharedSlots,
  { dev, nodes, binds = false }: DevicePlaces,
  devices: readonly OciDevice[],
): void {
  const tree = builder.slot();
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
    const place = { dir, path: name, about };
    const mount = nodes?.get(device.path);
    if (device.mustMatch === true) refuseOther(builder, device, place, slots.scratch2);
    const isBound = mount === undefined && binds && device.type !== 'p';
    if (isBound) builder.init.push(...takeNode(device, tree, about));
    const found = isBound ? tree : mount;
    builder.init.push(
      ...(found === undefined ? node(device, place) : placeNode(place, found, slots.scratch2)),
    );
  }
}

/** The host's own node, in init before the pivot. */
function takeNode(device: OciDevice, out: Slot, about: string): Step[] {
  const { path, hostPath = path, major, minor, type } = device;
  const flags = kernel.OPEN_TREE_CLONE;
  return [
    { op: 'openTree', out, dir: CWD, path: hostPath, flags, about },
    { op: 'fstatNode', fd: out, mode: nodeTypes[type], major, minor, about },
  ];
}

/** What is there already must be that very node; nothing may be there, too. */
function refuseOther(
  builder: ProgramBuilder,
  { type, major, minor, path }: OciDevice,
  place: Place,
  out: Slot,
): void {
  const free = builder.label('free');
  const about = `device ${path}: another file is there`;
  builder.init.push(
    {
      op: 'openat2', ...place, out, flags: kernel.O_PATH | kernel.O_NOFOLLOW, mode: 0,
      resolve: kernel.RESOLVE_BENEATH, tolerate: ['ENOENT'], goto: free,
    },
    { op: 'fstatNode', fd: out, mode: nodeTypes[type], major, minor, about },
    landing(free),
  );
}

function node(device: OciDevice, { dir, path, about }: Place): Step[] {
  const { major, minor, uid, gid, fileMode } = device;
  const mode = nodeTypes[device.type] | fileMode;
  const steps: Step[] = [
    { op: 'mknodat', dir, path, mode, major, minor, tolerate: ['EEXIST'], about },
  ];
  if (uid !== 0 || gid !== 0) steps.push({ op: 'fchownat', dir, path, uid, gid, about });
  return steps;
}

type Place = Readonly<Record<'dir', Slot> & Record<'path' | 'about', string>>;

/** Over an empty file. */
function placeNode(place: Place, node: Slot, scratch: Slot): Step[] {
  const { about } = place;
  return [
    { op: 'mknodat', ...place, mode: kernel.S_IFREG, major: 0, minor: 0, tolerate: ['EEXIST'] },
    {
      op: 'openat2', ...place, out: scratch, flags: kernel.O_PATH, mode: 0, resolve: kernel.OURS,
    },
    { op: 'moveMount', from: node, to: scratch, path: '', flags: 0, about },
    { op: 'close', fd: node },
  ];
}

const links: readonly (readonly [string, string])[] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
];

/** The container's own /dev where nothing is mounted; undefined where that is somebody's mount. */
export function openDev(
  builder: ProgramBuilder,
  { root }: SharedSlots,
  mounts: readonly OciMount[],
): Slot | undefined {
  if (mounts.some(({ destination }) => destination === '/dev')) return undefined;
  const out = builder.slot();
  builder.init.push({ op: 'target', out, root, path: '/dev', kind: 0, mode: 0o755, about: '/dev' });
  return out;
}

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
      op: 'openTree', out: slots.scratch2, dir: peer, path: '',
      flags: kernel.OPEN_TREE_CLONE | AT_EMPTY_PATH, about,
    },
    ...placeNode({ dir: dev, path: 'console', about }, slots.scratch2, slots.scratch),
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
