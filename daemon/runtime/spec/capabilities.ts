/**
 * Linux capabilities: their names and bits, Docker's default set, and what a user adds and drops.
 */
import { invalidParameter } from '../../../api-spec/errors.js';

/** By bit, from linux/capability.h. */
export const capabilityNames = [
  'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_DAC_READ_SEARCH', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_KILL',
  'CAP_SETGID', 'CAP_SETUID', 'CAP_SETPCAP', 'CAP_LINUX_IMMUTABLE', 'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST', 'CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_IPC_LOCK', 'CAP_IPC_OWNER',
  'CAP_SYS_MODULE', 'CAP_SYS_RAWIO', 'CAP_SYS_CHROOT', 'CAP_SYS_PTRACE', 'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN', 'CAP_SYS_BOOT', 'CAP_SYS_NICE', 'CAP_SYS_RESOURCE', 'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG', 'CAP_MKNOD', 'CAP_LEASE', 'CAP_AUDIT_WRITE', 'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP', 'CAP_MAC_OVERRIDE', 'CAP_MAC_ADMIN', 'CAP_SYSLOG', 'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND', 'CAP_AUDIT_READ', 'CAP_PERFMON', 'CAP_BPF', 'CAP_CHECKPOINT_RESTORE',
] as const;

/** What a container gets when its user says nothing (CapBnd a80425fb). */
export const defaultCapabilities: readonly string[] = [
  'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FSETID', 'CAP_FOWNER', 'CAP_MKNOD', 'CAP_NET_RAW',
  'CAP_SETGID', 'CAP_SETUID', 'CAP_SETFCAP', 'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT', 'CAP_KILL', 'CAP_AUDIT_WRITE',
];

/** What the user says about capabilities. */
export interface CapabilityRequest {
  readonly privileged: boolean;
  readonly add: readonly string[];
  readonly drop: readonly string[];
}

const ALL = 'ALL';

/**
 * The one set that is bounding, permitted and effective; inheritable and ambient stay empty.
 * `held` is what the daemon has to give: more than that it cannot. Throws `ApiError` 400.
 */
export function containerCapabilities(
  request: CapabilityRequest,
  held: ReadonlySet<string>,
): readonly string[] {
  const add = request.add.map((name) => normalized(name, 'CapAdd'));
  const drop = request.drop.map((name) => normalized(name, 'CapDrop'));
  const all = capabilityNames.filter((name) => held.has(name));
  if (request.privileged) return all;
  const lacking = add.find((name) => name !== ALL && !held.has(name));
  if (lacking !== undefined) {
    throw invalidParameter(
      'capability not supported by your kernel or not available in the current environment: ' +
        `"${lacking}"`,
    );
  }
  const basis = add.includes(ALL) ? all : drop.includes(ALL) ? [] : defaultCapabilities;
  const kept = basis.filter((name) => held.has(name) && !drop.includes(name));
  return [...new Set([...kept, ...add.filter((name) => name !== ALL)])];
}

/** With its prefix and in capitals; `ApiError` 400 when there is no such capability. */
function normalized(given: string, field: string): string {
  const upper = given.trim().toUpperCase();
  if (upper === ALL || upper === `CAP_${ALL}`) return ALL;
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  const known: readonly string[] = capabilityNames;
  if (!known.includes(name)) {
    throw invalidParameter(`invalid ${field}: unknown capability: "${name}"`);
  }
  return name;
}

/** The bits of a set. */
export function capabilityMask(names: readonly string[]): bigint {
  const known: readonly string[] = capabilityNames;
  return names.reduce((mask, name) => mask | (1n << BigInt(known.indexOf(name))), 0n);
}

/** The names of a mask's bits, as far as this table knows them. */
export function capabilitiesOf(mask: bigint): ReadonlySet<string> {
  return new Set(capabilityNames.filter((_, bit) => (mask & (1n << BigInt(bit))) !== 0n));
}
