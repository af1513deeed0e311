/** The mounts of a container, in the order in which they are made. */
import { invalidParameter } from '../../../api-spec/errors.js';
import type { ResolvedMount, Sandbox } from '../../containers/needs.js';
import type { IdMappings, OciMount } from '../oci.js';

/** What the list of mounts depends on. */
export interface MountPlan {
  readonly mounts: readonly ResolvedMount[];
  readonly sandbox: Sandbox;
  /** How what is the engine's own, volumes too, shows its owners; as on the disk without it. */
  readonly remap: IdMappings | undefined;
  readonly privileged: boolean;
  readonly readonlyRootfs: boolean;
  readonly writableCgroups: boolean;
  /** Bytes of /dev/shm; what else it may be is in `shm`. */
  readonly shmSizeBytes: number;
  /** Bound from elsewhere (`host`, `container:`), or none at all. */
  readonly shm: 'own' | 'none' | { readonly source: string };
}

const safe = ['nosuid', 'noexec', 'nodev'];

/** Throws `ApiError` 400 for a destination that would disarm the sandbox. */
export function containerMounts(plan: MountPlan): readonly OciMount[] {
  for (const mount of plan.mounts) refuseUnderProc(mount.destination);
  const taken = new Set(plan.mounts.map((mount) => clean(mount.destination)));
  const covered = (path: string): boolean => [...taken].some((dir) => isWithin(path, dir));
  const own = [...systemMounts(plan), ...networkFiles(plan)];
  const user = plan.mounts.map((mount) => userMount(mount, plan.remap))
    .sort((a, b) => depth(a) - depth(b));
  const before = own.filter((mount) => mount.type !== 'bind');
  const files = own.filter((mount) => mount.type === 'bind');
  return [
    ...before.filter((mount) => !covered(mount.destination)),
    ...[...files.filter((mount) => !taken.has(mount.destination)), ...user].sort(
      (a, b) => depth(a) - depth(b),
    ),
  ];
}

function systemMounts(plan: MountPlan): OciMount[] {
  const access = plan.privileged ? 'rw' : 'ro';
  const cgroup = plan.privileged || plan.writableCgroups ? 'rw' : 'ro';
  const system = (destination: string, type: string, options: readonly string[]): OciMount => ({
    destination, type, source: type, options,
  });
  const list: OciMount[] = [
    system('/proc', 'proc', safe),
    system('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    system('/dev/pts', 'devpts', [
      'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5',
    ]),
    system('/sys', 'sysfs', [...safe, access]),
    system('/sys/fs/cgroup', 'cgroup', [...safe, cgroup]),
    system('/dev/mqueue', 'mqueue', safe),
  ];
  if (plan.shm === 'own') {
    list.push({
      destination: '/dev/shm', type: 'tmpfs', source: 'shm',
      options: [...safe, 'mode=1777', `size=${plan.shmSizeBytes}`],
    });
  } else if (plan.shm !== 'none') {
    list.push({
      destination: '/dev/shm', type: 'bind', source: plan.shm.source,
      options: ['rbind', 'rprivate'],
    });
  }
  return list;
}

function networkFiles({ sandbox, readonlyRootfs, remap }: MountPlan): OciMount[] {
  const files: readonly (readonly [string, string])[] = [
    ['/etc/resolv.conf', sandbox.resolvConfPath],
    ['/etc/hostname', sandbox.hostnamePath],
    ['/etc/hosts', sandbox.hostsPath],
  ];
  return files
    .filter(([, source]) => source !== '')
    .map(([destination, source]) => mapped({
      destination, type: 'bind', source,
      options: ['rbind', 'rprivate', ...(readonlyRootfs ? ['ro'] : [])],
    }, remap));
}

function mapped(mount: OciMount, remap: IdMappings | undefined): OciMount {
  return remap === undefined
    ? mount
    : { ...mount, options: [...mount.options, 'idmap'], ...remap };
}

function userMount(mount: ResolvedMount, remap: IdMappings | undefined): OciMount {
  const destination = clean(mount.destination);
  if (mount.type === 'tmpfs') {
    return { destination, type: 'tmpfs', source: 'tmpfs', options: tmpfsOptions(mount.options) };
  }
  const part = mount.subpath === undefined ? {} : { subpath: mount.subpath };
  if (mount.type === 'overlay') {
    const { type, stack } = mount;
    const options = ['rprivate', 'ro'];
    return mapped({ destination, type, source: type, stack, ...part, options }, remap);
  }
  const readonly = mount.readonly ? [mount.recursiveReadonly ? 'rro' : 'ro'] : [];
  return mapped({
    destination, type: 'bind', source: mount.source, ...part,
    options: [
      mount.recursive ? 'rbind' : 'bind',
      mount.propagation === '' ? 'rprivate' : mount.propagation,
      ...readonly,
    ],
  }, mount.isOurs === true ? remap : undefined);
}

const opposites: Readonly<Record<string, string>> = {
  exec: 'noexec', suid: 'nosuid', dev: 'nodev', rw: 'ro',
};

/**
 * noexec, nosuid and nodev unless the user says otherwise; of contradicting words the last holds.
 */
function tmpfsOptions(given: readonly string[]): readonly string[] {
  const flags = new Set(safe);
  for (const option of given) {
    if (option === '') continue;
    const positive = opposites[option];
    if (positive !== undefined) flags.delete(positive);
    const negative = Object.entries(opposites).find(([, off]) => off === option)?.[0];
    if (negative !== undefined) flags.delete(negative);
    flags.delete(option);
    flags.add(option);
  }
  return [...flags];
}

/** Files of /proc that lxcfs and its like replace; anything else there would hide the real one. */
const replaceable: ReadonlySet<string> = new Set([
  'cpuinfo', 'diskstats', 'loadavg', 'meminfo', 'slabinfo', 'stat', 'swaps', 'uptime', 'net/dev',
  'sys/kernel/ns_last_pid', 'sys/crypto/fips_enabled',
].map((name) => `/proc/${name}`));

/** A mount over /proc would hide what masks it and feed false files to those who trust it. */
function refuseUnderProc(destination: string): void {
  const path = clean(destination);
  if (isWithin(path, '/proc') && !replaceable.has(path)) {
    throw invalidParameter(`"${destination}" cannot be mounted because it is inside /proc`);
  }
}

/** Absolute, without `.`, `..` and doubled slashes. */
function clean(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function isWithin(path: string, dir: string): boolean {
  return path === dir || path.startsWith(dir === '/' ? '/' : `${dir}/`);
}

function depth(mount: OciMount): number {
  return mount.destination === '/' ? 0 : mount.destination.split('/').length;
}
