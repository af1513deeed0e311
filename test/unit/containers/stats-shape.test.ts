import { test } from 'tap';
import { sampleShape } from '../../../daemon/containers/stats-shape.js';

const cpu = { totalNs: 3, userNs: 1, kernelNs: 2, periods: 0, throttledPeriods: 0, throttledNs: 0 };
const machine = { systemNs: 9, cpus: 2, memoryBytes: 100 };
const rest = { pids: { current: 1 }, blockIo: { serviceBytes: [], serviced: [] } };
const memory = { usageBytes: 5, maxUsageBytes: 7, failCount: 4, details: { inactive_file: 1 } };

test('of memory each version of groups tells what Docker tells of it', (t) => {
  const first = sampleShape({ ...rest, cpu: { ...cpu, perCpuNs: [3] }, memory }, machine);
  t.same(first.memory_stats,
    { usage: 5, max_usage: 7, stats: { inactive_file: 1 }, failcnt: 4, limit: 100 });
  const second = (oomCount: number) =>
    sampleShape({ ...rest, cpu, memory: { ...memory, oomCount } }, machine).memory_stats;
  t.same(second(0), { usage: 5, stats: { inactive_file: 1 }, limit: 100 });
  t.match(second(2), { failcnt: 2 });
  t.end();
});
