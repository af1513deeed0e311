import type { Command } from './command.js';
import type { CommandTree } from './commands.js';
import type { Flag, FlagKind } from './flags.js';

/** The name by which the program speaks of itself. */
export const programName = 'tsdocker';

const widest = 80;

/** The full `--help` of one command. */
export function commandHelp(path: string, command: Command): string {
  const parts = [`Usage:  ${usageLine(path, command)}`, '', command.about];
  const shown = command.flags.filter((flag) => flag.hidden !== true);
  if (shown.length > 0) parts.push('', 'Options:', ...flagLines(shown));
  return `${parts.join('\n')}\n`;
}

/** `tsdocker container run [OPTIONS] IMAGE …` for the name under which it was called. */
export function usageLine(path: string, command: Command): string {
  const rest = command.use.split(' ').slice(1).join(' ');
  return `${programName} ${path} ${rest}`.trim();
}

/** What a group, or the program itself, can do. */
export function treeHelp(path: string, tree: CommandTree): string {
  const name = path === '' ? programName : `${programName} ${path}`;
  const entries = Object.entries(tree.commands).filter(([, entry]) => entry.about !== '');
  const width = Math.max(...entries.map(([key]) => key.length));
  const lines = entries.map(([key, { about }]) => `  ${key.padEnd(width)}  ${about}`);
  const globals = tree.flags === undefined ? [] : ['', 'Global Options:', ...flagLines(tree.flags)];
  return [
    `Usage:  ${name} ${tree.flags === undefined ? 'COMMAND' : '[OPTIONS] COMMAND'}`,
    '',
    tree.about,
    '',
    'Commands:',
    ...lines,
    ...globals,
    '',
    `Run '${name} COMMAND --help' for more information on a command.`,
    '',
  ].join('\n');
}

const typeWords: Record<FlagKind, string> = {
  switch: '',
  text: 'string',
  list: 'list',
  strings: 'strings',
  integer: 'int',
  decimal: 'decimal',
  size: 'bytes',
  duration: 'duration',
};

function flagLines(flags: readonly Flag[]): readonly string[] {
  const left = flags.map((flag) => {
    const short = flag.short === undefined ? '    ' : `-${flag.short}, `;
    return `  ${short}--${flag.name} ${flag.takes ?? typeWords[flag.kind]}`.trimEnd();
  });
  const column = Math.max(...left.map((text) => text.length)) + 3;
  const order = flags.map((flag, at) => ({ flag, text: left[at] ?? '' }));
  order.sort((a, b) => (a.flag.name < b.flag.name ? -1 : 1));
  return order.map(({ flag, text }) => {
    const standard = flag.otherwise === undefined ? '' : ` (default ${flag.otherwise})`;
    const about = flag.about + standard;
    return text.padEnd(column) + wrap(about, widest - column).join(`\n${' '.repeat(column)}`);
  });
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
