/**
 * A container in a user namespace. Init enters it first and then makes the other new namespaces,
 * which are owned by it; what only the host's root can do is done by the host strand, in init's
 * mount namespace, whose mounts are copies that nobody inside can undo:
 *
 * host: user namespace → clone → (init has its namespaces) → root, device nodes, bind sources
 * init: cgroup → namespaces of others → user namespace → new namespaces → what the host hands over
 */
import { CWD, type Slot, type Step } from '../../../native/launch/opcodes.js';
import type {
  NamespaceType, OciConfig, OciDevice, OciLinux, OciMount,
} from '../oci.js';
import { hasOwn } from '../spec/namespaces.js';
import type { ProgramBuilder } from './builder.js';
import { nodeType } from './devices.js';
import { hostId, makeUserns } from './id-maps.js';
import * as kernel from './kernel.js';
import { openSources } from './mounts.js';
import { namespaceFlags } from './namespaces.js';

// Tokens between the strands.
const ENTERED = 8;
const FIT = 9;
const LIMITED = 10;
const FIRST_HANDED = 64;

const about = 'user namespace';

/** Host, before `clone`: the namespace, new or of others; undefined when the host's is shared. */
export function openUserns(
  builder: ProgramBuilder,
  linux: OciLinux,
): Slot | undefined {
  const { namespaces } = linux;
  const found = namespaces.find(({ type }) => type === 'user');
  if (found === undefined) return undefined;
  const out = builder.slot();
  builder.host.push(
    found.path === undefined
      ? makeUserns(out, linux, about)
      : {
          op: 'openat2', out, dir: CWD, path: found.path, flags: kernel.O_RDONLY, mode: 0,
          resolve: 0, about: `${about} ${found.path}`,
        },
  );
  return out;
}

/** As root of the namespace: what init was outside owns nothing in it. */
export function becomeRoot(): Step[] {
  return [
    // Where setgroups(2) is denied there are none to be dropped either.
    { op: 'setgroups', gids: new Uint8Array(), tolerate: ['EPERM'], about },
    { op: 'setresgid', gid: 0, about },
    { op: 'setresuid', uid: 0, about },
  ];
}

/** Init: into it, and then into what it will own. */
export function enterUserns(userns: Slot, { namespaces }: OciLinux): Step[] {
  const others = namespaces.filter(({ type }) => type !== 'user');
  return [
    // Others in it must find nothing of the host's in us.
    { op: 'prctl', option: kernel.PR_SET_DUMPABLE, arg2: 0, arg3: 0, arg4: 0, arg5: 0 },
    { op: 'setns', fd: userns, type: kernel.CLONE_NEWUSER, about },
    ...becomeRoot(),
    { op: 'unshare', flags: namespaceFlags(others, 'clone'), about: 'namespaces' },
    ...(hasOwn(namespaces, 'pid') ? [{ op: 'fork', about: 'pid namespace' } as const] : []),
    { op: 'notify', token: ENTERED },
  ];
}

/** What the host has opened for init. */
export interface HandedOver {
  /** By destination. */
  readonly sources: ReadonlyMap<string, Slot>;
  /** By path; each is a mount of the node. Absent where init may make nodes itself. */
  readonly nodes?: ReadonlyMap<string, Slot>;
}

/** After `clone`, both strands' part; `root` will be the container's root, a mount of its own. */
export function handOver(
  builder: ProgramBuilder,
  config: OciConfig,
  { rootfs, root }: { readonly rootfs: string; readonly root: Slot },
): HandedOver {
  const { host, init } = builder;
  const own = builder.slot();
  const theirs = builder.slot();
  host.push(
    { op: 'await', token: ENTERED, about },
    {
      op: 'openat2', out: own, dir: CWD, path: '/proc/self/ns/mnt', flags: kernel.O_RDONLY,
      mode: 0, resolve: 0, about,
    },
    { op: 'openChild', out: theirs, name: 'ns/mnt', flags: kernel.O_RDONLY, about },
    { op: 'setns', fd: theirs, type: kernel.CLONE_NEWNS, about },
    // A clone, because one that was copied into the namespace can be no new root.
    {
      op: 'openTree', out: root, dir: CWD, path: rootfs,
      flags: kernel.OPEN_TREE_CLONE | kernel.AT_RECURSIVE, about: 'root filesystem',
    },
  );
  const nodes = makeNodes(builder, config.linux, rootfs);
  host.push({ op: 'moveMount', from: root, to: CWD, path: rootfs, flags: 0, about });
  const sources = openSources(builder, config.mounts);
  host.push({ op: 'setns', fd: own, type: kernel.CLONE_NEWNS, about });
  for (const [index, fd] of [root, ...nodes.values(), ...sources.values()].entries()) {
    const token = FIRST_HANDED + index;
    host.push({ op: 'notifyFd', token, fd, about });
    init.push({ op: 'awaitFd', token, out: fd, about });
  }
  return { sources, nodes };
}

