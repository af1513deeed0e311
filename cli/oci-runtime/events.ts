/** `events`: what a container uses, and that it ran out of memory, as lines of JSON. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CgroupStats, ContainerCgroup } from '../../daemon/runtime/cgroup/index.js';
import { readTable } from '../../daemon/runtime/cgroup/files.js';
import { parseFlagValue } from '../flag-values.js';
import { OciError } from './oci-error.js';
import { groupOf, readRecord, statusOf } from './store.js';

/** Which container, how often, and where to. */
export interface EventsRequest {
  readonly root: string;
  readonly id: string;
  /** One line, then the end. */
  readonly once: boolean;
  readonly intervalMs: number;
  readonly print: (text: string) => void;
}

const LOOK_MS = 100;

/** Go's durations: `5s`. Throws `UsageError`, or `OciError` for none. */
export function durationMs(text: string): number {
  const ms = Number(parseFlagValue('duration', text, '--interval')) / 1e6;
  if (!(ms > 0)) throw new OciError(`--interval: ${text} is no time above zero`);
  return ms;
}

/** Returns when the container has stopped. Throws `OciError` when it does not run. */
export async function events(request: EventsRequest): Promise<void> {
  const { root, id, once, intervalMs } = request;
  const record = readRecord(root, id);
  const isLive = async (): Promise<boolean> =>
    !['stopped', 'creating'].includes(await statusOf(root, record));
  if (!(await isLive())) throw new OciError('container not running');
  const group = groupOf(record);
  const tell = (type: string, data?: unknown): void =>
    request.print(`${JSON.stringify({ type, id, ...(data === undefined ? {} : { data }) })}\n`);
  if (once) {
    tell('stats', statsDocument(group.stats()));
    return;
  }
  let killed = killsOf(group);
  for (let waitedMs = 0; await isLive(); waitedMs += LOOK_MS) {
    if (waitedMs >= intervalMs) {
      tell('stats', statsDocument(group.stats()));
      waitedMs = 0;
    }
    await sleep(LOOK_MS);
    const now = killsOf(group);
    for (; killed < now; killed++) tell('oom');
  }
}

function killsOf({ oomFiles }: ContainerCgroup): number {
  return oomFiles.reduce((sum, file) => sum + (readTable(file)['oom_kill'] ?? 0), 0);
}

/** In the form that readers of runc's events know. */
function statsDocument({ cpu, memory, pids, blockIo }: CgroupStats): unknown {
  return {
    cpu: {
      usage: {
        total: cpu.totalNs, kernel: cpu.kernelNs, user: cpu.userNs,
        ...(cpu.perCpuNs === undefined ? {} : { percpu: cpu.perCpuNs }),
      },
      throttling: {
        periods: cpu.periods, throttledPeriods: cpu.throttledPeriods,
        throttledTime: cpu.throttledNs,
      },
    },
    memory: {
      usage: {
        usage: memory.usageBytes, max: memory.maxUsageBytes, limit: memory.limitBytes,
        failcnt: memory.failCount ?? 0,
      },
      raw: memory.details,
    },
    pids: { current: pids.current, limit: pids.limit },
    blkio: {
      ioServiceBytesRecursive: blockIo.serviceBytes, ioServicedRecursive: blockIo.serviced,
    },
  };
}
