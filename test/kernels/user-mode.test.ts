/** What the runtime promises holds on another kernel as well, with cgroup v2 alone. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { underUserModeKernel } from '../support/kernel.js';
import { suiteVerdict } from '../support/suite-verdict.js';

const suites = [
  'integration/shim', 'integration/shim-attach', 'integration/shim-faults', 'integration/shim-gate',
  'integration/runtime', 'integration/trees', 'integration/unpack', 'integration/volumes',
  'conformance/netplugins',
  // The stacks of 127 layers take minutes on that kernel's one processor, and the tasks' limits are
  // now and then read back too early there: both on demand.
  ...(process.env['TSDOCKER_KERNEL_SUITES'] === 'all'
    ? ['integration/runtime-tasks', 'conformance/storage-drivers']
    : []),
];

const pathOf = (suite: string): string =>
  fileURLToPath(new URL(`../${suite}.test.js`, import.meta.url));

for (const suite of suites) {
  test(
    `${suite} holds under the user-mode kernel`,
    { skip: !existsSync(pathOf(suite)) && 'not there' },
    async (t) => {
      const command = [
        'env', 'TMPDIR=/dev/shm', 'TAP_TIMEOUT=200', process.execPath, '--enable-source-maps',
        pathOf(suite),
      ];
      const result = await underUserModeKernel(command);
      if (result.kind === 'unavailable') return t.pass(result.reason, { skip: result.reason });
      const verdict = suiteVerdict(result);
      t.equal(verdict.failed, 0, verdict.told);
      t.ok(verdict.passed > 0, `${verdict.passed} passed`);
    },
  );
}
