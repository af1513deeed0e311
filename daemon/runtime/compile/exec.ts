/**
 * The launch program of an exec. Pure.
 *
 * host: cgroup entry → streams → (yield) → the container's pid namespace → clone
 * init: cgroup → the other namespaces → console → identity → execve
 *
 * From its first instruction on the new process can be seen by the container's root, who must find
 * nothing of the host in it (CVE-2016-9962): it is not dumpable before execve, and what it has of
 * the host is closed as soon as it is used.
 */
import {
  CWD, UNASKED, type LaunchProgram, type Slot, type Step,
} from '../../../native/launch/opcodes.js';
import type { StdioSettings } from '../../../native/shim/monitor-settings.js';
import type { CgroupEntry } from '../cgroup/index.js';
import type { NamespaceType, IdMapping, OciProcess } from '../oci.js';
import type { InstalledFilter } from '../seccomp/flags.js';
import { cloneStep } from './birth.js';
import { ProgramBuilder, type SharedSlots } from './builder.js';
import { openEntry } from './cgroup-entry.js';
import * as kernel from './kernel.js';
import { cloneFlags } from './namespaces.js';
import {
  connectStreams, dropPrivileges, execute, installSeccomp, oomScore, placeFds, setLimits,
  type HardLimits,
} from './process.js';
import { affinity, schedule } from './schedule.js';
import { attachStreams, CONSOLE, openStreams, type StreamPlan } from './streams.js';
import { setForInit, becomeRoot } from './userns.js';

/** What the program needs besides the process's own configuration. */
export interface ExecPlan {
  readonly containerId: string;
  readonly process: OciProcess;
  /** To be joined; those of the host are not among them. */
  readonly namespaces: readonly NamespaceType[];
  /** Of its user namespace, if it has one of its own. */
  readonly uidMappings?: readonly IdMapping[];
  readonly cgroup: CgroupEntry;
  readonly seccomp?: InstalledFilter;
  /** Whose the streams are: the shim's, unless it says otherwise. */
  readonly streams?: NonNullable<StreamPlan['streams']>;
  /** How many descriptors from 3 on are the launcher's. */
  readonly passedFds?: number;
  readonly stdin: boolean;
  /** Whether somebody is attached from the start. */
  readonly hasClient?: boolean;
  /** The process is made once its launcher says so, unasked, with the client's socket. */
  readonly waits?: boolean;
  /** It does not stop at its gate. */
  readonly opens?: boolean;
  readonly hardLimits?: HardLimits;
}

/** A launch program for one more process, with what its launcher must add. */
export interface CompiledExec {
  readonly program: LaunchProgram;
  readonly stdio: StdioSettings;
  /** Where the launch must put a pidfd of the container's first process. */
  readonly pidFd: Slot;
  /** Where it must put the container's root, if that is not the root of a mount namespace. */
  readonly newRoot?: Slot;
  /** Where it must put 0, 1 and 2, if they are the launcher's. */
  readonly inherited: readonly Slot[];
  /** Where it must put 3 and those that follow. */
  readonly passed: readonly Slot[];
  /** The terminal's controlling side, if somebody else is to have it. */
  readonly console?: Slot;
  /** Where the socket of who is attached from the start is put: by it, unless the program waits. */
  readonly client?: Slot;
}

/** Compiles the steps that join the container and become the process; pure, it opens nothing. */
export function compileExec(plan: ExecPlan): CompiledExec {
  const builder = new ProgramBuilder();
  const filled = slotsToFill(builder, plan);
  const slots: SharedSlots = {
    root: builder.slot(), scratch: builder.slot(), scratch2: builder.slot(),
  };
  const entry = openEntry(builder, plan.cgroup);
  const passed = Array.from({ length: plan.passedFds ?? 0 }, () => builder.slot());
  const streams = openStreams(
    builder, plan.process, { ...plan, stdinOnce: true }, plan.uidMappings,
  );
  makeProcess(builder, plan, filled, entry);
  if (streams.kind === 'pty') {
    builder.host.push({ op: 'awaitFd', token: CONSOLE, out: streams.controller, about: 'console' });
  }
  enter(builder, plan, { ...filled, entry, slots });
  // The console is one of the container's own devpts.
  const ends = attachStreams({ builder, slots, process: plan.process, mounted: {} }, streams);
  if (streams.kind === 'pty') builder.init.push({ op: 'close', fd: slots.scratch });
  builder.init.push(
    ...connectStreams(ends, streams.kind === 'inherited' ? 0 : plan.process.user.uid),
    ...(streams.kind === 'pty'
      ? [{ op: 'setctty', fd: streams.peer, about: 'console' } as const]
      : []),
    ...confine(plan.process, slots),
    // A working directory below /proc/self/fd must not find it (CVE-2024-21626).
    { op: 'close', fd: slots.root },
    ...placeFds(passed),
  );
  const limits = [...setLimits(plan.process, plan.hardLimits), ...schedule(plan.process)];
  setForInit(builder, limits, plan.namespaces.includes('user'));
  builder.init.push(
    ...affinity(plan.process.execCPUAffinity?.final),
    ...dropPrivileges(plan.process, installSeccomp(builder, plan.seccomp), plan.passedFds),
    execute(plan.process, undefined),
  );
  return {
    program: builder.program(), stdio: streams.settings, ...filled, passed,
    inherited: streams.kind === 'inherited' ? streams.fds : [],
    ...(streams.kind === 'pty' && plan.streams === 'console'
      ? { console: streams.controller }
      : {}),
  };
}

