/**
 * From an OCI configuration to a launch program: what the shim (host strand) and the container's
 * first process (init strand) do, one system call after the other. Pure: nothing here touches the
 * kernel, so every order that matters for safety can be read and tested.
 *
 * host: cgroup entry → bind sources, in the daemon's mounts → private mount namespace → rootfs →
 *       clone → (network by the daemon, meanwhile) → fds from init; where the network needs nothing
 *       of init, it comes before an init that borrows the shim's memory
 * init: cgroup → namespaces → mounts, devices → masks → pivot → identity → execve
 */
import { CWD, type LaunchProgram, type Slot, type Step } from '../../native/launch/opcodes.js';
import type { StdioSettings } from '../../native/shim/monitor-settings.js';
import type { MountRecipe } from '../../storage-drivers/driver.js';
import type { CgroupEntry } from './cgroup/index.js';
import { makeInit, type BirthParts } from './compile/birth.js';
import { ProgramBuilder, type SharedSlots } from './compile/builder.js';
import { linkDevices, makeDevices, openDev } from './compile/devices.js';
import { noHooks, runHooks, sendStates, type InnerHooks } from './compile/hooks.js';
import * as kernel from './compile/kernel.js';
import { parseMountOptions } from './compile/mount-options.js';
import {
  mountsOf, newRoot, placeRoot, takeRoot, type MountsOf,
} from './compile/mount-namespace.js';
import { openSources, openStacks, placeMounts, type MountedSlots } from './compile/mounts.js';
import { memoryPolicy, schedule } from './compile/schedule.js';
import { openEntry } from './compile/cgroup-entry.js';
import {
  connectStreams, dropPrivileges, execute, installSeccomp, placeFds, setLimits, type HardLimits,
} from './compile/process.js';
import { maskPaths, protectPaths, writeSysctls } from './compile/protect.js';
import { mountRootfs } from './compile/rootfs.js';
import { attachStreams, CONSOLE, openStreams, type Streams } from './compile/streams.js';
import { handOver, mountable, openUserns, setForInit, type HandedOver } from './compile/userns.js';
import type { OciConfig } from './oci.js';
import type { InstalledFilter } from './seccomp/flags.js';
import { INIT_PATH } from './spec.js';

/** What a program needs besides the configuration. */
export interface LaunchPlan {
  readonly containerId: string;
  /** Absolute; `rootfs` below it exists. */
  readonly bundle: string;
  /** Where the root filesystem is mounted; the bundle's `rootfs` by default. */
  readonly mountPoint?: string;
  readonly rootfs: MountRecipe;
  /** Its owners are shown by the maps of the user namespace; they are as they are without it. */
  readonly mapsRootfs?: boolean;
  readonly cgroup: CgroupEntry;
  /** Compiled; absent for unconfined. */
  readonly seccomp?: InstalledFilter;
  /** Whose the standard streams are: the shim's by default, which logs them and is attached to. */
  readonly streams?: 'shim' | 'inherited' | 'console';
  /** How many descriptors from 3 on the process has of the launcher. */
  readonly passedFds?: number;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  /** The session keyring stays the launcher's. */
  readonly keepsKeyring?: boolean;
  /** The network namespace is one that the launcher passes on. */
  readonly netnsIsPassed?: boolean;
  /** It does not stop at its gate, and nobody outside has to do anything with it before. */
  readonly isAlone?: boolean;
  /** `lo` is brought up here, because nobody sets the network up. */
  readonly loopback?: boolean;
  /** The host's root stays, hidden beneath the container's. */
  readonly noPivot?: boolean;
  /** Those that run inside. */
  readonly hooks?: InnerHooks;
  /** Absent when the daemon may raise hard limits. */
  readonly hardLimits?: HardLimits;
  readonly hasKcore: boolean;
  /** The launcher is root of a user namespace, and may make no devices. */
  readonly isConfined: boolean;
}

/** The program, and which of its slots the shim has to know. */
export interface CompiledLaunch {
  readonly program: LaunchProgram;
  readonly stdio: StdioSettings;
  readonly rootDir: Slot;
  /** With inherited streams: where the shim is to find 0, 1 and 2 of the process. */
  readonly inherited: readonly Slot[];
  /** Where it is to find 3 and those that follow, if there are any. */
  readonly passed: readonly Slot[];
  /** Where init is to find its network namespace, with `netnsIsPassed`. */
  readonly netns?: Slot | undefined;
  /** The terminal's controlling side, when that is to be fetched: `streams: 'console'`. */
  readonly console?: Slot;
}

