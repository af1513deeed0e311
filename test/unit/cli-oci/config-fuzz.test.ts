/** The same changes each time, and few: integration/config-fuzz has its time for others. */
import { test } from 'tap';
import { fuzzConfig } from '../../support/config-fuzz.js';

const TIMES = 3000;

test('a configuration that was changed anywhere is refused by a path, or taken', async (t) => {
  fuzzConfig(t, { start: 0x2545f491, goesOn: (tried) => tried < TIMES });
});
