import { test } from 'tap';
import { groupFolder } from '../../../../daemon/rootless/group.js';

const unified = '30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate';
const memory = '31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory';

test('the group of a process is a folder below the mount of version 2', (t) => {
  t.equal(groupFolder(unified, '0::/user.slice/a.scope\n'), '/sys/fs/cgroup/user.slice/a.scope');
  t.equal(groupFolder(unified, '0::/\n'), '/sys/fs/cgroup/');
  t.equal(groupFolder(unified, '0::/..a\n'), '/sys/fs/cgroup/..a');
  t.end();
});

test('with version 1, beside version 2 or alone, there is none to be had', (t) => {
  t.equal(groupFolder(`${memory}\n${unified}`, '5:memory:/x\n0::/\n'), undefined);
  t.equal(groupFolder(memory, '5:memory:/x\n'), undefined);
  t.end();
});

test('nor is one outside of the cgroup namespace', (t) => {
  t.equal(groupFolder(unified, '0::/../b\n'), undefined);
  t.equal(groupFolder(unified, '0::/..\n'), undefined);
  t.end();
});
