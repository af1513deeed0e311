/**
 * From an OCI configuration to a launch program: what the shim (host strand) and the container's
 * first process (init strand) do, one system call after the other. Pure: nothing here touches the
 * kernel, so every order that matters for safety can be read and tested.
 *
 * host: cgroup entry → bind sources, in the daemon's mounts → private mount namespace → rootfs →
 *       clone → (network by the daemon, meanwhile) → fds from init
 * init: cgroup → namespaces → mounts, devices → masks → pivot → identity → execve
 */
import { CWD, type LaunchProgram, type Slot, type Step } from '../../native/launch/opcodes.js';
import type { StdioSettings } from '../../native/shim/monitor-settings.js';
import type { MountRecipe } from '../../storage-drivers/driver.js';
import type { CgroupEntry } from './cgroup/index.js';
import { ProgramBuilder, type SharedSlots } from './compile/builder.js';
import { linkDevices, makeDevices } from './compile/devices.js';
import * as kernel from './compile/kernel.js';
import { openSources, placeMounts, type MountedSlots } from './compile/mounts.js';
import { joinNamespaces, namespaceFlags, type JoinSlots } from './compile/namespaces.js';
import {
  connectStreams, dropPrivileges, execute, setLimits, type HardLimits,
} from './compile/process.js';
import { maskPaths, protectPaths, writeSysctls } from './compile/protect.js';
import { mountRootfs } from './compile/rootfs.js';
import { attachStreams, CONSOLE, openStreams, type Streams } from './compile/streams.js';
import type { OciConfig } from './oci.js';
import { INIT_PATH } from './spec.js';

/** What a program needs besides the configuration. */
export interface LaunchPlan {
  readonly containerId: string;
  /** Absolute; `rootfs` below it exists. */
  readonly bundle: string;
  /** Where the root filesystem is mounted; the bundle's `rootfs` by default. */
  readonly mountPoint?: string;
  readonly rootfs: MountRecipe;
  readonly cgroup: CgroupEntry;
  /** Compiled; absent for unconfined. */
  readonly seccomp?: Buffer;
  /** Whose the standard streams are: the shim's by default, which logs them and is attached to. */
  readonly streams?: 'shim' | 'inherited' | 'console';
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  /** The session keyring stays the launcher's. */
  readonly keepsKeyring?: boolean;
  /** `lo` is brought up here, because nobody sets the network up. */
  readonly loopback?: boolean;
  /** Absent when the daemon may raise hard limits. */
  readonly hardLimits?: HardLimits;
  readonly hasKcore: boolean;
}

/** The program, and which of its slots the shim has to know. */
export interface CompiledLaunch {
  readonly program: LaunchProgram;
  readonly stdio: StdioSettings;
  readonly rootDir: Slot;
  /** With inherited streams: where the shim is to find 0, 1 and 2 of the process. */
  readonly inherited: readonly Slot[];
  /** The terminal's controlling side, when that is to be fetched: `streams: 'console'`. */
  readonly console?: Slot;
}

/** The one `yield`: init's namespaces exist, its network may be set up. */
export const CREATED = 1;
// Tokens between the strands.
const NETWORK_READY = 2;
const ROOT = CONSOLE + 1;

