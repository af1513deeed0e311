import type {
  DeviceMapping,
  DeviceRequest,
  HostConfig,
  Ulimit,
} from '../../api-spec/host-config.js';
import { CommandError, UsageError } from '../errors.js';
import { parseSizeBytes } from '../flag-values.js';
import type { GivenFlags } from '../flags.js';
import { csvFields } from './pairs.js';

type Draft = { -readonly [Key in keyof HostConfig]: HostConfig[Key] };

const nanoCpusOfOne = 1e9;

/** The limits and devices that the flags ask for; only what was given is in it. */
export function planResources(flags: GivenFlags): HostConfig {
  const plan: Draft = {};
  const numbers = {
    CpuShares: 'cpu-shares',
    CpuPeriod: 'cpu-period',
    CpuQuota: 'cpu-quota',
    CpuRealtimePeriod: 'cpu-rt-period',
    CpuRealtimeRuntime: 'cpu-rt-runtime',
    BlkioWeight: 'blkio-weight',
    KernelMemory: 'kernel-memory',
    Memory: 'memory',
    MemoryReservation: 'memory-reservation',
    MemorySwap: 'memory-swap',
    MemorySwappiness: 'memory-swappiness',
    OomScoreAdj: 'oom-score-adj',
    PidsLimit: 'pids-limit',
    ShmSize: 'shm-size',
  } as const;
  for (const [field, name] of Object.entries(numbers)) {
    if (flags.isSet(name)) Object.assign(plan, { [field]: flags.number(name) });
  }
  if (flags.isSet('cpus')) plan.NanoCpus = Math.round(flags.number('cpus') * nanoCpusOfOne);
  if (flags.text('cpuset-cpus') !== '') plan.CpusetCpus = flags.text('cpuset-cpus');
  if (flags.text('cpuset-mems') !== '') plan.CpusetMems = flags.text('cpuset-mems');
  if (flags.isSet('oom-kill-disable')) plan.OomKillDisable = flags.switch('oom-kill-disable');
  const ulimits = flags.list('ulimit').map(readUlimit);
  if (ulimits.length > 0) plan.Ulimits = ulimits;
  planBlockDevices(flags, plan);
  planDevices(flags, plan);
  return plan;
}

function planBlockDevices(flags: GivenFlags, plan: Draft): void {
  const weights = flags.list('blkio-weight-device').map((spec) => {
    const { path, value } = splitDevice(spec);
    return { Path: path, Weight: Number(value) };
  });
  if (weights.length > 0) plan.BlkioWeightDevice = weights;
  const rates = {
    BlkioDeviceReadBps: 'device-read-bps',
    BlkioDeviceWriteBps: 'device-write-bps',
    BlkioDeviceReadIOps: 'device-read-iops',
    BlkioDeviceWriteIOps: 'device-write-iops',
  } as const;
  for (const [field, name] of Object.entries(rates)) {
    const given = flags.list(name).map((spec) => {
      const { path, value } = splitDevice(spec);
      return { Path: path, Rate: name.endsWith('bps') ? parseSizeBytes(value) : Number(value) };
    });
    if (given.length > 0) Object.assign(plan, { [field]: given });
  }
}

function splitDevice(spec: string): { readonly path: string; readonly value: string } {
  const colon = spec.lastIndexOf(':');
  if (colon < 0) throw new CommandError(`bad format: ${spec}`, 125);
  return { path: spec.slice(0, colon), value: spec.slice(colon + 1) };
}

function planDevices(flags: GivenFlags, plan: Draft): void {
  const given = flags.list('device');
  const isCdi = (spec: string): boolean => /^[\w.-]+\/[\w.-]+=[\w.:-]+$/.test(spec);
  const devices = given.filter((spec) => !isCdi(spec)).map(readDevice);
  const requests: DeviceRequest[] = [];
  const cdi = given.filter(isCdi);
  if (cdi.length > 0) requests.push({ Driver: 'cdi', DeviceIDs: cdi });
  if (flags.text('gpus') !== '') requests.push(readGpus(flags.text('gpus')));
  if (devices.length > 0) plan.Devices = devices;
  if (requests.length > 0) plan.DeviceRequests = requests;
  if (flags.list('device-cgroup-rule').length > 0) {
    plan.DeviceCgroupRules = flags.list('device-cgroup-rule');
  }
}

function readDevice(spec: string): DeviceMapping {
  const [host = '', second, third] = spec.split(':');
  const isMode = (text: string): boolean => /^[rwm]+$/.test(text);
  if (spec.split(':').length > 3 || host === '') {
    throw new CommandError(`bad format for path: ${spec}`, 125);
  }
  const secondIsMode = second !== undefined && third === undefined && isMode(second);
  return {
    PathOnHost: host,
    PathInContainer: second === undefined || secondIsMode ? host : second,
    CgroupPermissions: (secondIsMode ? second : third) ?? 'rwm',
  };
}

function readGpus(spec: string): DeviceRequest {
  const plain = { Driver: '', Capabilities: [['gpu']] };
  if (spec === 'all') return { ...plain, Count: -1 };
  if (/^\d+$/.test(spec)) return { ...plain, Count: Number(spec) };
  const request: { -readonly [Key in keyof DeviceRequest]: DeviceRequest[Key] } = { ...plain };
  for (const field of csvFields(spec)) {
    const [key = '', value = ''] = field.split('=');
    if (key === 'device') request.DeviceIDs = value.split(',');
    else if (key === 'driver') request.Driver = value;
    else if (key === 'count') request.Count = value === 'all' ? -1 : Number(value);
    else if (key === 'capabilities') request.Capabilities = [['gpu', ...value.split(',')]];
    else {
      throw new UsageError(
        `invalid argument "${spec}" for "--gpus" flag: unexpected key '${key}' in '${field}'`,
      );
    }
  }
  return request;
}

function readUlimit(spec: string): Ulimit {
  const parts = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(spec);
  if (parts === null) {
    throw new UsageError(
      `invalid argument "${spec}" for "--ulimit" flag: invalid ulimit argument: ${spec}`,
    );
  }
  const soft = Number(parts[2]);
  const hard = parts[3] === undefined ? soft : Number(parts[3]);
  if (hard !== -1 && soft > hard) {
    throw new UsageError(
      `invalid argument "${spec}" for "--ulimit" flag: ulimit soft limit must be less than or ` +
        `equal to hard limit: ${soft} > ${hard}`,
    );
  }
  return { Name: parts[1] ?? '', Soft: soft, Hard: hard };
}
