import { test } from 'tap';
import { invalidParameter } from '../../../api-spec/errors.js';
import { scopeProperties } from '../../../daemon/runtime/cgroup/scope.js';
import { groupPlaces } from '../../../daemon/runtime/group-places.js';
import { parseScope, scopeAt } from '../../../daemon/runtime/cgroup/scope-name.js';

test('a scope is named slice:prefix:name, and its group is below its slices', (t) => {
  t.same(parseScope('a-b.slice:run:x'), {
    unit: 'run-x.scope', slice: 'a-b.slice', path: '/a.slice/a-b.slice/run-x.scope',
  });
  t.same(parseScope('::x')?.path, '/system.slice/x.scope');
  t.same(parseScope('-.slice::x')?.path, '/x.scope');
  for (const text of ['/x', 'a.slice:x', 'a:b:c', 'a.slice:b:', 'a.slice:b:c:d', 'a--b.slice::x',
    '../x.slice::y', 'a.slice::../y', 'a.slice::x y']) {
    t.equal(parseScope(text), undefined, text);
  }
  for (const text of ['a-b.slice:run:x', '-.slice::x']) {
    const scope = parseScope(text);
    t.same(scopeAt(scope?.path ?? ''), scope, 'a path says which');
  }
  t.end();
});

test('limits are told in the words of systemd', (t) => {
  const told = scopeProperties({
    devices: [], memory: { limit: 100, swap: 300 }, pids: { limit: -1 },
    cpu: { shares: 1024, quota: 25_000, period: 50_000, cpus: '0,9' },
  });
  const infinity = 2n ** 64n - 1n;
  t.same(Object.fromEntries(told.map(({ name, value }) => [name, value])), {
    MemoryMax: 100n, MemorySwapMax: 200n, CPUWeight: 100n, CPUQuotaPeriodUSec: 50_000n,
    CPUQuotaPerSecUSec: 500_000n, AllowedCPUs: Buffer.from([1, 2, 0, 0, 0, 0, 0, 0]),
    TasksMax: infinity,
  });
  t.same(scopeProperties({ devices: [] }), [], 'what is not limited is not told');
  const unlimited = scopeProperties({ devices: [], cpu: { quota: -1 } });
  t.match(unlimited, [{ name: 'CPUQuotaPerSecUSec', value: infinity }]);
  t.end();
});

test('a daemon has a group or a slice of its own, and containers may name another', (t) => {
  const at = (driver: 'cgroupfs' | 'systemd', CgroupParent = ''): string =>
    groupPlaces(driver, '0123abcd').pathOf({ id: 'x', hostConfig: { CgroupParent } });
  t.equal(at('cgroupfs'), '/tsdocker-0123abcd/x');
  t.equal(at('cgroupfs', 'a/../b'), '/a/b/x');
  t.equal(at('systemd'), '/tsdocker.slice/tsdocker-0123abcd.slice/tsdocker-x.scope');
  t.equal(at('systemd', 'a-b.slice'), '/a.slice/a-b.slice/tsdocker-x.scope');
  for (const driver of ['cgroupfs', 'systemd'] as const) {
    const { parent, nameOf } = groupPlaces(driver, '0123abcd');
    t.equal(`${parent}/${nameOf('x')}`, at(driver), 'which is what it sweeps');
  }
  t.throws(() => at('systemd', '/a'), invalidParameter(
    'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"',
  ));
  t.end();
});
