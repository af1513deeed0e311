/** What all parts of the runtime work with. */
import type { Ulimit } from '../../api-spec/index.js';
import type { HeldSocket } from '../../native/shim/client.js';
import type { AttachLimits, LogSettings } from '../../native/shim/monitor-settings.js';
import type { ContainerRecord } from '../containers/record.js';
import type { BundlePaths } from './bundle.js';
import type { Cgroups, RealtimeBudget } from './cgroup/index.js';
import {
  foreignContainer, type ForeignContainer, type ForeignRuntime,
} from './foreign/container.js';
import type { CgroupDriver, GroupPlaces } from './group-places.js';
import type { HostFacts } from './host-facts.js';
import type { LaterHooks } from './later-hooks.js';
import type { IdMappings } from './oci.js';
import type { SecurityDefaults } from './spec.js';

/** What the runtime is told at start. */
export interface RuntimeOptions {
  /** Absolute; `containers/<id>` below it are the bundles. */
  readonly dataRoot: string;
  /** Absolute; `s` below it holds the shims' sockets. */
  readonly execRoot: string;
  /** First 8 hex of the data root's digest: the cgroup parent is `tsdocker-<rootId>`. */
  readonly rootId: string;
  /** `cgroupfs` by default. */
  readonly cgroupDriver?: CgroupDriver;
  /** What groups above containers are given, where the kernel has such budgets. */
  readonly cpuRealtime?: RealtimeBudget;
  readonly defaultUlimits: readonly Ulimit[];
  readonly security: SecurityDefaults;
  /** Folders with descriptions of devices; none: there is no such driver. */
  readonly cdiSpecDirs: readonly string[];
  /** Whose ids containers have on the host, unless they share the host's user namespace. */
  readonly remap?: IdMappings;
  /** What every shim keeps open, for others to know that it is there. */
  readonly held?: readonly HeldSocket[];
  /** Where and how the shim writes a container's log. */
  readonly log: (record: ContainerRecord) => LogSettings;
  readonly attach: AttachLimits;
  /** Other runtimes, by the names that containers choose them by. */
  readonly runtimes: Readonly<Record<string, ForeignRuntime>>;
  /** Tells an operator what does not concern any one request. */
  readonly warn: (message: string, cause?: unknown) => void;
  /** For tests; read from this machine otherwise. */
  readonly host?: HostFacts;
}

/** The same, and what was found and opened at start. */
export interface Context extends RuntimeOptions {
  readonly host: HostFacts;
  readonly cgroups: Cgroups;
  readonly places: GroupPlaces;
  readonly laterHooks: LaterHooks;
  readonly warnOnce: (message: string) => void;
}

type Named = Pick<ContainerRecord, 'hostConfig'>;

/** Whether another runtime runs it. */
export function isForeign({ runtimes }: Pick<Context, 'runtimes'>, { hostConfig }: Named): boolean {
  return Object.hasOwn(runtimes, hostConfig.Runtime ?? '');
}

/** Undefined for one of our own, and for a runtime that the daemon knows no more. */
export function foreignOf(
  context: Pick<Context, 'runtimes' | 'execRoot'>,
  record: ContainerRecord,
  paths: BundlePaths,
): ForeignContainer | undefined {
  const { runtimes, execRoot } = context;
  const { id, hostConfig: { Runtime: name = '' } } = record;
  const runtime = isForeign(context, record) ? runtimes[name] : undefined;
  return runtime === undefined
    ? undefined
    : foreignContainer(name, runtime, { id, execRoot, paths });
}

