import { createReadStream, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { anyNumber, type Call, type Command } from '../command.js';
import { writeWhole } from '../whole-file.js';
import { CommandError, messageOf } from '../errors.js';
import { flag } from '../flags.js';
import { familiarName, parseImageName } from '../reference.js';
import { showProgress } from '../terminal/progress.js';
import { consoleSize } from '../terminal/terminal.js';
import { platformJson } from './transfer.js';

/** `load`: images from a tar archive of a file or of standard input. */
export const loadCommand: Command = {
  use: 'load [OPTIONS]',
  about: 'Load images from a tar archive',
  flags: [
    flag('text', 'input', 'Read this file instead of standard input', { short: 'i' }),
    flag('list', 'platform', 'Only this platform'),
    flag('switch', 'quiet', 'Do not show progress', { short: 'q' }),
  ],
  operands: [0, 0],
  run: load,
};

async function load({ engine, flags, print }: Call): Promise<void> {
  const path = flags.text('input');
  if (path === '' && process.stdin.isTTY) {
    throw new CommandError('requested load from stdin, but stdin is empty');
  }
  const isTerminal = process.stdout.isTTY;
  const answer = await engine.open('POST', '/images/load', {
    query: {
      quiet: flags.switch('quiet') || !isTerminal ? 1 : 0,
      platform: flags.list('platform').flatMap((text) => platformJson(text) ?? []),
    },
    stream: path === '' ? process.stdin : opened(path),
    contentType: 'application/x-tar',
  });
  await showProgress(answer, { write: print, isTerminal, columns: consoleSize()?.[1] ?? 0 });
}

/** `save`: images as a tar archive, to a file or to standard output. */
export const saveCommand: Command = {
  use: 'save [OPTIONS] IMAGE [IMAGE...]',
  about: 'Write images to a tar archive',
  flags: [
    flag('text', 'output', 'Write to this file instead of standard output', { short: 'o' }),
    flag('list', 'platform', 'Only this platform'),
  ],
  operands: [1, anyNumber],
  run: save,
};

async function save({ engine, flags, operands }: Call): Promise<void> {
  const path = flags.text('output');
  if (path === '' && process.stdout.isTTY) {
    throw new CommandError(
      'cowardly refusing to save to a terminal. Use the -o flag or redirect',
    );
  }
  const answer = await engine.open('GET', '/images/get', {
    query: {
      names: operands,
      platform: flags.list('platform').flatMap((text) => platformJson(text) ?? []),
    },
  });
  if (path === '') await pipeline(answer, process.stdout, { end: false });
  else await writeWhole(path, answer);
}

/** `import`: an image from the tar of a file system, of a file, an address or standard input. */
export const importCommand: Command = {
  use: 'import [OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  about: 'Make an image from a tar of a file system',
  flags: [
    flag('list', 'change', 'Dockerfile instruction for the image', { short: 'c' }),
    flag('text', 'message', 'Message of the image', { short: 'm' }),
    flag('text', 'platform', 'Platform of the image'),
  ],
  operands: [1, 2],
  run: importImage,
};

async function importImage({ engine, flags, operands, print }: Call): Promise<void> {
  const [source = '', target = ''] = operands;
  const name = target === '' ? undefined : parseImageName(target);
  const isAddress = /^(https?|ftp):\/\//.test(source);
  const stream = isAddress ? undefined : source === '-' ? process.stdin : opened(source);
  const answer = await engine.open('POST', '/images/create', {
    query: {
      fromSrc: isAddress ? source : '-',
      repo: name === undefined ? undefined : familiarName(name),
      tag: name?.tag,
      message: flags.text('message') || undefined,
      changes: flags.list('change'),
      platform: flags.text('platform') || undefined,
    },
    ...(stream === undefined ? {} : { stream, contentType: 'application/x-tar' }),
  });
  const isTerminal = process.stdout.isTTY;
  await showProgress(answer, { write: print, isTerminal, columns: consoleSize()?.[1] ?? 0 });
}

/** Fails here, before anything is sent, if the file is not there. */
function opened(path: string): Readable {
  try {
    statSync(path);
    return createReadStream(path);
  } catch (problem) {
    const isMissing = problem instanceof Error && 'code' in problem && problem.code === 'ENOENT';
    const reason = isMissing ? 'no such file or directory' : messageOf(problem);
    throw new CommandError(`open ${path}: ${reason}`, 1, { cause: problem });
  }
}
