/** Debian's own kernels, booted under QEMU: what the engine stands on is there and works. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { holdUnderCloudKernels } from '../support/kernel-suites.js';
import { underCloudKernel } from '../support/kernel.js';

const shim = fileURLToPath(new URL('../../native/tsdocker-shim', import.meta.url));

/**
 * Overlay, a veth pair in two namespaces, a bridge, an nft table, cgroup v2 with its controllers.
 */
const script = `set -e
uname -r
mkdir -p /tmp/a /tmp/b /tmp/u /tmp/w /tmp/m
echo low > /tmp/a/x
mount -t overlay -o lowerdir=/tmp/a:/tmp/b,upperdir=/tmp/u,workdir=/tmp/w overlay /tmp/m
echo up > /tmp/m/x; cat /tmp/a/x /tmp/u/x
ip link add br0 type bridge; ip link add v0 type veth peer name v1
ip link set v0 master br0 && ip link set v0 up && ip link set br0 up
for controller in cpu memory pids io; do
  grep -qw $controller /sys/fs/cgroup/cgroup.controllers
done
echo +memory +pids > /sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/x && cat /sys/fs/cgroup/x/pids.max
unshare -m -p -f -n -u -i true
/tsdocker-shim </dev/null >/dev/null 2>&1 || echo "the shim runs: $?"
`;

for (const version of ['6.1', '6.12'] as const) {
  test(`Debian's ${version} kernel has what the engine stands on`, async (t) => {
    const root = join(t.testdir(), 'root');
    mkdirSync(root);
    cpSync(shim, join(root, 'tsdocker-shim'));
    writeFileSync(join(root, 'modules'), 'overlay\nveth\nbridge\nnf_tables\n');
    writeFileSync(join(root, 'script'), script);
    const result = await underCloudKernel(version, root, ['sh', '/script']);
    if (result.kind === 'unavailable') return t.pass(result.reason, { skip: result.reason });
    t.equal(result.status, 0, result.output);
    t.match(result.output, new RegExp(`^${version.replace('.', '\\.')}\\.`));
    t.match(result.output, /low\nup\n/);
    t.match(result.output, /the shim runs: [12]?\d\n/);
  });
}

/** Emulated, a suite takes a minute: more of them on demand. */
const suites =
  process.env['TSDOCKER_KERNEL_SUITES'] === 'all'
    ? ['integration/shim', 'integration/shim-borrowed', 'integration/runtime',
        'conformance/netplugins', 'conformance/bridge', 'integration/networks',
        'integration/oci-runtime-userns']
    : ['integration/shim', 'integration/shim-borrowed'];

holdUnderCloudKernels(suites);
