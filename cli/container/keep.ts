import { pipeline } from 'node:stream/promises';
import type { IDResponse } from '../../api-spec/container-verbs.js';
import type { Call, Command } from '../command.js';
import { CommandError } from '../errors.js';
import { flag } from '../flags.js';
import { familiarName, parseImageName } from '../reference.js';
import { writeWhole } from '../whole-file.js';

/** `export`: the files of a container as a tar. */
export const exportCommand: Command = {
  use: 'export [OPTIONS] CONTAINER',
  about: "Write a container's files to a tar archive",
  flags: [flag('text', 'output', 'Write to this file instead of standard output', { short: 'o' })],
  operands: [1, 1],
  run: exportContainer,
};

async function exportContainer({ engine, flags, operands }: Call): Promise<void> {
  const [container = ''] = operands;
  const path = flags.text('output');
  if (path === '' && process.stdout.isTTY) {
    throw new CommandError(
      'cowardly refusing to save to a terminal. Use the -o flag or redirect',
    );
  }
  const answer = await engine.open('GET', `/containers/${encodeURIComponent(container)}/export`);
  if (path === '') await pipeline(answer, process.stdout, { end: false });
  else await writeWhole(path, answer);
}

/** `commit`: an image of a container's changes. */
export const commitCommand: Command = {
  use: 'commit [OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
  about: "Make an image of a container's changes",
  flags: [
    flag('text', 'author', 'Who made it', { short: 'a' }),
    flag('list', 'change', 'Dockerfile instruction for the image', { short: 'c' }),
    flag('text', 'message', 'Message of the commit', { short: 'm' }),
    flag('switch', 'pause', 'Freeze the container meanwhile', { short: 'p', otherwise: 'true' }),
  ],
  operands: [1, 2],
  run: commit,
};

async function commit({ engine, flags, operands, print }: Call): Promise<void> {
  const [container = '', target = ''] = operands;
  const name = target === '' ? undefined : parseImageName(target);
  const made = await engine.json<IDResponse>('POST', '/commit', {
    query: {
      container,
      repo: name === undefined ? undefined : familiarName(name),
      tag: name?.tag,
      comment: flags.text('message') || undefined,
      author: flags.text('author') || undefined,
      changes: flags.list('change'),
      pause: flags.switch('pause') ? undefined : 0,
    },
    body: {},
  });
  print(`${made.Id}\n`);
}
