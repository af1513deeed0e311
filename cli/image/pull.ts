import type { Call, Command } from '../command.js';
import { CommandError } from '../errors.js';
import { flag } from '../flags.js';
import { fullName, parseImageName } from '../reference.js';
import { fetchImage } from './fetch.js';

/** `pull`: fetches an image, or all tags of it. */
export const pullCommand: Command = {
  use: 'pull [OPTIONS] NAME[:TAG|@DIGEST]',
  about: 'Fetch an image from a registry',
  flags: [
    flag('switch', 'all-tags', 'All tags of the repository', { short: 'a' }),
    flag('switch', 'disable-content-trust', 'Accepted for compatibility', { hidden: true }),
    flag('text', 'platform', 'Platform of the image'),
    flag('switch', 'quiet', 'Only the name at the end', { short: 'q' }),
  ],
  operands: [1, 1],
  run: pull,
};

async function pull(call: Call): Promise<void> {
  const { flags, operands, print } = call;
  const given = operands[0] ?? '';
  const name = parseImageName(given);
  const allTags = flags.switch('all-tags');
  const isPlain = name.tag === undefined && name.digest === undefined;
  if (allTags && !isPlain) throw new CommandError("tag can't be used with --all-tags/-a");
  const isQuiet = flags.switch('quiet');
  if (isPlain && !allTags && !isQuiet) print('Using default tag: latest\n');
  await fetchImage(call, given, {
    platform: flags.text('platform'),
    write: isQuiet ? (): void => undefined : print,
    isTerminal: process.stdout.isTTY,
    allTags,
  });
  print(`${allTags ? `${name.domain}/${name.path}` : fullName(name)}\n`);
}
