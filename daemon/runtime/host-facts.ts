/** What this machine is and allows: read once, at the start. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import { inUserNamespace } from '../../native/userns.js';
import { findParser } from './apparmor.js';
import { isDelegated } from './cgroup/delegation.js';
import { ownLayout, readCgroupLayout, type CgroupLayout } from './cgroup/layout.js';
import type { KernelVersion } from './seccomp/profile.js';
import { capabilitiesOf } from './spec/capabilities.js';

/** What decisions depend on and a running machine does not change. */
export interface HostFacts {
  readonly cgroups: CgroupLayout;
  /** What the daemon holds and so can give. */
  readonly capabilities: ReadonlySet<string>;
  readonly kernel: KernelVersion;
  /** In Go's words. */
  readonly architecture: 'amd64' | 'arm64';
  /** Folders of /sys that tell of the host's temperature. */
  readonly thermalThrottle: readonly string[];
  readonly apparmor: boolean;
  /** What loads the default profile; absent where there is none: only who asks is confined then. */
  readonly apparmorParser?: string;
  readonly cpus: number;
  /** Groups have budgets of real time. */
  readonly hasRealtime: boolean;
  /** Memory nodes that are there, as the kernel lists them: `0`, `0-1,3`. */
  readonly memoryNodes: string;
  /** The most that a hard limit may be, by resource number; absent with CAP_SYS_RESOURCE. */
  readonly hardLimits?: ReadonlyMap<number, number>;
  /** /proc/kcore exists: images expect a link to it. */
  readonly hasKcore: boolean;
  /** Our root is that of a user namespace: devices are bound, not made. */
  readonly isConfined: boolean;
  /** The largest that there is for us, where not all are. */
  readonly lastGid?: number;
}

/** Fast: a few files of /proc and /sys. Throws when cgroups are not mounted. */
export function readHostFacts(): HostFacts {
  const isConfined = inUserNamespace();
  const layout = readCgroupLayout(fs.readFileSync('/proc/self/mountinfo', 'utf8'));
  const cgroups = isConfined ? ownLayout(layout, isDelegated) : layout;
  const capabilities = heldCapabilities(fs.readFileSync('/proc/self/status', 'utf8'));
  const apparmor = readOptional('/sys/module/apparmor/parameters/enabled').startsWith('Y');
  const parser = apparmor ? findParser(fs.readFileSync('/proc/self/uid_map', 'utf8')) : undefined;
  const hardLimits = readHardLimits(fs.readFileSync('/proc/self/limits', 'utf8'));
  return {
    cgroups,
    capabilities,
    kernel: kernelVersion(os.release()),
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    thermalThrottle: thermalThrottle(),
    apparmor,
    ...(parser === undefined ? {} : { apparmorParser: parser }),
    cpus: os.cpus().length,
    hasRealtime: hasRealtime(cgroups),
    memoryNodes: readOptional('/sys/devices/system/node/has_memory').trim() || '0',
    hasKcore: fs.existsSync('/proc/kcore'),
    isConfined,
    ...(isConfined ? { lastGid: lastId(fs.readFileSync('/proc/self/gid_map', 'utf8')) } : {}),
    // The capability is asked for in the first user namespace.
    ...(capabilities.has('CAP_SYS_RESOURCE') && !isConfined ? {} : { hardLimits }),
  };
}

/** As Docker finds it out: version 2 has none, and version 1 only where the kernel was built so. */
function hasRealtime(layout: CgroupLayout): boolean {
  if (layout.version === 2) return false;
  const cpu = layout.hierarchies.find(({ controllers }) => controllers.includes('cpu'));
  return cpu !== undefined && fs.existsSync(`${cpu.mount}/cpu.rt_period_us`);
}

/** The last of the first run of ids: what the kernel takes as a range has to be all there. */
function lastId(map: string): number {
  let next = 0;
  const ranges = map.trim().split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  for (const [first = 0, , count = 0] of ranges.sort(([a = 0], [b = 0]) => a - b)) {
    if (first === next) next += count;
  }
  return next - 1;
}

/** Both permitted and bounding: what lies outside the bounding set is lost at execve. */
function heldCapabilities(status: string): ReadonlySet<string> {
  const field = (name: string): bigint => {
    const match = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status);
    return BigInt(`0x${match?.[1] ?? '0'}`);
  };
  return capabilitiesOf(field('CapPrm') & field('CapBnd'));
}

/** Names in /proc/<pid>/limits, in the order of their numbers. */
const limitNames = [
  'cpu time', 'file size', 'data size', 'stack size', 'core file size', 'resident set', 'processes',
  'open files', 'locked memory', 'address space', 'file locks', 'pending signals',
  'msgqueue size', 'nice priority', 'realtime priority', 'realtime timeout',
];

function readHardLimits(text: string): ReadonlyMap<number, number> {
  const limits = new Map<number, number>();
  for (const [number, name] of limitNames.entries()) {
    const match = new RegExp(`^Max ${name}\\s+\\S+\\s+(\\S+)`, 'm').exec(text);
    if (match !== null) limits.set(number, match[1] === 'unlimited' ? -1 : Number(match[1]));
  }
  return limits;
}

function kernelVersion(release: string): KernelVersion {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  return { major, minor };
}

function thermalThrottle(): readonly string[] {
  const root = '/sys/devices/system/cpu';
  if (!fs.existsSync(root)) return [];
  const cpus = fs.readdirSync(root).filter((name) => /^cpu\d+$/.test(name));
  return cpus.map((cpu) => `${root}/${cpu}/thermal_throttle`).filter((path) => fs.existsSync(path));
}

function readOptional(path: string): string {
  return fs.existsSync(path) ? fs.readFileSync(path, 'utf8') : '';
}
