/** On which CPUs, how soon, and on whose memory the kernel lets the process run. Pure. */
import { endianness } from 'node:os';
import type { Step } from '../../../native/launch/opcodes.js';
import type {
  OciIoPriority, OciMemoryPolicy, OciProcess, OciScheduler,
} from '../oci.js';

/** include/uapi/linux/sched.h */
const policies = {
  SCHED_OTHER: 0, SCHED_FIFO: 1, SCHED_RR: 2, SCHED_BATCH: 3, SCHED_ISO: 4, SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
} as const;
const schedulerFlags = {
  SCHED_FLAG_RESET_ON_FORK: 0x01, SCHED_FLAG_RECLAIM: 0x02, SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08, SCHED_FLAG_KEEP_PARAMS: 0x10, SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
} as const;
/** include/uapi/linux/ioprio.h */
const ioClasses = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 } as const;
/** include/uapi/linux/mempolicy.h */
const memoryModes = {
  MPOL_DEFAULT: 0, MPOL_PREFERRED: 1, MPOL_BIND: 2, MPOL_INTERLEAVE: 3, MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5, MPOL_WEIGHTED_INTERLEAVE: 6,
} as const;
const memoryFlags = {
  MPOL_F_STATIC_NODES: 1 << 15, MPOL_F_RELATIVE_NODES: 1 << 14, MPOL_F_NUMA_BALANCING: 1 << 13,
} as const;
const IOPRIO_CLASS_SHIFT = 13;
const SIZEOF_ATTR = 48;
const BITS = 8;
/** As many as the kernel counts. */
const MAX_CPUS = 8192;

/** The runtime-spec's words for policies. */
export const policyNames = Object.keys(policies) as readonly (keyof typeof policies)[];
/** Its words for flags. */
export const schedulerFlagNames =
  Object.keys(schedulerFlags) as readonly (keyof typeof schedulerFlags)[];
/** Its words for classes of I/O. */
export const ioClassNames = Object.keys(ioClasses) as readonly (keyof typeof ioClasses)[];

/** Its words for policies of memory. */
export const memoryModeNames = Object.keys(memoryModes) as readonly (keyof typeof memoryModes)[];
/** And for their flags. */
export const memoryFlagNames = Object.keys(memoryFlags) as readonly (keyof typeof memoryFlags)[];

/** While the privileges are still there: real time needs CAP_SYS_NICE. */
export function schedule({ scheduler, ioPriority }: OciProcess): Step[] {
  return [
    ...(ioPriority === undefined
      ? []
      : [{ op: 'ioprioSet', ioprio: ioprioOf(ioPriority), about: 'I/O priority' } as const]),
    ...(scheduler === undefined
      ? []
      : [{ op: 'schedSetattr', attr: attrOf(scheduler), about: 'scheduler' } as const]),
  ];
}

function ioprioOf({ class: name, priority }: OciIoPriority): number {
  return (ioClasses[name] << IOPRIO_CLASS_SHIFT) | priority;
}

/** struct sched_attr, sched_setattr(2). */
function attrOf(scheduler: OciScheduler): Buffer {
  const { policy, nice = 0, priority = 0, flags } = scheduler;
  const { runtime = 0, deadline = 0, period = 0 } = scheduler;
  const attr = Buffer.alloc(SIZEOF_ATTR);
  attr.writeUInt32LE(SIZEOF_ATTR, 0);
  attr.writeUInt32LE(policies[policy], 4);
  attr.writeBigUInt64LE(BigInt(flags.reduce((all, flag) => all | schedulerFlags[flag], 0)), 8);
  attr.writeInt32LE(nice, 16);
  attr.writeUInt32LE(priority, 20);
  attr.writeBigUInt64LE(BigInt(runtime), 24);
  attr.writeBigUInt64LE(BigInt(deadline), 32);
  attr.writeBigUInt64LE(BigInt(period), 40);
  return attr;
}

/** Holds for what the process is going to be, and for its children. */
export function memoryPolicy(policy: OciMemoryPolicy | undefined): Step[] {
  if (policy === undefined) return [];
  const { mode, nodes = '', flags } = policy;
  return [{
    op: 'setMempolicy', about: 'memory policy',
    mode: flags.reduce<number>((all, flag) => all | memoryFlags[flag], memoryModes[mode]),
    nodes: nodes === '' ? new Uint8Array() : maskOf(cpusOf(nodes) ?? []),
  }];
}

/** `0-3,7`: where the process may run; none for an absent list. */
export function affinity(list: string | undefined): Step[] {
  if (list === undefined || list === '') return [];
  return [{ op: 'schedSetaffinity', mask: maskOf(cpusOf(list) ?? []), about: `CPUs ${list}` }];
}

/** Undefined for what is no list of CPUs or nodes (cpuset(7), "List format"). */
export function cpusOf(list: string): readonly number[] | undefined {
  const cpus: number[] = [];
  for (const part of list.split(',')) {
    const [, from, to = from] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? [];
    if (from === undefined || Number(to) < Number(from) || Number(to) >= MAX_CPUS) return undefined;
    for (let cpu = Number(from); cpu <= Number(to); cpu++) cpus.push(cpu);
  }
  return cpus;
}

/** An array of the kernel's words of 64 bits. */
export function maskOf(cpus: readonly number[]): Buffer {
  if (endianness() !== 'LE') throw new Error('a mask is made for little-endian machines');
  const mask = Buffer.alloc((Math.floor(Math.max(0, ...cpus) / 64) + 1) * BITS);
  for (const cpu of cpus) {
    const at = Math.floor(cpu / BITS);
    mask.writeUInt8(mask.readUInt8(at) | (1 << (cpu % BITS)), at);
  }
  return mask;
}
