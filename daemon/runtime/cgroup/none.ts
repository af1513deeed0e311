/**
 * No control groups: an ordinary user has none unless they were delegated. Containers live without
 * limits and figures, and cannot be paused; what is asked for is discarded with a warning.
 */
import { systemError } from '../../../api-spec/errors.js';
import type { OciResources } from '../oci.js';
import type { Cgroups, CgroupStats, ContainerCgroup } from './cgroup.js';

/** Groups that are nowhere. */
export function noCgroups(version: 1 | 2): Cgroups {
  return {
    version,
    create: (path) => Promise.resolve(nowhere(path)),
    open: nowhere,
    warnings,
    sweep: () => Promise.resolve([]),
  };
}

const nothing: CgroupStats = {
  memory: { usageBytes: 0, details: {} },
  cpu: {
    totalNs: 0, userNs: 0, kernelNs: 0, periods: 0, throttledPeriods: 0, throttledNs: 0,
  },
  pids: { current: 0 },
  blockIo: { serviceBytes: [], serviced: [] },
};

function nowhere(path: string): ContainerCgroup {
  const refuse = (): Promise<never> =>
    Promise.reject(systemError('cannot pause: this daemon has no control groups (rootless)'));
  const done = (): Promise<void> => Promise.resolve();
  return {
    path,
    entry: { kind: 'tasks', files: [], views: [] },
    oomFiles: [],
    killFiles: [],
    places: { folders: [], home: '', freezer: '' },
    settled: done,
    update: done,
    delegate: () => undefined,
    freeze: refuse,
    thaw: refuse,
    isFrozen: () => false,
    pids: () => [],
    kill: done,
    stats: () => nothing,
    remove: done,
  };
}

const told: readonly (readonly [(resources: OciResources) => boolean, string])[] = [
  [({ memory }) => memory?.limit !== undefined, 'memory limit'],
  [({ memory }) => memory?.swappiness !== undefined, 'memory swappiness'],
  [({ pids }) => (pids?.limit ?? 0) > 0, 'PIDs limit'],
  [({ cpu }) => cpu?.shares !== undefined, 'CPU shares'],
  [({ cpu }) => cpu?.quota !== undefined, 'CPU CFS quota'],
  [({ cpu }) => cpu?.cpus !== undefined || cpu?.mems !== undefined, 'cpuset'],
  [({ blockIO }) => blockIO?.weight !== undefined, 'Block I/O weight'],
];

function warnings(resources: OciResources): readonly string[] {
  return told
    .filter(([isAsked]) => isAsked(resources))
    .map(([, what]) => `Your kernel does not support ${what} capabilities or the cgroup is not ` +
      'mounted. Limitation discarded.');
}
