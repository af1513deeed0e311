/** How cgroups are mounted on this machine: version 1 (hybrid too), or the unified version 2. */
import { systemError } from '../../../api-spec/errors.js';

/**
 * Where limits are written; in a hybrid set-up the unified hierarchy has none, and is systemd's, by
 * which it sees who is in a unit.
 */
export type CgroupLayout =
  | { readonly version: 1; readonly hierarchies: readonly Hierarchy[]; readonly unified?: string }
  /** Mounted nowhere that is ours: there are no groups. */
  | { readonly version: 2; readonly mount: string | undefined };

/** One mounted hierarchy of version 1. */
export interface Hierarchy {
  /** `cpu`, `cpuacct`, … or `name=systemd`. */
  readonly controllers: readonly string[];
  /** Where it is mounted: `/sys/fs/cgroup/memory`. */
  readonly mount: string;
}

const knownV1: ReadonlySet<string> = new Set([
  'cpu', 'cpuacct', 'cpuset', 'memory', 'devices', 'freezer', 'net_cls', 'net_prio', 'blkio',
  'pids', 'perf_event', 'hugetlb', 'rdma', 'misc',
]);

/** Whether there are no groups to be had. */
export function isWithout(layout: CgroupLayout): boolean {
  return layout.version === 2 ? layout.mount === undefined : layout.hierarchies.length === 0;
}

/**
 * What of it the root of a user namespace may use: the hierarchy of version 2, where it was
 * delegated. Nobody may be given a hierarchy of version 1.
 */
export function ownLayout(
  layout: CgroupLayout,
  isOurs: (folder: string) => boolean,
): CgroupLayout {
  if (layout.version === 1) return { version: 1, hierarchies: [] };
  const { mount } = layout;
  return mount !== undefined && isOurs(mount) ? layout : { version: 2, mount: undefined };
}

/** From the text of /proc/self/mountinfo. Throws when there is nothing to work with. */
export function readCgroupLayout(mountinfo: string): CgroupLayout {
  const hierarchies: Hierarchy[] = [];
  let unified: string | undefined;
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ', 2);
    const mount = unescape(left.split(' ')[4] ?? '');
    const [type = '', , options = ''] = right.split(' ');
    if (type === 'cgroup2') unified ??= mount;
    if (type !== 'cgroup') continue;
    const controllers = options
      .split(',')
      .filter((option) => knownV1.has(option) || option.startsWith('name='));
    const isNew = !hierarchies.some((each) => each.controllers.join() === controllers.join());
    if (controllers.length > 0 && isNew) hierarchies.push({ controllers, mount });
  }
  if (hierarchies.length > 0) {
    return { version: 1, hierarchies, ...(unified === undefined ? {} : { unified }) };
  }
  if (unified === undefined) throw systemError('no cgroup file system is mounted');
  return { version: 2, mount: unified };
}

/** mountinfo writes blanks and backslashes in octal. */
function unescape(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
