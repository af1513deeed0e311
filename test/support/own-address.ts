/** An address of the test's own on lo, which no rule takes for loopback. Needs root. */
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The part of tap's test that is needed here. */
interface Test {
  teardown(run: () => unknown): void;
}

/** At random from 10.128.0.0/9; it goes with the test. */
export async function ownAddress(t: Test): Promise<string> {
  const address = `10.${128 + randomInt(128)}.${randomInt(256)}.${1 + randomInt(254)}`;
  await run('ip', ['address', 'add', `${address}/32`, 'dev', 'lo']);
  t.teardown(() => run('ip', ['address', 'del', `${address}/32`, 'dev', 'lo']));
  return address;
}
