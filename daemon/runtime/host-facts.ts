/** What this machine is and allows: read once, at the start. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import { readCgroupLayout, type CgroupLayout } from './cgroup/layout.js';
import type { KernelVersion } from './seccomp/profile.js';
import { capabilitiesOf } from './spec/capabilities.js';

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
  readonly cpus: number;
}

/** Fast: a few files of /proc and /sys. Throws when cgroups are not mounted. */
export function readHostFacts(): HostFacts {
  return {
    cgroups: readCgroupLayout(fs.readFileSync('/proc/self/mountinfo', 'utf8')),
    capabilities: heldCapabilities(fs.readFileSync('/proc/self/status', 'utf8')),
    kernel: kernelVersion(os.release()),
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    thermalThrottle: thermalThrottle(),
    apparmor: readOptional('/sys/module/apparmor/parameters/enabled').startsWith('Y'),
    cpus: os.cpus().length,
  };
}

/** Both permitted and bounding: what lies outside the bounding set is lost at execve. */
function heldCapabilities(status: string): ReadonlySet<string> {
  const field = (name: string): bigint => {
    const match = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status);
    return BigInt(`0x${match?.[1] ?? '0'}`);
  };
  return capabilitiesOf(field('CapPrm') & field('CapBnd'));
}

function kernelVersion(release: string): KernelVersion {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  return { major, minor };
}

function thermalThrottle(): readonly string[] {
  const root = '/sys/devices/system/cpu';
  const cpus = fs.existsSync(root) ? fs.readdirSync(root).filter((name) => /^cpu\d+$/.test(name)) : [];
  return cpus.map((cpu) => `${root}/${cpu}/thermal_throttle`).filter((path) => fs.existsSync(path));
}

function readOptional(path: string): string {
  return fs.existsSync(path) ? fs.readFileSync(path, 'utf8') : '';
}
