/** What `build` sends: a folder as a tar, or what came on standard input. */
import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';
import { parseIgnore, type IgnoreRules } from '../../daemon/build/dockerfile/ignore.js';
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

/** From the operand and `-f`; without what the folder's `.dockerignore` names. */
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
  const ignored = await ignoreText(join(folder, ignoreFile));
  const rules = rulesOf(ignored ?? '', foreign === undefined ? dockerfile || 'Dockerfile' : '');
  const tar = pack();
  if (foreign !== undefined) sendForeign(tar, foreign, ignored);
  sendFolder(tar, { folder, rules, hasForeign: foreign !== undefined }).catch((error: unknown) => {
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

/**
 * The Dockerfile and `.dockerignore` are sent whatever it says: the engine has to read them, and
 * leaves them out itself.
 */
function rulesOf(text: string, dockerfile: string): IgnoreRules {
  const kept = dockerfile === '' ? '' : `!${dockerfile}\n`;
  try {
    return parseIgnore(`${text}\n!${ignoreFile}\n${kept}`);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new CommandError(`error checking context: ${error.message}`);
  }
}

const ignoreFile = '.dockerignore';

async function ignoreText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** As Docker's client: the engine is told to leave a Dockerfile out that the folder has not. */
function sendForeign(tar: Pack, foreign: Buffer, ignored = ignoreFile): void {
  tar.entry({ name: foreignName, mode: 0o644 }, foreign);
  tar.entry({ name: ignoreFile, mode: 0o644 }, `${ignored}\n${foreignName}\n`);
}

/** What is sent. */
interface Sent {
  readonly folder: string;
  readonly rules: IgnoreRules;
  /** Then its `.dockerignore` has been sent. */
  readonly hasForeign: boolean;
}

async function sendFolder(tar: Pack, sent: Sent): Promise<void> {
  await sendBelow(tar, sent, '');
  tar.finalize();
}

async function sendBelow(tar: Pack, sent: Sent, below: string): Promise<void> {
  const { folder, rules, hasForeign } = sent;
  const names = await readdir(join(folder, below));
  for (const name of names.sort()) {
    const path = below === '' ? name : `${below}/${name}`;
    const found = await lstat(join(folder, path));
    const isIgnored = rules.ignores(path) || (hasForeign && path === ignoreFile);
    if (!isIgnored) await sendOne(tar, join(folder, path), { path, found });
    if (!found.isDirectory()) continue;
    if (!isIgnored || rules.bringsBack(path)) await sendBelow(tar, sent, path);
  }
}

async function sendOne(
  tar: Pack,
  from: string,
  { path, found }: { readonly path: string; readonly found: Stats },
): Promise<void> {
  const head = { name: path, mode: found.mode & 0o7777, mtime: found.mtime };
  if (found.isDirectory()) tar.entry({ ...head, type: 'directory' });
  else if (found.isSymbolicLink()) {
    tar.entry({ ...head, type: 'symlink', linkname: await readlink(from) });
  } else if (found.isFile()) {
    const entry = tar.entry({ ...head, size: found.size });
    await pipeline(createReadStream(from), entry);
  }
}
