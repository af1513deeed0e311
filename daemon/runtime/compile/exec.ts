/**
 * The launch program of an exec. Pure.
 *
 * host: cgroup entry → streams → the container's pid namespace → clone
 * init: cgroup → the other namespaces → console → identity → execve
 *
 * From its first instruction on the new process can be seen by the container's root, who must find
 * nothing of the host in it (CVE-2016-9962): it is not dumpable before execve, and what it has of
 * the host is closed as soon as it is used.
 */
import { CWD, type LaunchProgram, type Slot, type Step } from '../../../native/launch/opcodes.js';
import type { StdioSettings } from '../../../native/shim/monitor-settings.js';
import type { CgroupEntry } from '../cgroup/index.js';
import type { NamespaceType, OciProcess } from '../oci.js';
import { ProgramBuilder, type SharedSlots } from './builder.js';
import { openNull } from './devices.js';
import * as kernel from './kernel.js';
import { cloneFlags } from './namespaces.js';
import {
  connectStreams, dropPrivileges, execute, setLimits, type HardLimits,
} from './process.js';

/** What the program needs besides the process's own configuration. */
export interface ExecPlan {
  readonly containerId: string;
  readonly process: OciProcess;
  /** To be joined; those of the host are not among them. */
  readonly namespaces: readonly NamespaceType[];
  readonly cgroup: CgroupEntry;
  readonly seccomp?: Buffer;
  readonly stdin: boolean;
  readonly hardLimits?: HardLimits;
}

/** A launch program for one more process, with what its launcher must add. */
export interface CompiledExec {
  readonly program: LaunchProgram;
  readonly stdio: StdioSettings;
  /** Where the launch must put a pidfd of the container's first process. */
  readonly pidFd: Slot;
}

const CONSOLE = 1;

/** Compiles the steps that join the container and become the process; pure, it opens nothing. */
export function compileExec(plan: ExecPlan): CompiledExec {
  const builder = new ProgramBuilder();
  const pidFd = builder.slot();
  const slots: SharedSlots = {
    root: builder.slot(), scratch: builder.slot(), scratch2: builder.slot(),
  };
  const entry = openEntry(builder, plan.cgroup);
  const streams = openStreams(builder, plan);
  makeProcess(builder, plan, pidFd, entry);
  if (streams.kind === 'pty') {
    builder.host.push({ op: 'awaitFd', token: CONSOLE, out: streams.controller, about: 'console' });
  }
  enter(builder, plan, { pidFd, entry, slots });
  const ends = attachStreams(builder, plan, { slots, streams });
  builder.init.push(
    ...connectStreams(ends, plan.process.user.uid),
    ...(streams.kind === 'pty'
      ? [{ op: 'setctty', fd: streams.peer, about: 'console' } as const]
      : []),
    ...confine(plan.process, slots),
    // A working directory below /proc/self/fd must not find it (CVE-2024-21626).
    { op: 'close', fd: slots.root },
    ...setLimits(plan.process, plan.hardLimits),
    ...dropPrivileges(plan.process, plan.seccomp),
    execute(plan.process, undefined),
  );
  return { program: builder.program(), stdio: streams.settings, pidFd };
}

function openEntry(builder: ProgramBuilder, entry: CgroupEntry): readonly Slot[] {
  const paths = entry.kind === 'tasks' ? entry.files : [entry.folder];
  const flags = entry.kind === 'tasks' ? kernel.O_WRONLY : kernel.O_PATH | kernel.O_DIRECTORY;
  return paths.map((path) => {
    const out = builder.slot();
    const about = `cgroup ${path}`;
    builder.host.push({ op: 'openat2', out, dir: CWD, path, flags, mode: 0, resolve: 0, about });
    return out;
  });
}

type Streams =
  | {
      readonly kind: 'pty';
      readonly settings: StdioSettings;
      readonly controller: Slot;
      readonly peer: Slot;
    }
  | {
      readonly kind: 'pipes';
      readonly settings: StdioSettings;
      readonly stdin: Slot | undefined;
      readonly outputs: readonly Slot[];
    };