/** Nodes of a filesystem that such a namespace owns cannot be opened: these are on one of ours. */
function makeNodes(
  builder: ProgramBuilder,
  linux: OciLinux,
  rootfs: string,
): ReadonlyMap<string, Slot> {
  const nodes = new Map<string, Slot>();
  const { host } = builder;
  const fs = builder.slot();
  const tree = builder.slot();
  host.push(
    { op: 'fsopen', out: fs, type: 'tmpfs', about: 'devices' },
    { op: 'fsmount', out: tree, fs, attrs: kernel.MOUNT_ATTR_NOSUID, about: 'devices' },
    // What is nowhere cannot be cloned by kernels before 6.15; the root comes on top of it.
    { op: 'moveMount', from: tree, to: CWD, path: rootfs, flags: 0, about: 'devices' },
  );
  for (const device of linux.devices.filter(({ type }) => type !== 'p')) {
    const out = builder.slot();
    host.push(...makeNode(device, { dir: tree, path: String(nodes.size), out }, linux));
    nodes.set(device.path, out);
  }
  host.push({ op: 'close', fd: tree }, { op: 'close', fd: fs });
  return nodes;
}

function makeNode(
  device: OciDevice,
  { dir, path, out }: { readonly dir: Slot; readonly path: string; readonly out: Slot },
  { uidMappings, gidMappings }: OciLinux,
): Step[] {
  const { major, minor, fileMode } = device;
  const node = { dir, path, about: `device ${device.path}` };
  return [
    { op: 'mknodat', ...node, mode: nodeType(device) | fileMode, major, minor },
    {
      op: 'fchownat', ...node, uid: hostId(uidMappings, device.uid) ?? 0,
      gid: hostId(gidMappings, device.gid) ?? 0,
    },
    { op: 'openTree', ...node, out, flags: kernel.OPEN_TREE_CLONE },
  ];
}

/** Limits, and when it runs: what init may not do for itself in such a namespace, the host does. */
export function setForInit(
  { host, init }: ProgramBuilder,
  steps: readonly Step[],
  inUserns: boolean,
): void {
  if (!inUserns) init.push(...steps);
  if (!inUserns || steps.length === 0) return;
  init.push({ op: 'notify', token: FIT }, { op: 'await', token: LIMITED });
  host.push({ op: 'await', token: FIT }, ...steps, { op: 'notify', token: LIMITED });
}

const ofNamespace: ReadonlyMap<string, { type: NamespaceType; path: string }> = new Map([
  ['proc', { type: 'pid', path: '/proc' }],
  ['sysfs', { type: 'network', path: '/sys' }],
  ['mqueue', { type: 'ipc', path: '/dev/mqueue' }],
]);

/**
 * A filesystem of a namespace that is not its own cannot be mounted anew: the host's is bound. Who
 * is confined owns network namespaces, all but the machine's first, and those that others made.
 */
export function mountable(
  { mounts, linux }: OciConfig,
  isConfined: boolean,
): readonly OciMount[] {
  const { namespaces } = linux;
  const isJoined = (kind: NamespaceType): boolean =>
    namespaces.some(({ type, path }) => type === kind && path !== undefined);
  const isInside = namespaces.some(({ type }) => type === 'user');
  if (!isInside && !isConfined) return mounts;
  return mounts.map((mount) => {
    const needs = ofNamespace.get(mount.type);
    if (needs === undefined || hasOwn(namespaces, needs.type)) return mount;
    if (!isInside && (needs.type === 'network' || isJoined(needs.type))) return mount;
    // Who joins both joins what belongs together.
    if (isJoined(needs.type) && isJoined('user')) return mount;
    return { ...mount, type: 'bind', source: needs.path, options: [...mount.options, 'rbind'] };
  });
}
