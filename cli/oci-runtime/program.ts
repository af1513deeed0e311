import * as fs from 'node:fs';
import { firstWord, globalFlags, parseFlags, splitCommandLine, type Given } from './arguments.js';
import { commands, type Command } from './commands.js';
import { SPEC_VERSION } from './features.js';
import { OciError } from './oci-error.js';
import { report, type LogTarget } from './report.js';

const DEFAULT_ROOT = '/run/tsdocker-runtime';

const print = (text: string): void => void fs.writeSync(1, text);

/** What the program is itself. */
export interface Self {
  readonly version: string;
  /** The one file that it was loaded from, if it is one. */
  readonly bundle?: string;
}

/** Carries a command line out; the exit status. Errors go to stderr and `--log`. */
export async function runProgram(args: readonly string[], self: Self): Promise<number> {
  let target: LogTarget = { format: 'text', debug: false };
  try {
    const line = splitCommandLine(args);
    target = logTarget(line.global);
    if (line.global.truth('version')) return tell(versionText(self.version));
    if (line.command === undefined || line.command === 'help' || line.global.truth('help')) {
      return tell(helpText());
    }
    return await runCommand(line.command, line.rest, { global: line.global, target, self });
  } catch (error) {
    const known = error instanceof OciError || (error instanceof Error && !target.debug);
    report(target, 'error', known ? error.message : stackOf(error));
    return 1;
  }
}

interface Setting {
  readonly global: Given;
  readonly target: LogTarget;
  readonly self: Self;
}

async function runCommand(
  name: string,
  args: readonly string[],
  { global, target, self: { bundle } }: Setting,
): Promise<number> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw new OciError(`unknown command ${name}: see --help`);
  const own = command.takesCommand === true ? args.slice(0, firstWord(command.flags, args)) : args;
  if (own.includes('--help') || own.includes('-h')) return tell(commandHelp(name, command));
  const given = parseFlags(
    command.flags, command.takesCommand === true ? withEnd(command, args) : args,
  );
  const [least, most] = command.count;
  if (given.words.length < least || given.words.length > most) {
    throw new OciError(`usage: tsdocker-runtime ${name} ${command.words}`.trim());
  }
  report(target, 'debug', `${name} ${args.join(' ')}`);
  return command.act(given, {
    root: global.text('root') ?? DEFAULT_ROOT,
    systemdCgroup: usesSystemd(global),
    print,
    warn: (message) => report(target, 'warning', message),
    ...(bundle === undefined ? {} : { bundle }),
  });
}

/** What follows the container's id is a command's, dashes and all. */
function withEnd({ flags }: Command, args: readonly string[]): readonly string[] {
  const at = firstWord(flags, args);
  return [...args.slice(0, at), '--', ...args.slice(args[at] === '--' ? at + 1 : at)];
}

function logTarget(global: Given): LogTarget {
  const format = global.text('log-format') ?? 'text';
  if (format !== 'text' && format !== 'json') throw new OciError(`unknown log format ${format}`);
  const path = global.text('log');
  return {
    format, debug: global.truth('debug'), ...(path === undefined || path === '' ? {} : { path }),
  };
}

function usesSystemd(global: Given): boolean {
  const driver = global.text('cgroup-manager') ?? 'cgroupfs';
  if (driver !== 'cgroupfs' && driver !== 'systemd') {
    throw new OciError(`unknown cgroup manager ${driver}`);
  }
  return driver === 'systemd' || global.truth('systemd-cgroup');
}

function tell(text: string): number {
  print(text);
  return 0;
}

const versionText = (version: string): string =>
  `tsdocker-runtime version ${version}\nspec: ${SPEC_VERSION}\n`;

function flagText(flags: Command['flags']): string {
  const shown = Object.entries(flags).filter(([, { hidden }]) => hidden !== true);
  const rows = shown.map(([name, { type, short }]) => {
    const dash = short === undefined ? '    ' : `-${short}, `;
    return `  ${dash}--${name}${type === 'string' ? ' VALUE' : ''}\n`;
  });
  return rows.length === 0 ? '' : `\nFlags:\n${rows.join('')}`;
}

function commandHelp(name: string, { about, words, flags }: Command): string {
  return `tsdocker-runtime ${name} [flags] ${words}\n\n  ${about}\n${flagText(flags)}`;
}

function helpText(): string {
  const rows = Object.entries(commands).map(
    ([name, { about }]) => `  ${name.padEnd(9)} ${about}\n`,
  );
  return (
    'tsdocker-runtime [global flags] command [flags] arguments\n\n' +
    `  Runs containers from OCI bundles.\n\nCommands:\n${rows.join('')}${flagText(globalFlags)}`
  );
}

const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
