import { anyNumber, type Command } from './command.js';
import { program, type CommandTree } from './commands.js';
import { configFolder, resolveEndpoint } from './engine/endpoint.js';
import { CommandError, ExitStatus, messageOf, UsageError } from './errors.js';
import { GivenFlags, parseLine } from './flags.js';
import { commandHelp, programName, treeHelp, usageLine } from './usage.js';
import { clientVersion } from './version.js';

/** Where the program writes. */
export interface Outputs {
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
}

/** The status when the command line itself is wrong. */
const usageStatus = 125;

/** Runs one command line and tells the exit status; never throws. */
export async function runProgram(words: readonly string[], outputs: Outputs): Promise<number> {
  let globals = new GivenFlags([]);
  try {
    const line = parseLine({ flags: program.flags ?? [], interspersed: false }, words);
    globals = line.flags;
    if (globals.switch('version')) {
      outputs.print(`tsdocker version ${clientVersion}\n`);
      return 0;
    }
    return await descend(
      { tree: program, path: [], words: line.operands, globals, outputs },
      line.wantsHelp,
    );
  } catch (problem) {
    if (problem instanceof UsageError) {
      outputs.complain(`${problem.message}\nSee '${programName} --help'.\n`);
      return usageStatus;
    }
    return report(problem, { outputs, isDebugging: globals.switch('debug') });
  }
}

interface Descent {
  readonly tree: CommandTree;
  readonly path: readonly string[];
  readonly words: readonly string[];
  readonly globals: GivenFlags;
  readonly outputs: Outputs;
}

async function descend(descent: Descent, wantsHelp: boolean): Promise<number> {
  const { tree, path, words, outputs } = descent;
  const [name, ...rest] = words;
  if (name === 'help' && rest.length > 0) {
    return descend({ ...descent, words: [...rest, '--help'] }, false);
  }
  if (name === undefined || wantsHelp || name === '--help' || name === 'help') {
    outputs.print(treeHelp(path.join(' '), tree));
    return 0;
  }
  const entry = Object.hasOwn(tree.commands, name) ? tree.commands[name] : undefined;
  if (entry === undefined) return complainUnknown(descent, name);
  const deeper = { ...descent, path: [...path, name], words: rest };
  if ('commands' in entry) return descend({ ...deeper, tree: entry }, false);
  return perform(await entry.load(), deeper);
}

function complainUnknown({ path, outputs }: Descent, name: string): number {
  const parent = [programName, ...path].join(' ');
  const advice = `Run '${parent} --help' for more information\n`;
  outputs.complain(`${programName}: unknown command: ${parent} ${name}\n\n${advice}`);
  return 1;
}

async function perform(
  command: Command,
  { path, words, globals, outputs }: Descent,
): Promise<number> {
  const shown = path.join(' ');
  try {
    const grammar = { flags: command.flags, interspersed: command.interspersed ?? true };
    const line = parseLine(grammar, words);
    if (line.wantsHelp) {
      outputs.print(commandHelp(shown, command));
      return 0;
    }
    const complaint = countComplaint(shown, command, line.operands.length);
    if (complaint !== undefined) {
      const advice = complaint.includes('at least') ? hint(shown).replace('Run', 'See') : hint(
        shown,
      );
      outputs.complain(
        `${programName}: ${complaint}\n\nUsage:  ${usageLine(shown, command)}\n\n${advice}`,
      );
      return 1;
    }
    const { connectEngine } = await import('./engine/connect.js');
    const engine = await connectEngine(resolveEndpoint(choiceOf(globals)));
    const folder = globals.text('config') || configFolder();
    const { flags, operands } = line;
    await command.run({ flags, operands, engine, configFolder: folder, ...outputs });
    return 0;
  } catch (problem) {
    if (!(problem instanceof UsageError)) {
      return report(problem, { outputs, isDebugging: globals.switch('debug') });
    }
    outputs.complain(
      `${problem.message}\n\nUsage:  ${usageLine(shown, command)}\n\n${hint(shown)}`,
    );
    return usageStatus;
  }
}

function hint(path: string): string {
  return `Run '${programName} ${path} --help' for more information\n`;
}

interface Reporting {
  readonly outputs: Outputs;
  readonly isDebugging: boolean;
}

function report(problem: unknown, { outputs, isDebugging }: Reporting): number {
  const status = problem instanceof CommandError ? problem.exitStatus : 1;
  if (!(problem instanceof ExitStatus)) outputs.complain(`${messageOf(problem)}\n`);
  if (isDebugging && problem instanceof Error) outputs.complain(`${problem.stack ?? ''}\n`);
  return status;
}

function countComplaint(path: string, command: Command, count: number): string | undefined {
  const [least, most] = command.operands;
  const name = `'${programName} ${path}'`;
  if (count >= least && count <= most) return undefined;
  if (most === 0) return `${name} accepts no arguments`;
  if (least === most) return `${name} requires ${least} ${argument(least)}`;
  if (most === anyNumber) return `${name} requires at least ${least} ${argument(least)}`;
  return least === 0
    ? `${name} requires at most ${most} ${argument(most)}`
    : `${name} requires at least ${least} and at most ${most} ${argument(most)}`;
}

function argument(count: number): string {
  return count === 1 ? 'argument' : 'arguments';
}

function choiceOf(flags: GivenFlags): Parameters<typeof resolveEndpoint>[0] {
  const hosts = flags.list('host');
  if (hosts.length > 1) throw new CommandError('Specify only one -H');
  const context = flags.text('context');
  if (context !== '' && context !== 'default') {
    throw new CommandError(`context "${context}": context not found: only "default" exists`);
  }
  const given = (name: string): string | undefined => flags.text(name) || undefined;
  return {
    host: hosts[0],
    tls: flags.switch('tls'),
    tlsVerify: flags.switch('tlsverify'),
    caFile: given('tlscacert'),
    certFile: given('tlscert'),
    keyFile: given('tlskey'),
  };
}