/** The one `yield`: its network may be set up; init's namespaces exist, unless it `isAlone`. */
export const CREATED = 1;
// Tokens between the strands.
const NETWORK_READY = 2;
const ROOT = CONSOLE + 1;

/** Throws `ApiError` 400 where the configuration names what cannot be had. */
export function compileLaunch(given: OciConfig, plan: LaunchPlan): CompiledLaunch {
  const config = { ...given, mounts: mountable(given, plan.isConfined) };
  const builder = new ProgramBuilder();
  const slots: SharedSlots = {
    root: builder.slot(), scratch: builder.slot(), scratch2: builder.slot(),
  };
  const entry = openEntry(builder, plan.cgroup);
  const passed = Array.from({ length: plan.passedFds ?? 0 }, () => builder.slot());
  const streams = openStreams(builder, config.process, plan, config.linux.uidMappings);
  const hooks = plan.hooks ?? noHooks;
  const userns = openUserns(builder, config.linux);
  const sources = userns === undefined ? openSources(builder, config.mounts) : undefined;
  const rootfs = plan.mountPoint ?? `${plan.bundle}/rootfs`;
  const mountsIn = mountsOf(config.linux.namespaces);
  const borrows = mayBorrow(config, plan);
  const parts: Parts = { builder, slots, config, plan, entry, rootfs, userns, mountsIn, borrows };
  const stacks = prepareRoot(parts);
  if (borrows) builder.host.push(setUpNetwork);
  const netns = makeInit(parts);
  const handed: HandedOver = sources === undefined
    ? handOver(builder, config, { rootfs, root: slots.root })
    : { sources };
  const rootDir = hostTail(parts, streams, hooks);
  name(parts);
  const exe = openInit(builder, config);
  const mounted = withDev(parts, placeMounts(
    {
      builder, slots, cgroup: plan.cgroup,
      ownCgroupNamespace: config.linux.namespaces.some((each) => each.type === 'cgroup'),
    },
    config.mounts,
    new Map([...handed.sources, ...stacks]),
  ));
  furnish(parts, mounted, handed);
  if (plan.loopback === true) builder.init.push({ op: 'loopbackUp', about: 'loopback' });
  const ends = attachStreams({ builder, slots, process: config.process, mounted }, streams);
  seal(parts, mounted, hooks);
  builder.init.push(
    ...connectStreams(ends, streams.kind === 'inherited' ? 0 : config.process.user.uid),
    ...(streams.kind === 'pty' ? [controllingTerminal(streams.peer)] : []),
    ...placeFds(passed),
  );
  const limits = [...setLimits(config.process, plan.hardLimits), ...schedule(config.process)];
  setForInit(builder, limits, userns !== undefined);
  builder.init.push(
    ...keptByExecve(config.linux),
    ...dropPrivileges(config.process, installSeccomp(builder, plan.seccomp), plan.passedFds),
  );
  runHooks(builder, hooks, 'startContainer', [{ op: 'gate' }]);
  builder.init.push(execute(config.process, exe));
  return {
    program: builder.program(), stdio: streams.settings, rootDir,
    inherited: streams.kind === 'inherited' ? streams.fds : [],
    passed,
    netns,
    ...(streams.kind === 'pty' && plan.streams === 'console'
      ? { console: streams.controller }
      : {}),
  };
}

/** A mount namespace of the host strand's own: what it mounts nobody else sees. */
export function privateMounts(): Step[] {
  const about = 'mount namespace';
  return [
    { op: 'unshare', flags: kernel.CLONE_NEWNS, about },
    {
      op: 'mountSetattr', dir: CWD, path: '/', flags: kernel.AT_RECURSIVE, set: 0, clear: 0,
      propagation: kernel.MS_SLAVE, userns: CWD, about,
    },
  ];
}

/** include/uapi/linux/personality.h */
const personas = { LINUX: 0n, LINUX32: 8n } as const;

function keptByExecve({ personality, memoryPolicy: policy }: OciConfig['linux']): Step[] {
  const steps = memoryPolicy(policy);
  if (personality === undefined) return steps;
  const { domain } = personality;
  const persona = personas[domain];
  return [...steps, { op: 'personality', persona, about: `personality ${domain}` }];
}

const controllingTerminal = (fd: Slot): Step => ({ op: 'setctty', fd, about: 'console' });

