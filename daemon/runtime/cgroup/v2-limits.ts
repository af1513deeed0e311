/** Limits as writes to the files of cgroup version 2. Pure. */
import type { OciBlockIo, OciCpu, OciMemory, OciResources, OciThrottleDevice } from '../oci.js';
import type { ControlWrite } from './files.js';
import { v2RareWrites } from './rare-limits.js';

type Write = (controller: string, file: string, value: number | string | undefined) => void;

/** In the order in which they must be written. */
export function v2Writes(resources: OciResources): readonly ControlWrite[] {
  const writes: ControlWrite[] = [];
  const write: Write = (controller, file, value) => {
    if (value !== undefined) writes.push({ controller, file, value: String(value) });
  };
  memory(resources.memory ?? {}, write);
  cpu(resources.cpu ?? {}, write);
  if (resources.pids !== undefined) {
    write('pids', 'pids.max', resources.pids.limit > 0 ? resources.pids.limit : 'max');
  }
  blockIo(resources.blockIO ?? {}, writes);
  return [...writes, ...v2RareWrites(resources)];
}

const orMax = (value: number | undefined): number | string | undefined =>
  value === undefined || value >= 0 ? value : 'max';

function memory({ limit, swap, reservation }: OciMemory, write: Write): void {
  write('memory', 'memory.max', orMax(limit));
  write('memory', 'memory.low', reservation);
  if (swap === undefined) return;
  // Docker's number is memory and swap together, the kernel's is swap alone.
  write('memory', 'memory.swap.max', swap < 0 ? 'max' : Math.max(0, swap - (limit ?? 0)));
}

const DEFAULT_PERIOD_US = 100_000;

function cpu(limits: OciCpu, write: Write): void {
  if (limits.shares !== undefined) write('cpu', 'cpu.weight', weightOf(limits.shares));
  if (limits.quota !== undefined || limits.period !== undefined) {
    const quota = limits.quota === undefined || limits.quota <= 0 ? 'max' : limits.quota;
    write('cpu', 'cpu.max', `${quota} ${limits.period ?? DEFAULT_PERIOD_US}`);
  }
  write('cpuset', 'cpuset.cpus', limits.cpus);
  write('cpuset', 'cpuset.mems', limits.mems);
}

const MIN_SHARES = 2;
const MAX_SHARES = 262_144;

/**
 * CPU shares (2…262144, 1024 normal) as a weight (1…10000, 100 normal): the curve through these
 * three points that runc and crun have agreed on, quadratic in the logarithm.
 */
export function weightOf(shares: number): number {
  if (shares <= MIN_SHARES) return 1;
  if (shares >= MAX_SHARES) return 10_000;
  const l = Math.log2(shares);
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34));
}

const MAX_BLKIO_WEIGHT = 1000;

function blockIo(limits: OciBlockIo, writes: ControlWrite[]): void {
  const { weight } = limits;
  if (weight !== undefined) {
    writes.push({
      controller: 'io', file: 'io.bfq.weight', value: String(Math.min(weight, MAX_BLKIO_WEIGHT)),
      // 10…1000 of blkio onto 1…10000 of io.
      otherwise: {
        file: 'io.weight', value: `default ${1 + Math.trunc(((weight - 10) * 9999) / 990)}`,
      },
    });
  }
  for (const { major, minor, weight: own } of limits.weightDevice ?? []) {
    writes.push({ controller: 'io', file: 'io.bfq.weight', value: `${major}:${minor} ${own}` });
  }
  const throttles: readonly (readonly [string, readonly OciThrottleDevice[] | undefined])[] = [
    ['rbps', limits.throttleReadBpsDevice],
    ['wbps', limits.throttleWriteBpsDevice],
    ['riops', limits.throttleReadIOPSDevice],
    ['wiops', limits.throttleWriteIOPSDevice],
  ];
  for (const [key, list] of throttles) {
    for (const { major, minor, rate } of list ?? []) {
      const value = `${major}:${minor} ${key}=${rate > 0 ? rate : 'max'}`;
      writes.push({ controller: 'io', file: 'io.max', value });
    }
  }
}
