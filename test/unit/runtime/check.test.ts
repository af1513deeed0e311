import { test } from 'tap';
import type { HostConfig } from '../../../api-spec/index.js';
import type { ContainerRecord } from '../../../daemon/containers/record.js';
import { checkRecord } from '../../../daemon/runtime/check.js';
import type { Cgroups } from '../../../daemon/runtime/cgroup/index.js';
import { hostFacts } from './builders.js';

/** What a host says to a wish; empty for nothing. */
function said(hostConfig: HostConfig, hasRealtime: boolean): string {
  // Of either no more is looked at than what is there.
  const record = { hostConfig } as ContainerRecord;
  const cgroups = { version: 1, warnings: () => [] } as unknown as Cgroups;
  const host = { ...hostFacts, hasRealtime };
  try {
    checkRecord(record, { host, cgroups, defaultUlimits: [], cdiSpecDirs: [] });
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

test('real time is refused where groups have no budgets of it', (t) => {
  const lacks = 'kernel does not support CPU real-time scheduler';
  t.equal(said({ CpuRealtimeRuntime: 1000 }, false), lacks);
  t.equal(said({ CpuRealtimePeriod: 1000 }, false), lacks);
  t.equal(said({ CpuRealtimePeriod: 0, CpuRealtimeRuntime: 0 }, false), '');
  t.equal(said({ CpuRealtimePeriod: 2000, CpuRealtimeRuntime: 1000 }, true), '');
  t.equal(said({ CpuRealtimePeriod: 1000, CpuRealtimeRuntime: 2000 }, true),
    'cpu real-time runtime cannot be higher than cpu real-time period');
  t.end();
});
