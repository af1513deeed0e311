/** Suites of this project as tests under the user-mode kernel. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { underUserModeKernel } from './kernel.js';
import { suiteVerdict } from './suite-verdict.js';

const pathOf = (suite: string): string =>
  fileURLToPath(new URL(`../${suite}.test.js`, import.meta.url));

/** Makes a test of each suite (`integration/shim`): it passes there, and is not empty. */
export function holdUnderUserMode(suites: readonly string[]): void {
  for (const suite of suites) {
    const path = pathOf(suite);
    const skip = !existsSync(path) && 'not there';
    test(`${suite} holds under the user-mode kernel`, { skip }, async (t) => {
      const command = [
        'env', 'TMPDIR=/dev/shm', 'TAP_TIMEOUT=200', process.execPath, '--enable-source-maps', path,
      ];
      const result = await underUserModeKernel(command);
      if (result.kind === 'unavailable') return t.pass(result.reason, { skip: result.reason });
      const verdict = suiteVerdict(result);
      t.equal(verdict.failed, 0, verdict.told);
      t.ok(verdict.passed > 0, `${verdict.passed} passed`);
    });
  }
}
