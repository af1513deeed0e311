/** What the runtime promises holds on another kernel as well, with cgroup v2 alone. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { underUserModeKernel } from '../support/kernel.js';
import { TapTally } from '../support/tap-tally.js';

const suites = [
  'integration/shim', 'integration/shim-attach', 'integration/shim-faults', 'integration/runtime',
  'integration/runtime-tasks', 'conformance/netplugins',
];

const pathOf = (suite: string): string => fileURLToPath(new URL(`../${suite}.test.js`, import.meta.url));

for (const suite of suites) {
  test(`${suite} holds under the user-mode kernel`, { skip: !existsSync(pathOf(suite)) && 'not there' }, async (t) => {
    const command = ['env', 'TMPDIR=/dev/shm', process.execPath, '--enable-source-maps', pathOf(suite)];
    const result = await underUserModeKernel(command);
    if (result.kind === 'unavailable') return t.skip(result.reason);
    const told: string[] = [];
    const tally = new TapTally((line) => told.push(line));
    const stream = tally.begin(suite);
    stream.write(result.output);
    stream.end(result.status === 0 ? undefined : `ended with status ${result.status}`);
    t.equal(tally.failed, 0, told.join('\n'));
    t.ok(tally.passed > 0, `${tally.passed} passed, ${tally.skipped.length} skipped`);
  });
}
