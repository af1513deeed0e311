import type { Call, Command } from '../command.js';
import { registryAuthHeader } from '../engine/credentials.js';
import { CommandError } from '../errors.js';
import { flag } from '../flags.js';
import { familiarName, fullName, parseImageName } from '../reference.js';
import { showProgress } from '../terminal/progress.js';
import { consoleSize } from '../terminal/terminal.js';

/** `push`: sends an image, or all tags of a repository. */
export const pushCommand: Command = {
  use: 'push [OPTIONS] NAME[:TAG]',
  about: 'Send an image to a registry',
  flags: [
    flag('switch', 'all-tags', 'All tags of the repository', { short: 'a' }),
    flag('switch', 'disable-content-trust', 'Accepted for compatibility', { hidden: true }),
    flag('text', 'platform', 'Platform of the image'),
    flag('switch', 'quiet', 'Only the name at the end', { short: 'q' }),
  ],
  operands: [1, 1],
  run: push,
};

async function push(call: Call): Promise<void> {
  const { flags, operands, print } = call;
  const [given = ''] = operands;
  const name = parseImageName(given);
  const allTags = flags.switch('all-tags');
  if (allTags && name.tag !== undefined) {
    throw new CommandError("tag can't be used with --all-tags/-a");
  }
  const isQuiet = flags.switch('quiet');
  if (!allTags && name.tag === undefined && !isQuiet) print('Using default tag: latest\n');
  await send(call, given, allTags ? undefined : (name.tag ?? 'latest'));
  if (isQuiet) print(`${allTags ? familiarName(name) : fullName(name)}\n`);
}

async function send(
  { engine, flags, configFolder, print }: Call,
  given: string,
  tag: string | undefined,
): Promise<void> {
  const repository = encodeURIComponent(familiarName(parseImageName(given)));
  const credentials = await registryAuthHeader(given, configFolder);
  const answer = await engine.open('POST', `/images/${repository}/push`, {
    query: { tag, platform: flags.text('platform') || undefined },
    // Docker's own engine refuses a push without the header, even an empty one.
    headers: { 'X-Registry-Auth': Buffer.from('{}').toString('base64url'), ...credentials },
  });
  const isTerminal = process.stdout.isTTY;
  await showProgress(answer, {
    write: flags.switch('quiet') ? (): void => undefined : print,
    isTerminal,
    columns: isTerminal ? (consoleSize()?.[1] ?? 0) : 0,
  });
}
