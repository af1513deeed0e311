/** What of /proc and /sys a container does not see, or does not write: they tell of the host. */

const masked: readonly string[] = [
  '/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys',
  '/proc/latency_stats', '/proc/sched_debug', '/proc/scsi', '/proc/timer_list',
  '/proc/timer_stats', '/sys/devices/virtual/powercap', '/sys/firmware',
];

const readonlyPaths: readonly string[] = [
  '/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger',
];

/** What the choice of paths depends on. */
export interface SystemPathRequest {
  readonly privileged: boolean;
  readonly unconfined: boolean;
  /** Absent: the defaults; an empty list: none. */
  readonly masked: readonly string[] | undefined;
  readonly readonly: readonly string[] | undefined;
  /** Folders like `/sys/devices/system/cpu/cpu0/thermal_throttle` that exist on this host. */
  readonly thermalThrottle: readonly string[];
}

/** The paths to mask and to make read-only. */
export function systemPaths(request: SystemPathRequest): {
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
} {
  if (request.privileged || request.unconfined) {
    return { maskedPaths: request.masked ?? [], readonlyPaths: request.readonly ?? [] };
  }
  return {
    maskedPaths: request.masked ?? [...masked, ...request.thermalThrottle],
    readonlyPaths: request.readonly ?? readonlyPaths,
  };
}
