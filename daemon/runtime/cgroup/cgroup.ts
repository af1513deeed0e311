/** A container's place in the control groups, whichever version the kernel has them in. */
import type { OciResources } from '../oci.js';

/** Makes, finds and sweeps the groups of containers. All paths are relative to the hierarchies. */
export interface Cgroups {
  readonly version: 1 | 2;
  /**
   * Makes the group and its parents, and limits it; the limits that the kernel lacks are passed
   * over (`warnings` tells them). Limits that are still being worked out may come later; if they
   * reject, so does this. Rejects with `ApiError` and the limit's name, and leaves nothing.
   */
  create(
    path: string,
    resources: OciResources | Promise<OciResources>,
  ): Promise<ContainerCgroup>;
  /** One that exists, or existed: nothing is looked at yet. */
  open(path: string): ContainerCgroup;
  /** What of `resources` this kernel cannot do, in Docker's words. */
  warnings(resources: OciResources): readonly string[];
  /** Kills and removes the groups below `parent` whose name is not in `known`; says which. */
  sweep(parent: string, known: ReadonlySet<string>): Promise<readonly string[]>;
}

/** Microseconds of real time in each period that containers may share; 0: as the kernel has it. */
export interface RealtimeBudget {
  readonly period: number;
  readonly runtime: number;
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
  readonly places: CgroupPlaces;
  /** The first process is in: what kept the group until then is not needed any more. */
  settled(): Promise<void>;
  /** New limits for a group that lives; fields that are absent stay as they are. */
  update(resources: OciResources): Promise<void>;
  /**
   * Gives the group to this user of the host, who may then make groups below it, but not change its
   * limits. Nothing with version 1, where that is not safe.
   */
  delegate(uid: number): void;
  /** Resolves once every process stands still. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  isFrozen(): boolean;
  pids(): readonly number[];
  /** SIGKILL to every process, until none is left. */
  kill(): Promise<void>;
  stats(): CgroupStats;
  /** Idempotent; waits (bounded) for processes that are still dying. */
  remove(): Promise<void>;
}

/** Where a group is on disk: for a program that has to do with it without this module. */
export interface CgroupPlaces {
  /** All that the group consists of: one folder in each hierarchy. */
  readonly folders: readonly string[];
  /** The folder whose processes are the group's; with version 2 those below are, too. */
  readonly home: string;
  /** Says `FROZEN` with version 1 (empty: it cannot be frozen), a line `frozen 1` with 2. */
  readonly freezer: string;
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
    /** How often it has run out; version 2 alone tells. */
    readonly oomCount?: number;
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
