import type { Call, Command } from '../command.js';
import { registryAuthHeader } from '../engine/credentials.js';
import { familiarName, fullName } from '../reference.js';
import { platformJson, readTransfer, showTransfer, transferFlags } from './transfer.js';

/** `push`: sends an image, or all tags of a repository. */
export const pushCommand: Command = {
  use: 'push [OPTIONS] NAME[:TAG]',
  about: 'Send an image to a registry',
  flags: transferFlags,
  operands: [1, 1],
  run: push,
};

async function push(call: Call): Promise<void> {
  const { engine, flags, configFolder, print } = call;
  const { given, name, allTags, isQuiet } = readTransfer(call);
  const tag = allTags ? undefined : (name.tag ?? 'latest');
  const platform = platformJson(flags.text('platform'));
  const credentials = await registryAuthHeader(given, configFolder);
  const path = `/images/${encodeURIComponent(familiarName(name))}/push`;
  const answer = await engine.open('POST', path, {
    query: { tag, platform },
    // Docker's own engine refuses a push without the header, even an empty one.
    headers: { 'X-Registry-Auth': Buffer.from('{}').toString('base64url'), ...credentials },
  });
  await showTransfer(answer, { print, isQuiet });
  if (isQuiet) print(`${allTags ? familiarName(name) : fullName(name)}\n`);
}