function openStreams(builder: ProgramBuilder, { process, stdin }: ExecPlan): Streams {
  if (process.terminal) {
    const controller = builder.slot();
    return { kind: 'pty', settings: { kind: 'pty', controller }, controller, peer: builder.slot() };
  }
  const pipe = (): { readonly read: Slot; readonly write: Slot } => {
    const ends = { read: builder.slot(), write: builder.slot() };
    builder.host.push({ op: 'pipe', ...ends, about: 'standard streams' });
    return ends;
  };
  const input = stdin ? pipe() : undefined;
  const [stdout, stderr] = [pipe(), pipe()];
  return {
    kind: 'pipes',
    settings: {
      kind: 'pipes', stdout: stdout.read, stderr: stderr.read, stdinOnce: true,
      ...(input === undefined ? {} : { stdin: input.write }),
    },
    stdin: input?.read,
    outputs: [stdout.write, stderr.write],
  };
}

/** The pid namespace is entered by the next child only, so by the shim before it makes one. */
function makeProcess(
  { host }: ProgramBuilder,
  { namespaces, cgroup }: ExecPlan,
  pidFd: Slot,
  [folder = CWD]: readonly Slot[],
): void {
  if (namespaces.includes('pid')) {
    host.push({ op: 'setns', fd: pidFd, type: cloneFlags.pid, about: 'pid namespace' });
  }
  host.push({
    op: 'clone', flags: 0, cgroup: cgroup.kind === 'clone' ? folder : CWD, about: 'process',
  });
}

function enter(
  { init }: ProgramBuilder,
  { containerId, process, namespaces, cgroup }: ExecPlan,
  parts: {
    readonly pidFd: Slot;
    readonly entry: readonly Slot[];
    readonly slots: SharedSlots;
  },
): void {
  const { pidFd, entry, slots } = parts;
  init.push({ op: 'prctl', option: kernel.PR_SET_DUMPABLE, arg2: 0, arg3: 0, arg4: 0, arg5: 0 });
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
    ...oomScore(process, slots.scratch),
    { op: 'setns', fd: pidFd, type: others, about: 'namespaces' },
    { op: 'close', fd: pidFd },
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

/** While /proc is still the host's. Lowering takes CAP_SYS_RESOURCE: else it stays as it was. */
function oomScore({ oomScoreAdj = 0 }: OciProcess, scratch: Slot): Step[] {
  const about = 'oom_score_adj';
  return [
    {
      op: 'openat2', out: scratch, dir: CWD, path: '/proc/self/oom_score_adj',
      flags: kernel.O_WRONLY, mode: 0, resolve: 0, about,
    },
    {
      op: 'write', fd: scratch, bytes: Buffer.from(String(oomScoreAdj)),
      tolerate: ['EACCES', 'EPERM'], about,
    },
    { op: 'close', fd: scratch },
  ];
}

/** The slots of 0, 1 and 2. The console is one of the container's own devpts. */
function attachStreams(
  builder: ProgramBuilder,
  { process }: ExecPlan,
  { slots, streams }: { readonly slots: SharedSlots; readonly streams: Streams },
): readonly Slot[] {
  if (streams.kind === 'pipes') {
    if (streams.stdin !== undefined) return [streams.stdin, ...streams.outputs];
    const nothing = builder.slot();
    builder.init.push(...openNull(slots, nothing));
    return [nothing, ...streams.outputs];
  }
  const { controller, peer } = streams;
  const { height: rows = 0, width: columns = 0 } = process.consoleSize ?? {};
  const about = 'console';
  builder.init.push(
    {
      op: 'openat2', out: slots.scratch, dir: slots.root, path: '/dev/pts',
      flags: kernel.O_RDONLY | kernel.O_DIRECTORY, mode: 0, resolve: kernel.INSIDE, about,
    },
    { op: 'pty', devpts: slots.scratch, controller, peer, rows, columns, about },
    { op: 'notifyFd', token: CONSOLE, fd: controller },
    { op: 'close', fd: controller },
    { op: 'close', fd: slots.scratch },
  );
  return [peer, peer, peer];
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
