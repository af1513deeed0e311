/** Suites of this project as tests under the user-mode kernel. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { projectUnderCloudKernel, underUserModeKernel } from './kernel.js';
import { suiteVerdict } from './suite-verdict.js';

const pathOf = (suite: string): string =>
  fileURLToPath(new URL(`../${suite}.test.js`, import.meta.url));

const systemdScript = fileURLToPath(new URL('../../../test/support/systemd.sh', import.meta.url));

/**
 * Makes a test of each suite (`integration/shim`): it passes there, and is not empty. Beside a
 * systemd of its own, if that is asked for and this machine has one.
 */
export function holdUnderUserMode(
  suites: readonly string[],
  { systemd = false, timeoutMs = 300_000 } = {},
): void {
  for (const suite of suites) {
    const path = pathOf(suite);
    const lacks = systemd && !existsSync('/lib/systemd/systemd') && 'no systemd is installed';
    const skip = existsSync(path) ? lacks : 'not there';
    test(`${suite} holds under the user-mode kernel`, { skip }, async (t) => {
      const command = [
        ...(systemd ? [systemdScript] : []),
        'env', 'TMPDIR=/dev/shm', `TAP_TIMEOUT=${timeoutMs / 1000 + 20}`,
        process.execPath, '--enable-source-maps', path,
      ];
      const result = await underUserModeKernel(command, timeoutMs);
      if (result.kind === 'unavailable') return t.pass(result.reason, { skip: result.reason });
      const verdict = suiteVerdict(result);
      t.equal(verdict.failed, 0, verdict.told);
      t.ok(verdict.passed > 0, `${verdict.passed} passed`);
    });
  }
}

/** The same on Debian 12's and 13's kernels under QEMU, where all takes twenty times as long. */
export function holdUnderCloudKernels(suites: readonly string[]): void {
  for (const version of ['6.1', '6.12'] as const) {
    for (const suite of suites) {
      test(`${suite} holds on Debian's ${version} kernel`, async (t) => {
        const command = [
          'env', 'TMPDIR=/dev/shm', 'TAP_TIMEOUT=250', 'node', `dist/test/${suite}.test.js`,
        ];
        const result = await projectUnderCloudKernel(version, command);
        if (result.kind === 'unavailable') return t.pass(result.reason, { skip: result.reason });
        const verdict = suiteVerdict(result);
        t.equal(verdict.failed, 0, verdict.told);
        t.ok(verdict.passed > 0, `${verdict.passed} passed`);
      });
    }
  }
}
