import type { IdMapping } from '../../native/id-maps.js';
import type { LayerStack } from '../../storage-drivers/driver.js';

export type { IdMapping, IdMappings } from '../../native/id-maps.js';

/**
 * The OCI runtime configuration (`config.json`), spec 1.3, as far as this engine writes or reads
 * it. Names and units are the specification's own.
 */
export interface OciConfig {
  readonly ociVersion: string;
  readonly process: OciProcess;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname?: string;
  readonly domainname?: string;
  readonly mounts: readonly OciMount[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux: OciLinux;
  readonly hooks?: OciHooks;
}

/** Programs that are run at points of a container's life, by OCI's names; `timeout` in seconds. */
export type OciHooks = Readonly<Record<string, readonly (Omit<OciHook, 'timeoutSeconds'> & {
  readonly timeout?: number;
})[]>>;

/** The first process. `terminal` decides its streams. */
export interface OciProcess {
  readonly terminal: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly user: OciUser;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: OciCapabilities;
  readonly rlimits: readonly OciRlimit[];
  readonly noNewPrivileges: boolean;
  readonly apparmorProfile?: string;
  readonly oomScoreAdj?: number;
  readonly scheduler?: OciScheduler;
  readonly ioPriority?: OciIoPriority;
  /** Of execs alone: while they enter the container, and from then on (`0-3,7`). */
  readonly execCPUAffinity?: { readonly initial?: string; readonly final?: string };
}

/** sched_setattr(2); times in ns. */
export interface OciScheduler {
  readonly policy:
    | 'SCHED_OTHER' | 'SCHED_FIFO' | 'SCHED_RR' | 'SCHED_BATCH' | 'SCHED_ISO' | 'SCHED_IDLE'
    | 'SCHED_DEADLINE';
  readonly nice?: number;
  readonly priority?: number;
  readonly flags: readonly (
    | 'SCHED_FLAG_RESET_ON_FORK' | 'SCHED_FLAG_RECLAIM' | 'SCHED_FLAG_DL_OVERRUN'
    | 'SCHED_FLAG_KEEP_POLICY' | 'SCHED_FLAG_KEEP_PARAMS' | 'SCHED_FLAG_UTIL_CLAMP_MIN'
    | 'SCHED_FLAG_UTIL_CLAMP_MAX'
  )[];
  readonly runtime?: number;
  readonly deadline?: number;
  readonly period?: number;
}

/** ioprio_set(2). */
export interface OciIoPriority {
  readonly class: 'IOPRIO_CLASS_RT' | 'IOPRIO_CLASS_BE' | 'IOPRIO_CLASS_IDLE';
  /** 0 (first) to 7. */
  readonly priority: number;
}

/** Ids as the container sees them. */
export interface OciUser {
  readonly uid: number;
  readonly gid: number;
  readonly umask?: number;
  readonly additionalGids: readonly number[];
}

/** Each set by names with their `CAP_` prefix. */
export interface OciCapabilities {
  readonly bounding: readonly string[];
  readonly effective: readonly string[];
  readonly permitted: readonly string[];
  readonly inheritable: readonly string[];
  readonly ambient: readonly string[];
}

/** One resource limit; -1 is none (2^64 - 1 in the file). */
export interface OciRlimit {
  /** `RLIMIT_NOFILE`, … */
  readonly type: string;
  readonly soft: number;
  readonly hard: number;
}

/** One mount; options as fstab has them. */
export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
  /** No field of OCI's: what of a bind's source, resolved within it by the kernel. */
  readonly subpath?: string;
  /** Nor this: what an `overlay` is made of. */
  readonly stack?: LayerStack;
  /**
   * With the option `idmap` or `ridmap`: how a bind shows the owners of its files, from those on
   * the disk (`containerID`) to those that the host sees (`hostID`).
   */
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
}

/** A program that is told of the container's state on its stdin. */
export interface OciHook {
  /** Absolute, as whoever runs it sees it. */
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly timeoutSeconds?: number;
}

/** What only Linux has. */
export interface OciLinux {
  readonly namespaces: readonly OciNamespace[];
  /** Of the user namespace: of one that is joined, as far as they are known. */
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  /** What the clocks of a new time namespace are ahead of the host's. */
  readonly timeOffsets?: Readonly<Partial<Record<'monotonic' | 'boottime', OciTimeOffset>>>;
  readonly devices: readonly OciDevice[];
  readonly cgroupsPath: string;
  readonly resources: OciResources;
  readonly sysctl: Readonly<Record<string, string>>;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly personality?: { readonly domain: 'LINUX' | 'LINUX32' };
  readonly rootfsPropagation?: string;
  /** By the name that the link has outside. */
  readonly netDevices?: Readonly<Record<string, OciNetDevice>>;
  readonly memoryPolicy?: OciMemoryPolicy;
  readonly seccomp?: OciSeccomp;
}

/** A link that becomes the container's; the name that it has inside, if it is another. */
export interface OciNetDevice {
  readonly name?: string;
}

/** set_mempolicy(2). */
export interface OciMemoryPolicy {
  readonly mode:
    | 'MPOL_DEFAULT' | 'MPOL_PREFERRED' | 'MPOL_BIND' | 'MPOL_INTERLEAVE' | 'MPOL_LOCAL'
    | 'MPOL_PREFERRED_MANY' | 'MPOL_WEIGHTED_INTERLEAVE';
  /** `0-1,3`. */
  readonly nodes?: string;
  readonly flags: readonly (
    'MPOL_F_STATIC_NODES' | 'MPOL_F_RELATIVE_NODES' | 'MPOL_F_NUMA_BALANCING'
  )[];
}

