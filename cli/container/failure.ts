import { CommandError, ExitStatus, messageOf, PlainError, UsageError } from '../errors.js';
import { programName } from '../usage.js';

const notFound = /executable file not found|no such file or directory|system cannot find the file/;
const notExecutable = /permission denied|is a directory|not executable|exec format error/;

/** 127 for a command that is not there, 126 for one that may not be run, else 125. */
export function startStatus(reason: string): number {
  if (notFound.test(reason)) return 127;
  return notExecutable.test(reason) ? 126 : 125;
}

/** Runs `create`, `run` or `exec` and gives what it throws their prefix, hint and exit status. */
export async function withStartStatus(verb: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (problem) {
    const isSaid = problem instanceof ExitStatus || problem instanceof PlainError;
    if (isSaid || problem instanceof UsageError) throw problem;
    const reason = messageOf(problem);
    const hint = `Run '${programName} ${verb} --help' for more information`;
    const text = `${programName}: ${reason}\n\n${hint}`;
    const known = problem instanceof CommandError && problem.exitStatus > 1;
    throw new CommandError(
      text,
      known ? problem.exitStatus : startStatus(reason),
      { cause: problem },
    );
  }
}
