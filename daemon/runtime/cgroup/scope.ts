/**
 * Control groups that systemd makes: a container is a scope, a transient unit for processes that
 * others have begun. systemd has to know the limits too, for it writes those it knows anew whenever
 * it reloads; all else is done in the scope's group as in any other.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { ErrnoError } from '../../../native/errno-error.js';
import { openSystemd, type Systemd, type UnitProperty } from '../../../native/systemd.js';
import { cpusOf, maskOf } from '../compile/schedule.js';
import type { OciCpu, OciMemory, OciResources } from '../oci.js';
import { until } from './files.js';
import type { Scope } from './scope-name.js';
import { weightOf } from './v2-limits.js';

/** A scope that is kept from ending while nothing is in it yet. */
export interface HeldScope {
  /** Leaves it to the processes that are in it by now. Idempotent. */
  release(): Promise<void>;
}

/**
 * Makes the scope and resolves once its group is there. A scope must have a process from the
 * start, and the container has none yet: one that waits for us stands in for it. Rejects with
 * `ErrnoError`: EEXIST when there is such a unit.
 */
export async function startScope(scope: Scope, resources: OciResources): Promise<HeldScope> {
  // Ends with us, whatever becomes of us: its input is ours.
  const waiting = spawn('cat', [], { stdio: ['pipe', 'ignore', 'ignore'], cwd: '/' });
  const release = async (): Promise<void> => {
    const { exitCode, signalCode, pid } = waiting;
    if (exitCode !== null || signalCode !== null || pid === undefined) return;
    const ended = once(waiting, 'exit');
    waiting.kill('SIGKILL');
    await ended;
  };
  try {
    await once(waiting, 'spawn');
    const pid = waiting.pid ?? 0;
    await withSystemd(async (systemd) => {
      await systemd.startTransientUnit(scope.unit, propertiesOf(scope, pid, resources));
      const isIn = (): boolean => readFileSync(`/proc/${pid}/cgroup`, 'utf8')
        .split('\n').some((line) => line.endsWith(`/${scope.unit}`));
      await until(`start of ${scope.unit}`, isIn);
      // With version 1 it goes on with the other hierarchies, and removes what it finds there.
      await systemd.settle();
    });
    return { release };
  } catch (error) {
    await release();
    throw error;
  }
}

function propertiesOf(
  { slice }: Scope,
  pid: number,
  resources: OciResources,
): readonly UnitProperty[] {
  return [
    { name: 'Description', type: 's', value: 'container of tsdocker' },
    { name: 'Slice', type: 's', value: slice },
    { name: 'PIDs', type: 'au', value: [pid] },
    { name: 'Delegate', type: 'b', value: true },
    { name: 'DefaultDependencies', type: 'b', value: false },
    // A scope whose processes were killed has failed, and nobody would clear it away.
    { name: 'CollectMode', type: 's', value: 'inactive-or-failed' },
    ...scopeProperties(resources),
  ];
}

/** New limits for a scope that lives. Rejects with `ErrnoError`. */
export async function updateScope(unit: string, resources: OciResources): Promise<void> {
  const properties = scopeProperties(resources);
  if (properties.length === 0) return;
  await withSystemd((systemd) => systemd.setUnitProperties(unit, properties));
}

/**
 * Lets systemd forget a scope, whose processes have ended: before the group is removed, for of one
 * that others remove systemd may never hear. Idempotent.
 */
export async function endScope(unit: string): Promise<void> {
  await withSystemd(async (systemd) => {
    try {
      await systemd.stopUnit(unit);
    } catch (error) {
      if (!(error instanceof ErrnoError) || error.code !== 'ENOENT') throw error;
    }
  });
}

/** Throws `ErrnoError` when there is no systemd to be asked. */
export function requireSystemd(): void {
  openSystemd().close();
}

async function withSystemd(act: (systemd: Systemd) => Promise<void>): Promise<void> {
  const systemd = openSystemd();
  try {
    await act(systemd);
  } finally {
    systemd.close();
  }
}

const INFINITY = 2n ** 64n - 1n;
const USEC_PER_SEC = 1_000_000;
const DEFAULT_PERIOD_US = 100_000;

/** What systemd knows of the limits, by systemd.resource-control(5). Pure. */
export function scopeProperties({ memory, cpu, pids }: OciResources): readonly UnitProperty[] {
  return [
    ...memoryProperties(memory ?? {}),
    ...cpuProperties(cpu ?? {}),
    ...wide('TasksMax', pids && (pids.limit > 0 ? pids.limit : -1)),
  ];
}

/** Negative for no limit. */
function wide(name: string, value: number | undefined): readonly UnitProperty[] {
  if (value === undefined) return [];
  return [{ name, type: 't', value: value < 0 ? INFINITY : BigInt(Math.trunc(value)) }];
}

function memoryProperties({ limit, reservation, swap }: OciMemory): readonly UnitProperty[] {
  // Together with memory in the configuration, apart in systemd.
  const isBounded = swap !== undefined && swap >= 0;
  return [
    ...wide('MemoryMax', limit),
    ...wide('MemoryLow', reservation),
    ...wide('MemorySwapMax', isBounded ? Math.max(0, swap - (limit ?? 0)) : swap),
  ];
}

function cpuProperties({ shares, quota, period, cpus, mems }: OciCpu): readonly UnitProperty[] {
  const periodUs = period ?? DEFAULT_PERIOD_US;
  const mask = (name: string, list: string | undefined): readonly UnitProperty[] =>
    list === undefined ? [] : [{ name, type: 'ay', value: maskOf(cpusOf(list) ?? []) }];
  return [
    ...wide('CPUWeight', shares === undefined ? undefined : weightOf(shares)),
    ...wide('CPUQuotaPeriodUSec', period),
    ...wide(
      'CPUQuotaPerSecUSec',
      quota === undefined || quota <= 0 ? quota && -1 : (quota * USEC_PER_SEC) / periodUs,
    ),
    ...mask('AllowedCPUs', cpus),
    ...mask('AllowedMemoryNodes', mems),
  ];
}