/** What the parts of a program build on. */
interface Parts extends BirthParts {
  readonly slots: SharedSlots;
  readonly plan: LaunchPlan;
  readonly rootfs: string;
  readonly mountsIn: MountsOf;
}

/** The host's mounts: the root is at its place, for nobody else to see. Stacks by destination. */
function prepareRoot(
  { builder, slots, config, plan, rootfs, mountsIn }: Parts,
): ReadonlyMap<string, Slot> {
  if (mountsIn === 'launcher') return new Map();
  builder.host.push(...privateMounts());
  const stacks = openStacks(builder, config.mounts, rootfs);
  mountRootfs(builder, plan.rootfs, rootfs, plan.mapsRootfs === true ? config.linux : {});
  if (mountsIn === 'path') takeRoot(builder, rootfs, slots.root);
  return stacks;
}

const setUpNetwork: Step = { op: 'yield', token: CREATED, about: 'network' };

/** Whether init waits for nobody, and the kernel lets it do all of its steps in a shared memory. */
function mayBorrow({ linux }: OciConfig, { isAlone, hooks, seccomp }: LaunchPlan): boolean {
  const apart = ['user', 'time'];
  return isAlone === true && hooks === undefined && seccomp?.listenerPath === undefined &&
    !linux.namespaces.some(({ type }) => apart.includes(type));
}

/** The host's last steps; the slot where it gets the container's root. */
function hostTail({ builder, borrows }: Parts, streams: Streams, hooks: InnerHooks): Slot {
  const rootDir = builder.slot();
  if (!borrows) {
    builder.host.push(setUpNetwork);
    sendStates(builder, hooks);
    builder.host.push({ op: 'notify', token: NETWORK_READY });
  }
  builder.host.push(
    ...(streams.kind === 'pty'
      ? [{ op: 'awaitFd', token: CONSOLE, out: streams.controller } as const]
      : []),
    { op: 'awaitFd', token: ROOT, out: rootDir },
  );
  return rootDir;
}

/** Init before its first mount: its session and its names. */
function name(
  { builder: { init }, config, plan, slots, rootfs, userns, mountsIn }: Parts,
): void {
  init.push(
    { op: 'prctl', option: kernel.PR_SET_DUMPABLE, arg2: 0, arg3: 0, arg4: 0, arg5: 0 },
    { op: 'setsid', about: 'session' },
    ...(plan.keepsKeyring === true ? [] : [newKeyring(plan.containerId)]),
    ...(config.hostname === undefined
      ? []
      : [{ op: 'sethostname', name: config.hostname, about: 'hostname' } as const]),
    ...(config.domainname === undefined || config.domainname === ''
      ? []
      : [{ op: 'setdomainname', name: config.domainname, about: 'domainname' } as const]),
  );
  if (userns !== undefined) return;
  init.push(...(mountsIn === 'path' ? placeRoot(rootfs, slots.root) : [{
    op: 'openat2', out: slots.root, dir: CWD, path: rootfs,
    flags: kernel.O_PATH | kernel.O_DIRECTORY, mode: 0, resolve: 0, about: 'root filesystem',
  } as const]));
}

const newKeyring = (id: string): Step => ({
  op: 'keyctlJoin', name: `_ses.${id.slice(0, 16)}`,
  tolerate: ['ENOSYS', 'EPERM', 'EACCES', 'EDQUOT'],
});

/** `--init` is the shim's own program under another name, from its sealed memfd. */
function openInit(builder: ProgramBuilder, config: OciConfig): Slot | undefined {
  if (config.process.args[0] !== INIT_PATH) return undefined;
  const out = builder.slot();
  builder.init.push({
    op: 'openat2', out, dir: CWD, path: '/proc/self/exe', flags: kernel.O_PATH, mode: 0,
    resolve: 0, about: 'docker-init',
  });
  return out;
}

/** Devices go into /dev whether something is mounted there or not, unless that is a user's. */
function withDev({ builder, slots, config }: Parts, mounted: MountedSlots): MountedSlots {
  const dev = mounted.dev ?? openDev(builder, slots, config.mounts);
  return dev === undefined ? mounted : { ...mounted, dev };
}

