import type { Cgroups } from './cgroup.js';
import type { CgroupLayout } from './layout.js';
import { cgroupsV1 } from './v1.js';
import { cgroupsV2 } from './v2.js';

export type {
  BlockIoEntry, CgroupEntry, Cgroups, CgroupStats, CgroupView, ContainerCgroup,
} from './cgroup.js';
export { failures } from './files.js';
export type { CgroupLayout } from './layout.js';

/** The control groups of this machine. */
export function openCgroups(layout: CgroupLayout): Cgroups {
  return layout.version === 2 ? cgroupsV2(layout.mount) : cgroupsV1(layout.hierarchies);
}
