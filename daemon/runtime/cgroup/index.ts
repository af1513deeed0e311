import type { Cgroups } from './cgroup.js';
import type { CgroupLayout } from './layout.js';
import { systemdCgroups } from './systemd.js';
import { cgroupsV1 } from './v1.js';
import { cgroupsV2 } from './v2.js';

export type {
  BlockIoEntry, CgroupEntry, CgroupPlaces, Cgroups, CgroupStats, CgroupView, ContainerCgroup,
} from './cgroup.js';
export { failures } from './files.js';
export type { CgroupLayout } from './layout.js';

/** The control groups of this machine; systemd's scopes if that is to make them. */
export function openCgroups(
  layout: CgroupLayout,
  driver: 'cgroupfs' | 'systemd' = 'cgroupfs',
): Cgroups {
  const groups = layout.version === 2 ? cgroupsV2(layout.mount) : cgroupsV1(layout.hierarchies);
  if (driver !== 'systemd') return groups;
  return systemdCgroups(groups, layout.version === 1 ? layout.unified : undefined);
}
