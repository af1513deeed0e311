/**
 * Checks of the docker command line as a table: a check is a sentence and the command lines that
 * show it, each with what it must print.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine, Test } from './compat.js';
import { onBothEngines } from './compat.js';
import type { CommandResult } from './docker-cli.js';
import { docker, dockerProgram } from './docker-cli.js';

/** Exact standard output without the last newline, or a pattern of it; or how it fails. */
export type Expected = string | RegExp | Failure;

/** How a command line ends otherwise than with 0. */
export interface Failure {
  readonly code: number;
  readonly out?: string | RegExp;
  readonly err?: string | RegExp;
}

/**
 * A command line without `docker`, what it prints, and its standard input. Words are separated by
 * blanks unless in single quotes; `@x` is a name of this check's own, `IMG` the demo image.
 * `& ` in front runs it beside the following ones, `~ ` repeats it until it prints what it should.
 */
export type Step = readonly [line: string, expected?: Expected, input?: string | Buffer];

/** Checks by what they say. */
export type Checks = Readonly<Record<string, readonly Step[]>>;

const patienceMs = 15_000;
const pauseMs = 100;

/** A step that fails with this status and these words on standard error. */
export function fails(code: number, err?: string | RegExp, out?: string | RegExp): Failure {
  return { code, ...(err === undefined ? {} : { err }), ...(out === undefined ? {} : { out }) };
}

/** One pattern out of pieces, for those that are longer than a line. */
export function joined(...pieces: readonly RegExp[]): RegExp {
  return new RegExp(pieces.map(({ source }) => source).join(''));
}

function words(line: string): readonly string[] {
  return [...line.matchAll(/(?:'[^']*'|[^' ])+/g)].map(([word]) => word.replaceAll("'", ''));
}

function naming(engine: Engine): (text: string) => string {
  return (text) =>
    text.replace(/@([a-z]\w*)?/g, `${engine.tag}-$1`).replace(/\bIMG\b/g, engine.image);
}

function problem(result: CommandResult, expected: Expected, name: (text: string) => string) {
  const failure = typeof expected === 'object' && 'code' in expected;
  const { code, out, err } = failure ? expected : { code: 0, out: expected, err: undefined };
  const isAs = (text: string, wanted: string | RegExp | undefined): boolean => {
    if (wanted === undefined) return true;
    if (typeof wanted === 'string') return text.trimEnd() === name(wanted);
    return new RegExp(name(wanted.source), wanted.flags).test(text.trimEnd());
  };
  if (result.code !== code) return `status ${String(result.code)} is not ${code}`;
  if (!isAs(result.stdout, out)) return `standard output is not ${String(out)}`;
  if (!isAs(result.stderr, err)) return `standard error is not ${String(err)}`;
  return undefined;
}

async function take(t: Test, engine: Engine, [line, expected = /(?:)/, input]: Step) {
  const name = naming(engine);
  const isRepeated = line.startsWith('~ ');
  const args = words(line.replace(/^[~&] /, '')).map(name);
  const options = input === undefined ? {} : { input };
  const endMs = Date.now() + patienceMs;
  for (;;) {
    const result = await docker(engine.host, args, options);
    const wrong = problem(result, expected, name);
    if (wrong === undefined || !isRepeated || Date.now() > endMs) {
      const told = `${wrong ?? ''}\n${result.stdout}\n${result.stderr}`;
      t.equal(wrong, undefined, `docker ${line}${wrong === undefined ? '' : `: ${told}`}`);
      return;
    }
    await sleep(pauseMs);
  }
}

/** Takes the steps in turn; those with `& ` are waited for at the end. */
export async function walk(t: Test, engine: Engine, steps: readonly Step[]): Promise<void> {
  const beside: Promise<void>[] = [];
  for (const step of steps) {
    if (step[0].startsWith('& ')) beside.push(take(t, engine, step));
    else await take(t, engine, step);
  }
  await Promise.all(beside);
}

/** A check that no table can hold. */
export type Special = (t: Test, engine: Engine) => Promise<void>;

/** A suite of checks on both engines; those under `pending` wait for the work that it names. */
export function cliChecks(
  checks: Checks,
  more: {
    readonly special?: Readonly<Record<string, Special>>;
    readonly pending?: Readonly<Record<string, Checks>>;
  } = {},
): void {
  const skip = dockerProgram() === undefined ? 'there is no docker client: .ci/setup tests' : false;
  onBothEngines('docker', skip, async (_t, engine) => {
    for (const [says, steps] of Object.entries(checks))
      await engine.check(says, (t) => walk(t, engine, steps));
    for (const [says, run] of Object.entries(more.special ?? {}))
      await engine.check(says, (t) => run(t, engine));
    for (const [pending, later] of Object.entries(more.pending ?? {}))
      for (const [says, steps] of Object.entries(later))
        await engine.check(says, (t) => walk(t, engine, steps), { pending });
  });
}
