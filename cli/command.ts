import type { Engine } from './engine/engine.js';
import type { Flag, GivenFlags } from './flags.js';

/** One thing that the program can do. */
export interface Command {
  /** As after the program's name: `run [OPTIONS] IMAGE [COMMAND] [ARG...]`. */
  readonly use: string;
  readonly about: string;
  readonly flags: readonly Flag[];
  /** How many operands it takes, at least and at most. */
  readonly operands: readonly [number, number];
  /** False: flags end at the first operand. */
  readonly interspersed?: boolean;
  /** The exit status when it throws anything; `run` and `exec` know more exact ones. */
  readonly run: (call: Call) => Promise<void>;
}

/** One call of a command. */
export interface Call {
  readonly flags: GivenFlags;
  readonly operands: readonly string[];
  readonly engine: Engine;
  /** The folder of config.json. */
  readonly configFolder: string;
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
}

/** No bound on the number of operands. */
export const anyNumber = Number.POSITIVE_INFINITY;

/**
 * Does one thing for each operand and prints what it answers; goes on after a failure, so that
 * the others are done, and fails at the end with all that went wrong.
 */
export async function forEachOperand(
  call: Call,
  act: (operand: string) => Promise<string | undefined>,
): Promise<void> {
  const { CommandError, messageOf } = await import('./errors.js');
  const problems: string[] = [];
  for (const operand of call.operands) {
    try {
      const answer = await act(operand);
      if (answer !== undefined) call.print(`${answer}\n`);
    } catch (problem) {
      problems.push(messageOf(problem));
    }
  }
  if (problems.length > 0) throw new CommandError(problems.join('\n'));
}
