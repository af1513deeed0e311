/** What pull and push have in common: flags, the tag that is meant, how progress is shown. */
import type { Call } from '../command.js';
import { CommandError } from '../errors.js';
import { flag, type Flag } from '../flags.js';
import { parseImageName, type ImageName } from '../reference.js';
import { showProgress } from '../terminal/progress.js';
import { consoleSize } from '../terminal/terminal.js';
import type { Readable } from 'node:stream';

/** Of `pull` and `push`. */
export const transferFlags: readonly Flag[] = [
  flag('switch', 'all-tags', 'All tags of the repository', { short: 'a' }),
  flag('switch', 'disable-content-trust', 'Accepted for compatibility', { hidden: true }),
  flag('text', 'platform', 'Platform of the image'),
  flag('switch', 'quiet', 'Only the name at the end', { short: 'q' }),
];

/** What is to be transferred. */
export interface Transfer {
  /** As the user wrote it. */
  readonly given: string;
  readonly name: ImageName;
  readonly allTags: boolean;
  readonly isQuiet: boolean;
}

/** Reads operand and flags; says which tag is meant where none is given. Throws CommandError. */
export function readTransfer({ flags, operands, print }: Call): Transfer {
  const [given = ''] = operands;
  const name = parseImageName(given);
  const allTags = flags.switch('all-tags');
  const isQuiet = flags.switch('quiet');
  const isBare = name.tag === undefined && name.digest === undefined;
  if (allTags && !isBare) throw new CommandError("tag can't be used with --all-tags/-a");
  if (isBare && !allTags && !isQuiet) print('Using default tag: latest\n');
  return { given, name, allTags, isQuiet };
}

/** Shows the engine's progress, with bars on a terminal; nothing when it is to be quiet. */
export async function showTransfer(
  answer: Readable,
  { print, isQuiet }: { readonly print: (text: string) => void; readonly isQuiet: boolean },
): Promise<void> {
  const isTerminal = process.stdout.isTTY;
  await showProgress(answer, {
    write: isQuiet ? (): void => undefined : print,
    isTerminal,
    columns: isTerminal ? (consoleSize()?.[1] ?? 0) : 0,
  });
}

/** `os[/arch[/variant]]` as the API wants it; undefined for none. */
export function platformJson(text: string): string | undefined {
  if (text === '') return undefined;
  const [os = '', architecture, variant] = text.split('/');
  return JSON.stringify(
    architecture === undefined && !['linux', 'windows'].includes(os)
      ? { os: 'linux', architecture: os }
      : { os, architecture, variant },
  );
}
