/** A container's place in the control groups, whichever version the kernel has them in. */
import type { OciResources } from '../oci.js';

/** Makes, finds and sweeps the groups of containers. All paths are relative to the hierarchies. */
export interface Cgroups {
  readonly version: 1 | 2;
  /**
   * Makes the group and its parents, and limits it; the limits that the kernel lacks are passed
   * over (`warnings` tells them). Throws `ApiError` with the limit's name, and leaves nothing.
   */
  create(path: string, resources: OciResources): ContainerCgroup;
  /** One that exists, or existed: nothing is looked at yet. */
  open(path: string): ContainerCgroup;
  /** What of `resources` this kernel cannot do, in Docker's words. */
  warnings(resources: OciResources): readonly string[];
  /** Kills and removes the groups below `parent` whose name is not in `known`; says which. */
  sweep(parent: string, known: ReadonlySet<string>): Promise<readonly string[]>;
}

/** The group of one container. Calls on a group that is gone read nothing and remove nothing. */
export interface ContainerCgroup {
  readonly path: string;
  /** How the first process gets in: writes `0` to each file, or is cloned into the folder. */
  readonly entry: CgroupEntry;
  /** Their `oom_kill` line counts. */
  readonly oomFiles: readonly string[];
  /** `cgroup.kill`, or the `cgroup.procs` whose members have to be killed one by one. */
  readonly killFiles: readonly string[];
  /** New limits for a group that lives; fields that are absent stay as they are. */
  update(resources: OciResources): void;
  /** Resolves once every process stands still. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  pids(): readonly number[];
  /** SIGKILL to every process, until none is left. */
  kill(): Promise<void>;
  stats(): CgroupStats;
  /** Idempotent; waits (bounded) for processes that are still dying. */
  remove(): Promise<void>;
}

/** How init gets in; with version 1, also what it may see of its own groups. */
export type CgroupEntry =
  | {
      readonly kind: 'tasks';
      readonly files: readonly string[];
      readonly views: readonly CgroupView[];
    }
  | { readonly kind: 'clone'; readonly folder: string };

/** One hierarchy of version 1, as a container without its own cgroup namespace sees it. */
export interface CgroupView {
  /** Name below /sys/fs/cgroup. */
  readonly name: string;
  /** The container's group on the host. */
  readonly source: string;
  /** Other names of a hierarchy with several controllers. */
  readonly aliases: readonly string[];
  readonly controllers: readonly string[];
}

/** Bytes, nanoseconds, counts; what the kernel does not tell is absent. */
export interface CgroupStats {
  readonly memory: {
    readonly usageBytes: number;
    readonly maxUsageBytes?: number;
    /** Absent for none. */
    readonly limitBytes?: number;
    readonly failCount?: number;
    /** Lines of `memory.stat`. */
    readonly details: Readonly<Record<string, number>>;
  };
  readonly cpu: {
    readonly totalNs: number;
    readonly userNs: number;
    readonly kernelNs: number;
    readonly perCpuNs?: readonly number[];
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledNs: number;
  };
  readonly pids: { readonly current: number; readonly limit?: number };
  readonly blockIo: {
    readonly serviceBytes: readonly BlockIoEntry[];
    readonly serviced: readonly BlockIoEntry[];
  };
}

/** One count of one block device. */
export interface BlockIoEntry {
  readonly major: number;
  readonly minor: number;
  /** `read`, `write`, … in lower case. */
  readonly op: string;
  readonly value: number;
}