type Filled = Pick<CompiledExec, 'pidFd' | 'client' | 'newRoot'>;

function slotsToFill(builder: ProgramBuilder, { hasClient, namespaces }: ExecPlan): Filled {
  return {
    pidFd: builder.slot(),
    ...(hasClient === true ? { client: builder.slot() } : {}),
    ...(namespaces.includes('mount') ? {} : { newRoot: builder.slot() }),
  };
}

/** The answer is for who listens to the filter. */
const MADE = 1;
/** Nothing has been made in the container yet; what can be done outside has been. */
const GO = UNASKED + 2;

/** The pid namespace is entered by the next child only, so by the shim before it makes one. */
function makeProcess(
  { host }: ProgramBuilder,
  { namespaces, cgroup, seccomp, waits, opens }: ExecPlan,
  { pidFd, client }: Filled,
  [folder = CWD]: readonly Slot[],
): void {
  if (waits === true) {
    host.push(
      client === undefined
        ? { op: 'yield', token: GO }
        : { op: 'yieldFd', token: GO, out: client, about: 'client' },
    );
  }
  if (namespaces.includes('pid')) {
    host.push({ op: 'setns', fd: pidFd, type: cloneFlags.pid, about: 'pid namespace' });
  }
  const listens = seccomp?.listenerPath !== undefined;
  const group = cgroup.kind === 'clone' ? folder : CWD;
  // A listener's init waits for us, and a time namespace takes nobody who shares a memory.
  const borrows = opens === true && !listens && !namespaces.includes('time');
  host.push(cloneStep({ flags: 0, cgroup: group, about: 'process' }, borrows));
  if (listens) host.push({ op: 'yield', token: MADE });
}

function enter(
  { init }: ProgramBuilder,
  { containerId, process, namespaces, cgroup }: ExecPlan,
  parts: Filled & { readonly entry: readonly Slot[]; readonly slots: SharedSlots },
): void {
  const { pidFd, client, newRoot, entry, slots } = parts;
  init.push(
    { op: 'prctl', option: kernel.PR_SET_DUMPABLE, arg2: 0, arg3: 0, arg4: 0, arg5: 0 },
    ...affinity(process.execCPUAffinity?.initial),
  );
  if (client !== undefined) init.push({ op: 'close', fd: client });
  for (const fd of entry) {
    if (cgroup.kind === 'tasks') {
      init.push({ op: 'write', fd, bytes: Buffer.from('0'), about: 'cgroup' });
    }
    init.push({ op: 'close', fd });
  }
  const others = namespaces
    .filter((type) => type !== 'pid')
    .reduce((flags, type) => flags | cloneFlags[type], 0);
  init.push(
    ...oomScore({ oomScoreAdj: 0, ...process }, slots.scratch),
    { op: 'setns', fd: pidFd, type: others, about: 'namespaces' },
    { op: 'close', fd: pidFd },
    ...(newRoot === undefined ? [] : enterRoot(newRoot)),
    ...(namespaces.includes('user') ? becomeRoot() : []),
    { op: 'setsid', about: 'session' },
    {
      op: 'keyctlJoin', name: `_ses.${containerId.slice(0, 16)}`,
      tolerate: ['ENOSYS', 'EPERM', 'EACCES', 'EDQUOT'],
    },
    {
      op: 'openat2', out: slots.root, dir: CWD, path: '/',
      flags: kernel.O_PATH | kernel.O_DIRECTORY, mode: 0, resolve: 0, about: 'root filesystem',
    },
  );
}

/** Of a container in the launcher's mount namespace, whose root is another one. */
function enterRoot(fd: Slot): Step[] {
  const about = 'root filesystem';
  return [
    { op: 'fchdir', fd, about }, { op: 'chroot', path: '.', about }, { op: 'close', fd },
  ];
}

/** The AppArmor profile takes effect at execve; a file that is not procfs's is refused. */
function confine({ apparmorProfile: profile }: OciProcess, slots: SharedSlots): Step[] {
  if (profile === undefined || profile === 'unconfined') return [];
  const about = `AppArmor profile ${profile}`;
  return [
    {
      op: 'openat2', out: slots.scratch, dir: slots.root, path: '/proc/thread-self/attr/exec',
      flags: kernel.O_WRONLY, mode: 0, resolve: kernel.INSIDE, about,
    },
    { op: 'fstatfsMagic', fd: slots.scratch, magic: kernel.PROC_SUPER_MAGIC, about },
    { op: 'write', fd: slots.scratch, bytes: Buffer.from(`exec ${profile}`), about },
    { op: 'close', fd: slots.scratch },
  ];
}
