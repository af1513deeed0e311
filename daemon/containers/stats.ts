import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { invalidParameter } from '../../api-spec/errors.js';
import type { ContainerCPUStats, ContainerStatsResponse } from '../../api-spec/index.js';
import { hasCode } from '../../native/errno-error.js';
import type { Container } from './container.js';
import type { Context } from './context.js';
import {
  cpuShape,
  emptyCpu,
  linkCounters,
  noSample,
  sampleShape,
  systemCpuNs,
} from './stats-shape.js';
import type { Machine } from './stats-shape.js';
import { isLive } from './state.js';

const PERIOD_MS = 1000;

/** How many samples, and how long. */
export interface StatsRequest {
  readonly stream: boolean;
  /** One reading, at once, without an earlier one to compare it with. */
  readonly oneShot: boolean;
  readonly signal: AbortSignal;
}

/**
 * What a container uses: a sample a second until it is removed or the signal aborts, or one sample
 * with the second before it. Of a container that does not run only its names are told. `ApiError`
 * 400 for a stream of one reading.
 */
export function containerStats(
  context: Context,
  container: Container,
  request: StatsRequest,
): AsyncIterable<ContainerStatsResponse> {
  if (request.stream && request.oneShot) {
    throw invalidParameter('cannot have stream=true and one-shot=true');
  }
  return samples(context, container, request);
}

async function* samples(
  context: Context,
  container: Container,
  { stream, oneShot, signal }: StatsRequest,
): AsyncGenerator<ContainerStatsResponse> {
  const gone = new AbortController();
  const forget = container.onRemoval(() => gone.abort());
  const ended = AbortSignal.any([signal, gone.signal]);
  try {
    let before: Reading | undefined;
    if (!stream && !oneShot) {
      before = read(context, container);
      if (before !== undefined && !(await pause(ended))) return;
    }
    do {
      const now = read(context, container);
      yield now === undefined ? noSample(container.record) : shown(container, now, before);
      before = now;
    } while (stream && (await pause(ended)));
  } finally {
    forget();
  }
}

/** False when it was cut short. */
async function pause(signal: AbortSignal): Promise<boolean> {
  try {
    await delay(PERIOD_MS, undefined, { signal });
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

interface Reading {
  readonly read: string;
  readonly machine: Machine;
  readonly used: ReturnType<ReturnType<Context['runtime']['cgroup']>['stats']>;
  readonly links: ContainerStatsResponse['networks'];
}

/** Undefined when it does not run. */
function read({ runtime }: Context, { record }: Container): Reading | undefined {
  const { state } = record;
  if (!isLive(state)) return undefined;
  return {
    read: new Date().toISOString(),
    machine: {
      systemNs: systemCpuNs(readFileSync('/proc/stat', 'latin1')),
      cpus: cpus().length,
      memoryBytes: totalmem(),
    },
    used: runtime.cgroup(record).stats(),
    links: record.hostConfig.NetworkMode === 'host' ? undefined : linksOf(state.pid),
  };
}

function linksOf(pid: number): ContainerStatsResponse['networks'] {
  try {
    return linkCounters(readFileSync(`/proc/${pid}/net/dev`, 'latin1'));
  } catch (error) {
    // It has ended in this very moment.
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EINVAL')) return undefined;
    throw error;
  }
}

function shown(
  { record }: Container,
  now: Reading,
  before: Reading | undefined,
): ContainerStatsResponse {
  const earlier: ContainerCPUStats =
    before === undefined ? emptyCpu : cpuShape(before.used, before.machine);
  return {
    ...sampleShape(now.used, now.machine),
    id: record.id,
    name: `/${record.name}`,
    read: now.read,
    preread: before?.read ?? '0001-01-01T00:00:00Z',
    precpu_stats: earlier,
    ...(now.links === undefined ? {} : { networks: now.links }),
  };
}
