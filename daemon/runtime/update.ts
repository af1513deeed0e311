/** New limits for a container that runs. */
import type { HostConfig } from '../../api-spec/index.js';
import type { ContainerCgroup } from './cgroup/index.js';
import type { OciResources } from './oci.js';
import { cpuLimits, memoryLimits, pidsLimit } from './spec/resources.js';

const memoryFields: readonly (keyof HostConfig)[] = ['Memory', 'MemorySwap', 'MemoryReservation'];
const cpuFields: readonly (keyof HostConfig)[] = [
  'CpuShares', 'NanoCpus', 'CpuPeriod', 'CpuQuota', 'CpuRealtimePeriod', 'CpuRealtimeRuntime',
  'CpusetCpus', 'CpusetMems',
];

/**
 * Writes the limits that `changed` names, with the values of `hostConfig`. What bounds each other
 * is written together: a quota means nothing without its period. Rejects with `ApiError` 400 or 500
 * when the kernel refuses.
 */
export async function updateLimits(
  cgroup: ContainerCgroup,
  hostConfig: HostConfig,
  changed: ReadonlySet<string>,
): Promise<void> {
  const has = (fields: readonly string[]): boolean => fields.some((field) => changed.has(field));
  const memory = has(memoryFields) ? memoryLimits(hostConfig) : undefined;
  const cpu = has(cpuFields) ? cpuLimits(hostConfig) : undefined;
  const pids = changed.has('PidsLimit') ? pidsLimit(hostConfig) : undefined;
  const weight = changed.has('BlkioWeight') ? (hostConfig.BlkioWeight ?? 0) : 0;
  const resources: OciResources = {
    devices: [],
    ...(memory === undefined ? {} : { memory }),
    ...(cpu === undefined ? {} : { cpu }),
    ...(pids === undefined ? {} : { pids }),
    ...(weight > 0 ? { blockIO: { weight } } : {}),
  };
  await cgroup.update(resources);
}
