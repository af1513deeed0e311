/** Starting shims: they end by themselves here, for their first fd is no launching connection. */
import { closeSync, openSync } from 'node:fs';
import { test } from 'tap';
import { reaped } from '../../../native/shim/reaping.js';
import { closeFds, socketPair, spawnFailure, spawnShim } from '../../../native/spawn.js';

test('a shim is executed without a wait for it, and ends with its connection', async (t) => {
  const [ours, theirs] = socketPair();
  const pid = await spawnShim([theirs], 'one');
  closeSync(theirs);
  closeFds([ours]);
  await reaped(pid);
  t.equal(spawnFailure(pid), undefined);
});

test('more start at once than there is room for: the rest is waited for', async (t) => {
  const pairs = Array.from({ length: 60 }, () => socketPair());
  const pids = await Promise.all(pairs.map(([, theirs], at) => spawnShim([theirs], `n${at}`)));
  t.equal(new Set(pids).size, pairs.length);
  for (const [ours, theirs] of pairs) closeFds([ours, theirs]);
  await Promise.all(pids.map(reaped));
});

test('more fds than a start without a wait can pass', async (t) => {
  const [ours, theirs] = socketPair();
  const more = Array.from({ length: 100 }, () => openSync('/dev/null', 'r'));
  const pid = await spawnShim([theirs, ...more], 'many');
  closeFds([ours, theirs, ...more]);
  await reaped(pid);
  t.equal(spawnFailure(pid), undefined);
});

test('why a shim was never executed is told when it has ended', async (t) => {
  const nobodys = 60_000;
  const pid = await spawnShim([nobodys], 'none');
  await reaped(pid);
  t.match(spawnFailure(pid), { code: 'EBADF', syscall: 'execveat' });
});
