/** Of each of the two fuzzers, the config parser's and the launch message's: a minute together. */
export const FUZZ_SECONDS = 30;