/** Nodes, links and the working directory. */
function furnish(
  { builder, slots, config, plan }: Parts,
  { dev }: MountedSlots,
  { nodes }: HandedOver,
): void {
  if (dev !== undefined) {
    const places = { dev, binds: plan.isConfined, ...(nodes === undefined ? {} : { nodes }) };
    makeDevices(builder, slots, places, config.linux.devices);
    linkDevices(builder, dev, plan.hasKcore);
  }
  const { cwd } = config.process;
  if (cwd !== '/') {
    builder.init.push({
      op: 'target', out: slots.scratch, root: slots.root, path: cwd, kind: 0, mode: 0o755,
      about: `working directory ${cwd}`,
    });
  }
}

/** Parameters, read-only and masked paths, the pivot: afterwards the host is out of reach. */
function seal(
  { builder, slots, config, plan, mountsIn, borrows }: Parts,
  mounted: MountedSlots,
  hooks: InnerHooks,
): void {
  const { init } = builder;
  const { linux } = config;
  // Parameters of the network may be those of a link. Nothing else waits for it here: the plugin
  // works while init mounts, masks and pivots.
  const awaitNetwork: Step[] =
    borrows ? [] : [{ op: 'await', token: NETWORK_READY, about: 'network' }];
  const isEarly = Object.keys(linux.sysctl).some((name) => name.startsWith('net.'));
  if (isEarly) init.push(...awaitNetwork);
  const proc = mounted.proc ?? openProc(builder, slots, config);
  if (proc !== undefined) writeSysctls(builder, slots, proc, linux.sysctl);
  protectPaths(builder, slots, linux.readonlyPaths);
  maskPaths(builder, slots, linux.maskedPaths);
  if (config.root.readonly) {
    init.push({
      op: 'mountSetattr', dir: slots.root, path: '', flags: 0, set: kernel.MOUNT_ATTR_RDONLY,
      clear: 0, propagation: 0, userns: CWD, about: 'read-only root',
    });
  }
  init.push(...apparmor(config, slots, proc));
  runHooks(builder, hooks, 'createContainer');
  init.push(
    { op: 'fchdir', fd: slots.root, about: 'root filesystem' },
    ...newRoot(mountsIn, plan.noPivot),
    ...propagation(linux.rootfsPropagation),
    { op: 'notifyFd', token: ROOT, fd: slots.root },
    ...(isEarly ? [] : awaitNetwork),
  );
}

/** Once the root is one: before, it may not be shared. */
function propagation(word: string | undefined): Step[] {
  const kind = word === undefined ? undefined : parseMountOptions([word]).propagation;
  if (kind === undefined) return [];
  const { type, recursive } = kind;
  return [{
    op: 'mountSetattr', dir: CWD, path: '/', flags: recursive ? kernel.AT_RECURSIVE : 0, set: 0,
    clear: 0, propagation: type, userns: CWD, about: `propagation ${word} of the root`,
  }];
}

/** A user's own /proc, where something is to be written there; what is no procfs is refused. */
function openProc(
  builder: ProgramBuilder,
  { root }: SharedSlots,
  { linux, process: { apparmorProfile } }: OciConfig,
): Slot | undefined {
  if (Object.keys(linux.sysctl).length === 0 && !isProfile(apparmorProfile)) return undefined;
  const out = builder.slot();
  const about = 'procfs at /proc';
  builder.init.push(
    {
      op: 'openat2', out, dir: root, path: '/proc', flags: kernel.O_PATH | kernel.O_DIRECTORY,
      mode: 0, resolve: kernel.INSIDE, about,
    },
    { op: 'fstatfsMagic', fd: out, magic: kernel.PROC_SUPER_MAGIC, about },
  );
  return out;
}

const isProfile = (name: string | undefined): name is string =>
  name !== undefined && name !== 'unconfined';

/** Takes effect at execve. Written through a procfs, as every such file. */
function apparmor(config: OciConfig, slots: SharedSlots, proc: Slot | undefined): Step[] {
  const profile = config.process.apparmorProfile;
  if (!isProfile(profile) || proc === undefined) return [];
  const about = `AppArmor profile ${profile}`;
  return [
    {
      op: 'openat2', out: slots.scratch, dir: proc, path: 'thread-self/attr/exec',
      flags: kernel.O_WRONLY, mode: 0, resolve: kernel.RESOLVE_BENEATH, about,
    },
    { op: 'fstatfsMagic', fd: slots.scratch, magic: kernel.PROC_SUPER_MAGIC, about },
    { op: 'write', fd: slots.scratch, bytes: Buffer.from(`exec ${profile}`), about },
  ];
}
