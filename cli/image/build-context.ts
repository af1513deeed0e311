/** What `build` sends: a folder as a tar, or what came on standard input. */
import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';
import { CommandError } from '../errors.js';

/** A context, ready to be sent. */
export interface SentContext {
  /** Undefined where the engine fetches it. */
  readonly stream?: Readable;
  /** A URL for the engine. */
  readonly remote?: string;
  /** The Dockerfile's name in it. */
  readonly dockerfile: string;
}

/** A name that no file of the user's has. */
const foreignName = '.dockerfile.tsdocker';
const headerBytes = 512;

/** From the operand and `-f`; files that `.dockerignore` names are left out by the engine. */
export async function openContext(operand: string, file: string): Promise<SentContext> {
  if (operand === '-') return fromInput(file);
  if (/^(https?:\/\/|git:\/\/|git@|ssh:\/\/|github\.com\/)/.test(operand)) {
    return { remote: operand, dockerfile: file };
  }
  const folder = resolve(operand);
  if (!(await lstat(folder).catch(() => undefined))?.isDirectory()) {
    throw new CommandError(`unable to prepare context: path "${operand}" not found`);
  }
  const { dockerfile, foreign } = await dockerfileOf(folder, file);
  const tar = pack();
  sendFolder(tar, folder, foreign).catch((error: unknown) => {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  return { stream: Readable.from(tar, { objectMode: false }), dockerfile };
}

/** A Dockerfile from elsewhere comes along under another name. */
async function dockerfileOf(folder: string, file: string) {
  if (file === '') return { dockerfile: '', foreign: undefined };
  if (file === '-') return { dockerfile: foreignName, foreign: await wholeInput() };
  const inside = relative(folder, resolve(file));
  if (!inside.startsWith('..') && !isAbsolute(inside)) {
    return { dockerfile: inside, foreign: undefined };
  }
  return { dockerfile: foreignName, foreign: await readFile(file) };
}

async function wholeInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  // No encoding is set: chunks are bytes.
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** An archive is the context; anything else is a Dockerfile without one. */
async function fromInput(file: string): Promise<SentContext> {
  const input = process.stdin[Symbol.asyncIterator]();
  let first = Buffer.alloc(0);
  let ended = false;
  while (first.length < headerBytes && !ended) {
    const next = await input.next();
    ended = next.done === true;
    if (!ended) first = Buffer.concat([first, next.value as Buffer]);
  }
  const isArchive =
    first.toString('latin1', 257, 262) === 'ustar' ||
    [0x1f8b, 0x425a, 0xfd37, 0x28b5].includes(first.length < 2 ? 0 : first.readUInt16BE(0));
  if (isArchive) return { stream: rejoined(first, input), dockerfile: file };
  const rest: Buffer[] = [first];
  for (let next = await input.next(); next.done !== true; next = await input.next()) {
    rest.push(next.value as Buffer);
  }
  const tar = pack();
  tar.entry({ name: 'Dockerfile', mode: 0o644 }, Buffer.concat(rest));
  tar.finalize();
  return { stream: Readable.from(tar, { objectMode: false }), dockerfile: '' };
}

function rejoined(first: Buffer, rest: AsyncIterator<unknown>): Readable {
  const joined = new PassThrough();
  const all = async function* (): AsyncGenerator {
    yield first;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
      yield next.value;
    }
  };
  pipeline(all, joined).catch((error: unknown) => {
    joined.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  return joined;
}

async function sendFolder(tar: Pack, folder: string, foreign: Buffer | undefined): Promise<void> {
  if (foreign !== undefined) tar.entry({ name: foreignName, mode: 0o644 }, foreign);
  await sendBelow(tar, folder, '');
  tar.finalize();
}

async function sendBelow(tar: Pack, folder: string, below: string): Promise<void> {
  const names = await readdir(join(folder, below));
  for (const name of names.sort()) {
    const path = below === '' ? name : `${below}/${name}`;
    const from = join(folder, path);
    const found = await lstat(from);
    const head = { name: path, mode: found.mode & 0o7777, mtime: found.mtime };
    if (found.isDirectory()) {
      tar.entry({ ...head, type: 'directory' });
      await sendBelow(tar, folder, path);
    } else if (found.isSymbolicLink()) {
      tar.entry({ ...head, type: 'symlink', linkname: await readlink(from) });
    } else if (found.isFile()) {
      const entry = tar.entry({ ...head, size: found.size });
      await pipeline(createReadStream(from), entry);
    }
  }
}
