/**
 * Node as it is today: a container through all layers of the daemon, and a daemon that is killed.
 * `TSDOCKER_NODES` names other versions or tags of npm's; the one that runs the tests is proved by
 * all others.
 */
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { runScript } from '../support/kernel.js';
import { suiteVerdict } from '../support/suite-verdict.js';

const script = fileURLToPath(new URL('../../../test/support/other-node.sh', import.meta.url));
const suite = fileURLToPath(new URL('../integration/whole-way.test.js', import.meta.url));
const versions = (process.env['TSDOCKER_NODES'] ?? 'latest').split(' ');
/** SQLite is compiled, if nobody has done so yet. */
const timeoutMs = 560_000;

for (const version of versions) {
  test(`integration/whole-way holds on Node ${version}`, async (t) => {
    const command = ['env', 'TAP_TIMEOUT=200', 'node', '--enable-source-maps', suite];
    const result = await runScript(script, [version, ...command], timeoutMs);
    if (result.kind === 'unavailable') return t.pass(result.reason, { skip: result.reason });
    const verdict = suiteVerdict(result);
    t.equal(verdict.failed, 0, verdict.told);
    t.ok(verdict.passed > 0, `${verdict.passed} passed`);
  });
}
