import { execFile } from 'node:child_process';
import { CommandError } from '../errors.js';

const helperTimeoutMs = 30_000;

/**
 * Runs `docker-credential-NAME VERB` with `input`; undefined when it knows no such credentials.
 * Throws CommandError.
 */
export function callHelper(
  name: string,
  verb: 'get' | 'store' | 'erase',
  input: string,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const program = `docker-credential-${name}`;
    const child = execFile(program, [verb], { timeout: helperTimeoutMs }, (problem, stdout) => {
      if (problem === null) resolve(stdout);
      else if (/credentials not found/i.test(stdout)) resolve(undefined);
      else reject(new CommandError(`${program}: ${problem.message}`, 1, { cause: problem }));
    });
    // A helper that is not there has closed its input already; the callback says so.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
