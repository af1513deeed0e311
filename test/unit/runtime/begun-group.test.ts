/** A group that is begun before its limits are known is limited or taken back, once. */
import { existsSync, mkdirSync } from 'node:fs';
import { test } from 'tap';
import { beginGroup } from '../../../daemon/runtime/begun-group.js';
import type { Cgroups } from '../../../daemon/runtime/cgroup/cgroup.js';
import { cgroupsV1 } from '../../../daemon/runtime/cgroup/v1.js';
import type { OciResources } from '../../../daemon/runtime/oci.js';

const nothing: OciResources = { devices: [] };

/** A folder stands for a hierarchy. */
function setUp(mount: string): Cgroups {
  mkdirSync(`${mount}/parent`);
  return cgroupsV1([{ mount, controllers: ['pids'] }]);
}

test('its folders are there before its limits are', async (t) => {
  const mount = t.testdir();
  const group = beginGroup(setUp(mount), '/parent/c');
  let decide: (resources: OciResources) => void = () => undefined;
  const limited = group.limit(new Promise((resolve) => (decide = resolve)));
  while (!existsSync(`${mount}/parent/c`)) await new Promise(setImmediate);
  decide(nothing);
  t.equal((await limited).path, '/parent/c');
  await group.drop();
  t.ok(existsSync(`${mount}/parent/c`), 'who was limited is not dropped');
});

test('what nobody limits goes again', async (t) => {
  const mount = t.testdir();
  const group = beginGroup(setUp(mount), '/parent/c');
  await group.drop();
  await group.drop();
  t.notOk(existsSync(`${mount}/parent/c`));
});

test('without limits there is no group', async (t) => {
  const mount = t.testdir();
  const group = beginGroup(setUp(mount), '/parent/c');
  await t.rejects(group.limit(Promise.reject(new Error('no such device'))), /no such device/);
  t.notOk(existsSync(`${mount}/parent/c`));
});