/** Seconds may be negative; nanoseconds count up from there. */
export interface OciTimeOffset {
  readonly secs: number;
  readonly nanosecs: number;
}

/** Kinds of namespaces, by the specification's words. */
export type NamespaceType =
  'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time';

/** One namespace; a kind that is not listed is the runtime's own. */
export interface OciNamespace {
  readonly type: NamespaceType;
  /** Of an existing namespace to join; a new one without it. */
  readonly path?: string;
}

/** One node to make. */
export interface OciDevice {
  readonly path: string;
  readonly type: 'b' | 'c' | 'p';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
  /** No field of OCI's: it is an error that something else is at the path already. */
  readonly mustMatch?: true;
  /** Nor is this: where the host has it; at the same path by default. */
  readonly hostPath?: string;
}

/** One rule; a later one beats an earlier one. */
export interface OciDeviceRule {
  readonly allow: boolean;
  readonly type: 'a' | 'b' | 'c';
  /** Absent for all. */
  readonly major?: number;
  readonly minor?: number;
  /** Of `rwm`. */
  readonly access: string;
}

/** The limits of the control group; what is absent is not touched. */
export interface OciResources {
  readonly devices: readonly OciDeviceRule[];
  readonly memory?: OciMemory;
  readonly cpu?: OciCpu;
  readonly pids?: { readonly limit: number };
  readonly blockIO?: OciBlockIo;
  readonly hugepageLimits?: readonly OciHugepageLimit[];
  readonly network?: OciNetworkLimits;
  /** By device (`mlx5_1`). */
  readonly rdma?: Readonly<Record<string, OciRdmaLimits>>;
  /** Files of version 2 by name, written as they are. */
  readonly unified?: Readonly<Record<string, string>>;
}

/** Bytes of pages of one size, written `2MB`, `1GB`. */
export interface OciHugepageLimit {
  readonly pageSize: string;
  readonly limit: number;
}

/** What version 1 marks packets with. */
export interface OciNetworkLimits {
  readonly classID?: number;
  readonly priorities: readonly { readonly name: string; readonly priority: number }[];
}

/** Absent for no limit. */
export interface OciRdmaLimits {
  readonly hcaHandles?: number;
  readonly hcaObjects?: number;
}

/** Bytes; -1 for no limit. */
export interface OciMemory {
  readonly limit?: number;
  readonly reservation?: number;
  /** Memory and swap together. */
  readonly swap?: number;
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
}

/** Times in µs. */
export interface OciCpu {
  readonly shares?: number;
  readonly quota?: number;
  readonly period?: number;
  /** What may be saved up of unused quota. */
  readonly burst?: number;
  /** 1: runs only when nobody else does. */
  readonly idle?: number;
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
  readonly cpus?: string;
  readonly mems?: string;
}

/** Weights 10…1000, rates in bytes or operations a second. */
export interface OciBlockIo {
  readonly weight?: number;
  readonly weightDevice?: readonly OciWeightDevice[];
  readonly throttleReadBpsDevice?: readonly OciThrottleDevice[];
  readonly throttleWriteBpsDevice?: readonly OciThrottleDevice[];
  readonly throttleReadIOPSDevice?: readonly OciThrottleDevice[];
  readonly throttleWriteIOPSDevice?: readonly OciThrottleDevice[];
}

/** The weight of one device. */
export interface OciWeightDevice {
  readonly major: number;
  readonly minor: number;
  readonly weight: number;
}

/** The rate of one device. */
export interface OciThrottleDevice {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

/** What happens to a call that matches. */
export type SeccompAction =
  | 'SCMP_ACT_KILL'
  | 'SCMP_ACT_KILL_PROCESS'
  | 'SCMP_ACT_KILL_THREAD'
  | 'SCMP_ACT_TRAP'
  | 'SCMP_ACT_ERRNO'
  | 'SCMP_ACT_TRACE'
  | 'SCMP_ACT_ALLOW'
  | 'SCMP_ACT_LOG'
  | 'SCMP_ACT_NOTIFY';

/** How an argument is compared, unsigned and in 64 bits. */
export type SeccompOperator =
  | 'SCMP_CMP_NE'
  | 'SCMP_CMP_LT'
  | 'SCMP_CMP_LE'
  | 'SCMP_CMP_EQ'
  | 'SCMP_CMP_GE'
  | 'SCMP_CMP_GT'
  | 'SCMP_CMP_MASKED_EQ';

/** A filter; calls that no rule names get `defaultAction`. */
export interface OciSeccomp {
  readonly defaultAction: SeccompAction;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  readonly syscalls?: readonly OciSyscall[];
  /** Of a unix socket that is sent the descriptor by which calls with `SCMP_ACT_NOTIFY` come. */
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
}

/** One rule; all of `args` must hold. */
export interface OciSyscall {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly OciSeccompArg[];
}

/** One comparison of argument 0…5. */
export interface OciSeccompArg {
  readonly index: number;
  readonly value: number;
  /** The right-hand side of `SCMP_CMP_MASKED_EQ`, whose mask is `value`. */
  readonly valueTwo?: number;
  readonly op: SeccompOperator;
}
