/** The limits that `update` changes, as the kernel has them then. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { readHostFacts } from '../../daemon/runtime/host-facts.js';
import { ended, ociWorld } from '../support/oci-bundle.js';

const isV2 = readHostFacts().cgroups.version === 2;
const MIB = 1024 ** 2;

/** Flags of update, and what the kernel's file of version 1 and of version 2 says then. */
const rows: readonly (readonly [readonly string[], string, string, RegExp])[] = [
  [['--cpu-period', '50000', '--cpu-quota', '20000'], 'cpu/cpu.cfs_quota_us', 'cpu.max',
    /^20000( 50000)?$/],
  [['--cpu-share', '512'], 'cpu/cpu.shares', 'cpu.weight', /^(512|20|59)$/],
  [['--cpuset-cpus', '0', '--cpuset-mems', '0'], 'cpuset/cpuset.cpus', 'cpuset.cpus', /^0$/],
  [['--memory', '96m', '--memory-swap', '128m'], 'memory/memory.limit_in_bytes', 'memory.max',
    new RegExp(`^${96 * MIB}$`)],
  [['--memory-reservation', '48m'], 'memory/memory.soft_limit_in_bytes', 'memory.low',
    new RegExp(`^${48 * MIB}$`)],
  [['--pids-limit', '40'], 'pids/pids.max', 'pids.max', /^40$/],
  [['--blkio-weight', '300'], 'blkio/blkio.weight', 'io.weight', /300|default \d+/],
  [['--cpu-rt-period', '900000', '--cpu-rt-runtime', '0'], 'cpu/cpu.rt_period_us', '', /900000/],
];

test('each limit is changed by its flag, or refused where the kernel lacks it', async (t) => {
  const world = await ociWorld(t);
  world.configure(({ process }) => (process['args'] = ['sleep', '1000']));
  const child = world.start(['run', '--detach', world.id], 'ignore');
  child.stdin?.end();
  t.equal((await ended(child)).code, 0);
  const name = `tsdocker-runtime-${world.id}`;
  for (const [flags, v1, v2, expected] of rows) {
    const [controller = '', file = ''] = v1.split('/');
    const path = join('/sys/fs/cgroup', ...(isV2 ? [name, v2] : [controller, name, file]));
    const told = await world.call('update', ...flags, world.id);
    if (v2 === '' && isV2 || !fs.existsSync(path)) {
      t.comment(`${flags.join(' ')}: ${told.code ?? ''} ${told.stderr}`);
      continue;
    }
    t.match(told, { code: 0, stderr: '' }, flags.join(' '));
    t.match(fs.readFileSync(path, 'utf8').trim(), expected, flags.join(' '));
  }
  const file = join(world.folder, 'limits');
  fs.writeFileSync(file, JSON.stringify({ pids: { limit: 50 } }));
  t.match(await world.call('update', '--resources', file, world.id), { code: 0 });
  const path = isV2 ? `${name}/pids.max` : `pids/${name}/pids.max`;
  t.equal(fs.readFileSync(join('/sys/fs/cgroup', path), 'utf8'), '50\n');
  t.match(await world.call('update', '--memory', '5x', world.id), {
    code: 1, stderr: /invalid argument "5x" for "--memory" flag: invalid size/,
  });
  t.match(await world.call('events', '--interval', '0s', world.id), {
    code: 1, stderr: /no time above zero/,
  });
});
