import * as fs from 'node:fs';
import { globalFlags, parseFlags, splitCommandLine, type Given } from './arguments.js';
import { commands, type Command } from './commands.js';
import { SPEC_VERSION } from './features.js';
import { notSupported, OciError } from './oci-error.js';
import { report, type LogTarget } from './report.js';

const DEFAULT_ROOT = '/run/tsdocker-runtime';

const print = (text: string): void => void fs.writeSync(1, text);

/** Carries a command line out; the exit status. Errors go to stderr and `--log`. */
export async function runProgram(args: readonly string[], version: string): Promise<number> {
  let target: LogTarget = { format: 'text', debug: false };
  try {
    const line = splitCommandLine(args);
    target = logTarget(line.global);
    if (line.global.truth('version')) return tell(versionText(version));
    if (line.command === undefined || line.command === 'help' || line.global.truth('help')) {
      return tell(helpText());
    }
    refuse(line.global);
    return await runCommand(line.command, line.rest, line.global, target);
  } catch (error) {
    const known = error instanceof OciError || (error instanceof Error && !target.debug);
    report(target, 'error', known ? error.message : stackOf(error));
    return 1;
  }
}

async function runCommand(
  name: string,
  args: readonly string[],
  global: Given,
  target: LogTarget,
): Promise<number> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw new OciError(`unknown command ${name}: see --help`);
  if (args.includes('--help') || args.includes('-h')) return tell(commandHelp(name, command));
  // What cannot be done yet says so, whatever flags it is given.
  const isMissing = Object.keys(command.flags).length === 0 && command.count[1] === Infinity;
  const given = parseFlags(command.flags, isMissing ? [] : args);
  const [least, most] = command.count;
  if (given.words.length < least || given.words.length > most) {
    throw new OciError(`usage: tsdocker-runtime ${name} ${command.words}`.trim());
  }
  report(target, 'debug', `${name} ${args.join(' ')}`);
  return command.act(given, {
    root: global.text('root') ?? DEFAULT_ROOT,
    print,
    warn: (message) => report(target, 'warning', message),
  });
}

function logTarget(global: Given): LogTarget {
  const format = global.text('log-format') ?? 'text';
  if (format !== 'text' && format !== 'json') throw new OciError(`unknown log format ${format}`);
  const path = global.text('log');
  return {
    format, debug: global.truth('debug'), ...(path === undefined || path === '' ? {} : { path }),
  };
}

function refuse(global: Given): void {
  const driver = global.text('cgroup-manager') ?? 'cgroupfs';
  if (global.truth('systemd-cgroup') || driver === 'systemd') {
    throw notSupported('the systemd cgroup driver; use --cgroup-manager cgroupfs');
  }
  if (driver !== 'cgroupfs') throw new OciError(`unknown cgroup manager ${driver}`);
}

function tell(text: string): number {
  print(text);
  return 0;
}

const versionText = (version: string): string =>
  `tsdocker-runtime version ${version}\nspec: ${SPEC_VERSION}\n`;

function flagText(flags: Command['flags']): string {
  const rows = Object.entries(flags).map(([name, { type, short }]) => {
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
