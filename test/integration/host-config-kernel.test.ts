/** Every field of HostConfig that is the kernel's business, seen from inside a container. */
import { existsSync, rmdirSync } from 'node:fs';
import { test } from 'tap';
import { runtimeRows, testParent } from '../support/host-config-rows.js';
import { openRuntimeWorld, type RuntimeWorld } from '../support/runtime-world.js';

test('a host config holds inside', {
  skip: process.getuid?.() === 0 ? false : 'containers need root',
}, async (t) => {
  // An overlay cannot lie on another: where the root is one already, a plain disk is needed.
  const world = openRuntimeWorld(process.env['TSDOCKER_TEST_DIR']);
  t.teardown(() => removeParent(world));
  t.teardown(() => world.close());
  const { version } = world.runtime.host.cgroups;
  for (const row of runtimeRows) {
    const { field, host, config = {}, script } = row;
    const wanted = version === 2 && 'v2' in row ? row.v2 : row.v1;
    if (wanted === undefined) continue;
    const { output } = await world.run({ command: ['sh', '-c', script], host, config });
    const [seen, about] = [output.trimEnd(), `${field} ${JSON.stringify(host)}`];
    if (typeof wanted === 'string') t.equal(seen, wanted, about);
    else t.match(seen, wanted, about);
  }
});

/** Parents that a user names are the user's: the engine lets them stand. */
function removeParent({ runtime }: RuntimeWorld): void {
  const { cgroups } = runtime.host;
  const mounts = cgroups.version === 2 ? [cgroups.mount] : cgroups.hierarchies.map((h) => h.mount);
  for (const path of mounts.map((mount) => `${mount}${testParent}`)) {
    if (existsSync(path)) rmdirSync(path);
  }
}