/** Throws `ApiError` 400 where the configuration names what cannot be had. */
export function compileLaunch(config: OciConfig, plan: LaunchPlan): CompiledLaunch {
  const builder = new ProgramBuilder();
  const slots: SharedSlots = {
    root: builder.slot(), scratch: builder.slot(), scratch2: builder.slot(),
  };
  const entry = openCgroup(builder, plan.cgroup);
  const streams = openStreams(builder, config, plan);
  const sources = openSources(builder, config.mounts);
  const rootfs = plan.mountPoint ?? `${plan.bundle}/rootfs`;
  builder.host.push(
    { op: 'unshare', flags: kernel.CLONE_NEWNS, about: 'mount namespace' },
    {
      op: 'mountSetattr', dir: CWD, path: '/', flags: kernel.AT_RECURSIVE, set: 0, clear: 0,
      propagation: kernel.MS_SLAVE, userns: CWD, about: 'mount namespace',
    },
  );
  mountRootfs(builder, plan.rootfs, rootfs);
  const joins = joinNamespaces(builder, config.linux.namespaces);
  const rootDir = builder.slot();
  hostTail(builder, config, plan, { entry, streams, rootDir });
  initHead(builder, config, plan, { entry, joins, slots, rootfs });
  const exe = openInit(builder, config);
  const mounted = placeMounts(
    {
      builder, slots, cgroup: plan.cgroup,
      ownCgroupNamespace: config.linux.namespaces.some((each) => each.type === 'cgroup'),
    },
    config.mounts,
    sources,
  );
  const parts: Parts = { builder, slots, config, mounted };
  furnish(parts, plan.hasKcore);
  if (plan.loopback === true) builder.init.push({ op: 'loopbackUp', about: 'loopback' });
  const ends = attachStreams(parts, streams);
  seal(parts);
  builder.init.push(
    ...connectStreams(ends, streams.kind === 'inherited' ? 0 : config.process.user.uid),
    ...(streams.kind === 'pty' ? [controllingTerminal(streams.peer)] : []),
    ...setLimits(config.process, plan.hardLimits),
    ...dropPrivileges(config.process, plan.seccomp),
    execute(config.process, exe),
  );
  return {
    program: builder.program(), stdio: streams.settings, rootDir,
    inherited: streams.kind === 'inherited' ? streams.fds : [],
    ...(streams.kind === 'pty' && plan.streams === 'console'
      ? { console: streams.controller }
      : {}),
  };
}

const controllingTerminal = (fd: Slot): Step => ({ op: 'setctty', fd, about: 'console' });

function openCgroup(builder: ProgramBuilder, entry: CgroupEntry): readonly Slot[] {
  const paths = entry.kind === 'tasks' ? entry.files : [entry.folder];
  const flags = entry.kind === 'tasks' ? kernel.O_WRONLY : kernel.O_PATH | kernel.O_DIRECTORY;
  return paths.map((path) => {
    const out = builder.slot();
    const about = `cgroup ${path}`;
    builder.host.push({ op: 'openat2', out, dir: CWD, path, flags, mode: 0, resolve: 0, about });
    return out;
  });
}

/** From `clone` to the end of the host's part. */
function hostTail(
  builder: ProgramBuilder,
  config: OciConfig,
  plan: LaunchPlan,
  parts: { readonly entry: readonly Slot[]; readonly streams: Streams; readonly rootDir: Slot },
): void {
  const [folder = CWD] = parts.entry;
  builder.host.push(
    {
      op: 'clone', flags: namespaceFlags(config.linux.namespaces, plan.cgroup.kind),
      cgroup: plan.cgroup.kind === 'clone' ? folder : CWD, about: 'namespaces',
    },
    { op: 'yield', token: CREATED, about: 'network' },
    { op: 'notify', token: NETWORK_READY },
    ...(parts.streams.kind === 'pty'
      ? [{ op: 'awaitFd', token: CONSOLE, out: parts.streams.controller } as const]
      : []),
    { op: 'awaitFd', token: ROOT, out: parts.rootDir },
  );
}

/** Init before its first mount: into its groups and namespaces. */
function initHead(
  builder: ProgramBuilder,
  config: OciConfig,
  plan: LaunchPlan,
  parts: {
    readonly entry: readonly Slot[];
    readonly joins: JoinSlots;
    readonly slots: SharedSlots;
    readonly rootfs: string;
  },
): void {
  const { init } = builder;
  if (plan.cgroup.kind === 'tasks') {
    for (const fd of parts.entry) {
      init.push({ op: 'write', fd, bytes: Buffer.from('0'), about: 'cgroup' });
    }
  }
  init.push(...parts.joins.init);
  const hasNamespace = config.linux.namespaces.some(({ type }) => type === 'cgroup');
  if (plan.cgroup.kind === 'tasks' && hasNamespace) {
    // After the entry: else the container's root would be the shim's group.
    init.push({ op: 'unshare', flags: kernel.CLONE_NEWCGROUP, about: 'cgroup namespace' });
  }
  init.push(
    { op: 'prctl', option: kernel.PR_SET_DUMPABLE, arg2: 0, arg3: 0, arg4: 0, arg5: 0 },
    { op: 'setsid', about: 'session' },
    ...(plan.keepsKeyring === true ? [] : [newKeyring(plan.containerId)]),
    ...oomScore(config, parts.slots.scratch),
    ...(config.hostname === undefined
      ? []
      : [{ op: 'sethostname', name: config.hostname, about: 'hostname' } as const]),
    ...(config.domainname === undefined || config.domainname === ''
      ? []
      : [{ op: 'setdomainname', name: config.domainname, about: 'domainname' } as const]),
    {
      op: 'openat2', out: parts.slots.root, dir: CWD, path: parts.rootfs,
      flags: kernel.O_PATH | kernel.O_DIRECTORY, mode: 0, resolve: 0, about: 'root filesystem',
    },
  );
}

