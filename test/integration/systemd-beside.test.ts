/**
 * The suites about systemd, beside one that is started for them: in a group of each of this
 * machine's hierarchies. With version 2 alone the same is done under the user-mode kernel.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { readHostFacts } from '../../daemon/runtime/host-facts.js';
import { ended } from '../support/oci-bundle.js';
import { suiteVerdict } from '../support/suite-verdict.js';

const script = fileURLToPath(new URL('../../../test/support/systemd.sh', import.meta.url));
const lacks = !existsSync('/lib/systemd/systemd') && 'no systemd is installed';
const isV2 = readHostFacts().cgroups.version === 2 && 'cgroup v2: see kernels/user-mode';
const TIMEOUT_MS = 240_000;

for (const suite of ['oci-runtime-systemd', 'systemd-whole']) {
  const options = { skip: isV2 || lacks, timeout: TIMEOUT_MS };
  test(`integration/${suite} holds beside a systemd of its own`, options, async (t) => {
    const path = fileURLToPath(new URL(`${suite}.test.js`, import.meta.url));
    const child = spawn(script, [process.execPath, '--enable-source-maps', path], {
      stdio: ['ignore', 'pipe', 'pipe'], timeout: TIMEOUT_MS - 10_000,
      env: { ...process.env, TAP_TIMEOUT: '200' },
    });
    const { code, stdout, stderr } = await ended(child);
    const verdict = suiteVerdict({ kind: 'ended', status: code ?? -1, output: stdout + stderr });
    t.equal(verdict.failed, 0, verdict.told);
    t.ok(verdict.passed > 0, `${verdict.passed} passed`);
  });
}
