/** The last part of init: streams, limits, privileges, identity, and the program itself. */
import { CWD, type Slot, type Step } from '../../../native/launch/opcodes.js';
import type { OciProcess } from '../oci.js';
import type { InstalledFilter } from '../seccomp/flags.js';
import { capabilityMask } from '../spec/capabilities.js';
import { variable } from '../spec/environment.js';
import { rlimitNumber } from '../spec/rlimits.js';
import type { ProgramBuilder } from './builder.js';
import * as kernel from './kernel.js';

/** From the standard streams on, in the order of 0, 1, 2. */
export function connectStreams(streams: readonly Slot[], uid: number): Step[] {
  const steps: Step[] = [];
  for (const [to, fd] of streams.entries()) {
    steps.push({ op: 'dup2', fd, to, about: 'standard streams' });
  }
  if (uid === 0) return steps;
  // So that the user may open /dev/stdout; the group stays. The null device is nobody's.
  for (const fd of new Set(streams)) {
    steps.push({
      op: 'fchownat', dir: fd, path: '', uid, gid: -1,
      tolerate: ['EPERM', 'EROFS', 'EINVAL'], about: 'standard streams',
    });
  }
  return steps;
}

const FIRST_PASSED = 3;

/** Descriptors of the launcher's, from 3 on; they go into the program as the streams do. */
export function placeFds(fds: readonly Slot[]): Step[] {
  return fds.map((fd, index) => ({
    op: 'dup2', fd, to: FIRST_PASSED + index, about: 'passed descriptors',
  }));
}

/**
 * While /proc is still the host's. Lowering takes CAP_SYS_RESOURCE: where that is missing the score
 * stays as it was.
 */
export function oomScore({ oomScoreAdj }: Pick<OciProcess, 'oomScoreAdj'>, scratch: Slot): Step[] {
  const about = 'oom_score_adj';
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
    { op: 'close', fd: scratch },
  ];
}

/** The largest hard limits that may be set without CAP_SYS_RESOURCE, by resource number. */
export type HardLimits = ReadonlyMap<number, number>;

/** -1 is no limit at all, as the kernel's own RLIM_INFINITY. */
export function setLimits(process: OciProcess, ceilings: HardLimits | undefined): Step[] {
  return process.rlimits.map(({ type, soft, hard }) => {
    const resource = rlimitNumber(type);
    const ceiling = ceilings?.get(resource);
    const bounded = (limit: number): number | bigint => {
      const isWithin = ceiling === undefined || ceiling < 0 || (limit >= 0 && limit <= ceiling);
      const given = isWithin ? limit : ceiling;
      // Beyond 2^53 a number still is a whole one, and the nearest that JSON can say.
      return Number.isSafeInteger(given) ? given : BigInt(given);
    };
    return {
      op: 'setrlimit', resource, soft: bounded(soft), hard: bounded(hard), about: `ulimit ${type}`,
    };
  });
}

const LISTENER = 11;

/** Init's steps; with a listener the host sends that away, with the last answer that it got. */
export function installSeccomp(
  builder: ProgramBuilder,
  seccomp: InstalledFilter | undefined,
): readonly Step[] {
  if (seccomp === undefined) return [];
  const { filter, flags, listenerPath: path } = seccomp;
  const about = 'seccomp';
  if (path === undefined) return [{ op: 'seccomp', flags, filter, out: CWD, about }];
  const out = builder.slot();
  const toListener = `seccomp listener ${path}`;
  builder.host.push(
    { op: 'awaitFd', token: LISTENER, out, about },
    { op: 'sendAnswer', path, fd: out, about: toListener },
    { op: 'close', fd: out },
  );
  return [
    { op: 'seccomp', flags, filter, out, about },
    { op: 'notifyFd', token: LISTENER, fd: out, about },
    { op: 'close', fd: out },
  ];
}

/**
 * As runc orders it: without no_new_privs the filter needs CAP_SYS_ADMIN, so it comes before the
 * privileges go, and must let the few calls after it pass; with it, it comes last.
 */
export function dropPrivileges(
  process: OciProcess,
  seccomp: readonly Step[],
  passedFds = 0,
): Step[] {
  const { user } = process;
  const isRoot = user.uid === 0;
  const permitted = capabilityMask(process.capabilities.permitted);
  return [
    ...(process.noNewPrivileges ? [] : seccomp),
    {
      op: 'capBounding', keep: capabilityMask(process.capabilities.bounding),
      about: 'capabilities',
    },
    ...(isRoot ? [] : [prctl(kernel.PR_SET_KEEPCAPS, 1)]),
    { op: 'setgroups', gids: ids(user.additionalGids), about: 'groups' },
    { op: 'setresgid', gid: user.gid, about: 'group' },
    { op: 'setresuid', uid: user.uid, about: 'user' },
    ...(isRoot ? [] : [prctl(kernel.PR_SET_KEEPCAPS, 0)]),
    {
      op: 'capset', effective: capabilityMask(process.capabilities.effective), permitted,
      inheritable: capabilityMask(process.capabilities.inheritable), about: 'capabilities',
    },
    ...ambient(process),
    ...(process.noNewPrivileges ? [prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)] : []),
    { op: 'chdir', path: process.cwd, about: `working directory ${process.cwd}` },
    { op: 'getcwd', about: `working directory ${process.cwd}` },
    ...(process.user.umask === undefined
      ? []
      : [{ op: 'umask', mask: process.user.umask } as const]),
    { op: 'closeRange', first: FIRST_PASSED + passedFds, last: 0xffffffff, flags: 0 },
    ...(process.noNewPrivileges ? seccomp : []),
  ];
}

/** After capset: what is raised must be permitted and inheritable by then. */
function ambient({ capabilities }: OciProcess): Step[] {
  if (capabilities.ambient.length === 0) return [];
  return [
    { op: 'capAmbient', raise: capabilityMask(capabilities.ambient), about: 'capabilities' },
  ];
}

function prctl(option: number, arg2: number): Step {
  return { op: 'prctl', option, arg2, arg3: 0, arg4: 0, arg5: 0 };
}

function ids(gids: readonly number[]): Buffer {
  const bytes = Buffer.alloc(gids.length * 4);
  for (const [i, gid] of gids.entries()) bytes.writeUInt32LE(gid, i * 4);
  return bytes;
}

/** `init` is a slot with our own init program, for containers that asked for one. */
export function execute(process: OciProcess, init: Slot | undefined): Step {
  const [command = ''] = process.args;
  const { env } = process;
  if (init !== undefined) {
    return {
      op: 'execveat', fd: init, argv: ['docker-init', ...process.args.slice(1)], env,
      about: command,
    };
  }
  return {
    op: 'execve', paths: candidates(command, variable(env, 'PATH') ?? ''), argv: process.args, env,
    about: command,
  };
}

/** As execvp(3), save that relative folders in PATH are passed over. */
function candidates(command: string, path: string): readonly string[] {
  if (command.includes('/')) return [command];
  if (command === '') return [];
  return path.split(':').filter((dir) => dir.startsWith('/')).map((dir) => `${dir}/${command}`);
}