const newKeyring = (id: string): Step => ({
  op: 'keyctlJoin', name: `_ses.${id.slice(0, 16)}`,
  tolerate: ['ENOSYS', 'EPERM', 'EACCES', 'EDQUOT'],
});

/** Lowering takes CAP_SYS_RESOURCE: where that is missing the score stays as it was. */
function oomScore(config: OciConfig, scratch: Slot): Step[] {
  const about = 'oom_score_adj';
  const { oomScoreAdj } = config.process;
  if (oomScoreAdj === undefined) return [];
  return [
    {
      op: 'openat2', out: scratch, dir: CWD, path: '/proc/self/oom_score_adj',
      flags: kernel.O_WRONLY, mode: 0, resolve: 0, about,
    },
    {
      op: 'write', fd: scratch, bytes: Buffer.from(String(oomScoreAdj)),
      tolerate: ['EACCES', 'EPERM'], about,
    },
  ];
}

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

/** What init's later steps build on. */
interface Parts {
  readonly builder: ProgramBuilder;
  readonly slots: SharedSlots;
  readonly config: OciConfig;
  readonly mounted: MountedSlots;
}

/** Nodes, links and the working directory. */
function furnish({ builder, slots, config, mounted }: Parts, hasKcore: boolean): void {
  if (mounted.dev !== undefined) {
    makeDevices(builder, slots, mounted.dev, config.linux.devices);
    linkDevices(builder, mounted.dev, hasKcore);
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
function seal({ builder, slots, config, mounted }: Parts): void {
  const { init } = builder;
  const { linux } = config;
  // Parameters of the network may be those of a link. Nothing else waits for it here: the plugin
  // works while init mounts, masks and pivots.
  const awaitNetwork: Step = { op: 'await', token: NETWORK_READY, about: 'network' };
  const isEarly = Object.keys(linux.sysctl).some((name) => name.startsWith('net.'));
  if (isEarly) init.push(awaitNetwork);
  if (mounted.proc !== undefined) writeSysctls(builder, slots, mounted.proc, linux.sysctl);
  protectPaths(builder, slots, linux.readonlyPaths);
  maskPaths(builder, slots, linux.maskedPaths);
  if (config.root.readonly) {
    init.push({
      op: 'mountSetattr', dir: slots.root, path: '', flags: 0, set: kernel.MOUNT_ATTR_RDONLY,
      clear: 0, propagation: 0, userns: CWD, about: 'read-only root',
    });
  }
  init.push(...apparmor(config, slots, mounted));
  init.push(
    { op: 'fchdir', fd: slots.root, about: 'root filesystem' },
    { op: 'pivotRoot', about: 'root filesystem' },
    { op: 'notifyFd', token: ROOT, fd: slots.root },
    ...(isEarly ? [] : [awaitNetwork]),
  );
}

/** Takes effect at execve. Written through our own procfs, as every such file. */
function apparmor(config: OciConfig, slots: SharedSlots, mounted: MountedSlots): Step[] {
  const profile = config.process.apparmorProfile;
  if (profile === undefined || profile === 'unconfined' || mounted.proc === undefined) return [];
  const about = `AppArmor profile ${profile}`;
  return [
    {
      op: 'openat2', out: slots.scratch, dir: mounted.proc, path: 'thread-self/attr/exec',
      flags: kernel.O_WRONLY, mode: 0, resolve: kernel.RESOLVE_BENEATH, about,
    },
    { op: 'fstatfsMagic', fd: slots.scratch, magic: kernel.PROC_SUPER_MAGIC, about },
    { op: 'write', fd: slots.scratch, bytes: Buffer.from(`exec ${profile}`), about },
  ];
}
