/** Limits as writes to the files of cgroup version 1. Pure. */
import type { OciBlockIo, OciCpu, OciDeviceRule, OciMemory, OciResources } from '../oci.js';
import type { ControlWrite } from './files.js';
import { v1RareWrites } from './rare-limits.js';

type Write = (file: string, value: number | string | undefined) => void;

/** In the order in which they must be written. */
export function v1Writes(resources: OciResources): readonly ControlWrite[] {
  const writes: ControlWrite[] = [];
  const writer =
    (controller: string): Write =>
    (file, value) => {
      if (value !== undefined) writes.push({ controller, file, value: String(value) });
    };
  memory(resources.memory ?? {}, writer('memory'));
  cpu(resources.cpu ?? {}, writer('cpu'));
  const cpuset = writer('cpuset');
  cpuset('cpuset.cpus', resources.cpu?.cpus);
  cpuset('cpuset.mems', resources.cpu?.mems);
  if (resources.pids !== undefined) {
    writer('pids')('pids.max', resources.pids.limit > 0 ? resources.pids.limit : 'max');
  }
  blockIo(resources.blockIO ?? {}, writes);
  return [...writes, ...v1RareWrites(resources)];
}

function memory(limits: OciMemory, write: Write): void {
  write('memory.limit_in_bytes', limits.limit);
  write('memory.memsw.limit_in_bytes', limits.swap);
  write('memory.soft_limit_in_bytes', limits.reservation);
  write('memory.swappiness', limits.swappiness);
  if (limits.disableOOMKiller !== undefined) {
    write('memory.oom_control', limits.disableOOMKiller ? 1 : 0);
  }
}

function cpu(limits: OciCpu, write: Write): void {
  write('cpu.shares', limits.shares);
  write('cpu.cfs_period_us', limits.period);
  write('cpu.cfs_quota_us', limits.quota);
  write('cpu.rt_period_us', limits.realtimePeriod);
  write('cpu.rt_runtime_us', limits.realtimeRuntime);
}

function blockIo(limits: OciBlockIo, writes: ControlWrite[]): void {
  const add = (file: string, value: string, otherwise?: ControlWrite['otherwise']): void => {
    const rest = otherwise === undefined ? {} : { otherwise };
    writes.push({ controller: 'blkio', file: `blkio.${file}`, value, ...rest });
  };
  if (limits.weight !== undefined) {
    const value = String(limits.weight);
    add('weight', value, { file: 'blkio.bfq.weight', value });
  }
  for (const { major, minor, weight } of limits.weightDevice ?? []) {
    // blkio.bfq.weight_device takes only devices that bfq schedules: discarded, as Docker warns.
    add('weight_device', `${major}:${minor} ${weight}`);
  }
  const throttles = [
    ['throttle.read_bps_device', limits.throttleReadBpsDevice],
    ['throttle.write_bps_device', limits.throttleWriteBpsDevice],
    ['throttle.read_iops_device', limits.throttleReadIOPSDevice],
    ['throttle.write_iops_device', limits.throttleWriteIOPSDevice],
  ] as const;
  for (const [file, list] of throttles) {
    for (const { major, minor, rate } of list ?? []) add(file, `${major}:${minor} ${rate}`);
  }
}

/** Rules one after the other; the first, deny all, empties the list. */
export function v1DeviceWrites(rules: readonly OciDeviceRule[]): readonly ControlWrite[] {
  return rules.map((rule) => ({
    controller: 'devices',
    file: rule.allow ? 'devices.allow' : 'devices.deny',
    value: rule.type === 'a' && rule.major === undefined ? 'a' : deviceLine(rule),
  }));
}

function deviceLine({ type, major, minor, access }: OciDeviceRule): string {
  return `${type} ${major ?? '*'}:${minor ?? '*'} ${access}`;
}
