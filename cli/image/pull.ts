import type { Call, Command } from '../command.js';
import { fullName } from '../reference.js';
import { fetchImage } from './fetch.js';
import { readTransfer, transferFlags } from './transfer.js';

/** `pull`: fetches an image, or all tags of it. */
export const pullCommand: Command = {
  use: 'pull [OPTIONS] NAME[:TAG|@DIGEST]',
  about: 'Fetch an image from a registry',
  flags: transferFlags,
  operands: [1, 1],
  run: pull,
};

async function pull(call: Call): Promise<void> {
  const { given, name, allTags, isQuiet } = readTransfer(call);
  await fetchImage(call, given, {
    platform: call.flags.text('platform'),
    write: isQuiet ? (): void => undefined : call.print,
    isTerminal: process.stdout.isTTY,
    allTags,
  });
  call.print(`${allTags ? `${name.domain}/${name.path}` : fullName(name)}\n`);
}
