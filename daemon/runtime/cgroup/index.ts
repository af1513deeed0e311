import { invalidParameter } from '../../../api-spec/errors.js';
import type { Cgroups, RealtimeBudget } from './cgroup.js';
import type { CgroupLayout } from './layout.js';
import { noCgroups } from './none.js';
import { systemdCgroups } from './systemd.js';
import { cgroupsV1 } from './v1.js';
import { cgroupsV2 } from './v2.js';

export type {
  BlockIoEntry, CgroupEntry, CgroupPlaces, Cgroups, CgroupStats, CgroupView, ContainerCgroup,
  RealtimeBudget,
} from './cgroup.js';
export { failures } from './files.js';
export { isWithout } from './layout.js';
export type { CgroupLayout } from './layout.js';

/**
 * The control groups of this machine; systemd's scopes if that is to make them. Throws `ApiError`
 * for a budget that it cannot give.
 */
export function openCgroups(
  layout: CgroupLayout,
  driver: 'cgroupfs' | 'systemd' = 'cgroupfs',
  budget: RealtimeBudget = { period: 0, runtime: 0 },
): Cgroups {
  if (layout.version === 2 && budget.period + budget.runtime > 0) {
    throw invalidParameter(
      'daemon-scoped cpu-rt-period and cpu-rt-runtime are not implemented for cgroup v2');
  }
  const groups = groupsOf(layout, budget);
  if (driver !== 'systemd') return groups;
  return systemdCgroups(groups, layout.version === 1 ? layout.unified : undefined);
}

function groupsOf(layout: CgroupLayout, budget: RealtimeBudget): Cgroups {
  if (layout.version === 2) {
    return layout.mount === undefined ? noCgroups(2) : cgroupsV2(layout.mount);
  }
  return layout.hierarchies.length === 0 ? noCgroups(1) : cgroupsV1(layout.hierarchies, budget);
}
