import { test } from 'tap';
import { TapTally } from '../../support/tap-tally.js';

function tallied(tap: string, death?: string) {
  const printed: string[] = [];
  const tally = new TapTally((line) => printed.push(line));
  const stream = tally.begin('suite');
  // In pieces, as a pipe gives them.
  for (let at = 0; at < tap.length; at += 7) stream.write(tap.slice(at, at + 7));
  stream.end(death);
  return { tally, printed };
}

const nested = `TAP version 14
# Subtest: outer
    ok 1 - should be equal
    # Subtest: one
        not ok 1 - numbers
          ---
          diff: |
            -2
          ...
        1..1
    not ok 2 - one # time=1ms
      ---
      at: x
      ...
    # Subtest: two
        ok 1 - fine
        1..1
    ok 3 - two # time=1ms
    1..3
not ok 1 - outer # time=2ms
# Subtest: flat
    ok 1 - should be equal
    1..1
ok 2 - flat # time=0.5ms
ok 3 - never # SKIP no reason
# Subtest: inside
    ok 1 - no kernel # SKIP
    1..1
ok 4 - inside # time=1ms
1..4
`;

test('innermost tests are counted, assertions are not', async (t) => {
  const { tally } = tallied(nested, 'ended with status 1');
  t.equal(tally.passed, 2);
  t.equal(tally.failed, 1);
  t.same(tally.skipped.length, 2);
});

test('a failure is told with its path and its reason', async (t) => {
  const { printed } = tallied(nested, 'ended with status 1');
  t.match(printed.join('\n'), /not ok - suite > outer > one > numbers\n.*---\n.*diff/s);
  t.notMatch(printed.join('\n'), /at: x[\s\S]*at: x/);
});

test('a test that fails beside inner tests that pass counts', async (t) => {
  const { tally } = tallied(`# Subtest: a
    # Subtest: b
        ok 1 - x
        1..1
    ok 1 - b # time=1ms
    not ok 2 - own
    1..2
not ok 1 - a # time=1ms
1..1
`, 'ended with status 1');
  t.equal(tally.failed, 1);
  t.equal(tally.passed, 1);
});

test('a process that dies in the middle counts as a failure', async (t) => {
  const { tally, printed } = tallied('# Subtest: endless\n    ok 1 - x\n', 'ended with SIGTERM');
  t.equal(tally.failed, 1);
  t.match(printed, ['not ok - suite: ended with SIGTERM in endless']);
});

test('a process that fails after its tests counts as a failure', async (t) => {
  const { tally } = tallied('ok 1 - fine\n1..1\n', 'ended with status 1');
  t.same([tally.passed, tally.failed], [1, 1]);
});

test('a failure that is excused by a skip is told among the skips only', async (t) => {
  const { tally, printed } = tallied(
    '# Subtest: a\n    not ok 1 - known # SKIP the kernel cannot\n    1..1\nok 1 - a\n1..1\n',
  );
  t.equal(tally.failed, 0);
  t.same(printed, []);
  t.match(tally.skipped, [/the kernel cannot/]);
});
