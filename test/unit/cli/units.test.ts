import { test } from 'tap';
import { momentParameter } from '../../../cli/engine/moment.js';
import {
  ellipsis,
  humanAge,
  humanBinarySize,
  humanDuration,
  humanSize,
  significant,
} from '../../../cli/units.js';

test('sizes have four significant digits, or as many as asked', async (t) => {
  t.equal(humanSize(0), '0B');
  t.equal(humanSize(999), '999B');
  t.equal(humanSize(1000), '1kB');
  t.equal(humanSize(1_982_361), '1.982MB');
  t.equal(humanSize(1_982_361, 3), '1.98MB');
  t.equal(humanSize(-1), '-1B');
  t.equal(humanBinarySize(25_276_170_240), '23.54GiB');
  t.equal(significant(123_456, 3), '1.23e+05');
});

test('durations are in the words of docker', async (t) => {
  const second = 1000;
  const hour = 3600 * second;
  const cases: readonly (readonly [number, string])[] = [
    [0, 'Less than a second'],
    [second, '1 second'],
    [59 * second, '59 seconds'],
    [60 * second, 'About a minute'],
    [120 * second, '2 minutes'],
    [hour, 'About an hour'],
    [47 * hour, '47 hours'],
    [48 * hour, '2 days'],
    [14 * 24 * hour, '2 weeks'],
    [60 * 24 * hour, '2 months'],
    [730 * 24 * hour, '2 years'],
  ];
  for (const [ms, text] of cases) t.equal(humanDuration(ms), text);
  t.equal(humanAge(0), 'N/A');
  t.equal(humanAge(1000, 6000), '5 seconds ago');
});

test('what is cut ends in an ellipsis', async (t) => {
  t.equal(ellipsis('abcdef', 4), 'abc…');
  t.equal(ellipsis('abcd', 4), 'abcd');
});

test('a moment may be a time, seconds, or a duration before now', async (t) => {
  const nowMs = 1_700_000_000_500;
  t.equal(momentParameter('since', '', nowMs), undefined);
  t.equal(momentParameter('since', '123.5', nowMs), '123.5');
  t.equal(momentParameter('since', '10s', nowMs), '1699999990.500000000');
  t.equal(momentParameter('since', '2023-11-14T22:13:20.25Z', nowMs), '1700000000.250000000');
  t.throws(() => momentParameter('until', 'foo'), {
    message: 'invalid value for "until": failed to parse value as time or duration: "foo"',
  });
});
