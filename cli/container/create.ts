import { anyNumber, type Command } from '../command.js';
import { containerFlags } from '../create-options/flags.js';
import { planContainer } from '../create-options/plan.js';
import { CommandError, messageOf } from '../errors.js';
import { consoleSize } from '../terminal/terminal.js';
import { makeContainer } from './make.js';

/** `create`: makes a container, prints its id, starts nothing. */
export const createCommand: Command = {
  use: 'create [OPTIONS] IMAGE [COMMAND] [ARG...]',
  about: 'Make a container without starting it',
  flags: containerFlags,
  operands: [1, anyNumber],
  interspersed: false,
  run: async (call) => {
    try {
      const attendance = { isDetached: false, consoleSize: consoleSize() };
      const body = planContainer(call.flags, call.operands, attendance);
      call.print(`${await makeContainer(call, body)}\n`);
    } catch (problem) {
      if (problem instanceof CommandError && problem.exitStatus === 125) throw problem;
      throw new CommandError(messageOf(problem), 1, { cause: problem });
    }
  },
};
