/** The parser of config.json, for its share of the minute that CI fuzzes. */
import { test } from 'tap';
import { fuzzConfig } from '../support/config-fuzz.js';
import { FUZZ_SECONDS } from '../support/fuzz-seconds.js';

test('no change of a configuration makes the parser fail', { timeout: 240_000 }, async (t) => {
  const until = Date.now() + FUZZ_SECONDS * 1000;
  fuzzConfig(t, { start: 0x9e3779b9, goesOn: () => Date.now() < until });
});
