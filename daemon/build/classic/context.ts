/** Where a classic build's files come from: the body, or a URL. */
import { createReadStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { ApiError, invalidParameter, systemError } from '../../../api-spec/errors.js';
import { compressionOf, isTarHeader } from '../../archive/index.js';
import { parseIgnore } from '../dockerfile/ignore.js';
import type { BuildContext } from '../needs.js';
import { fetchFile } from '../remote/fetch.js';
import { cloneRepository, isRepository } from '../remote/git.js';
import { holdContext } from './held-context.js';
import type { Scratch } from '../scratch.js';
import { openFolders, readSmall, type SourceTree } from '../source-tree.js';

/** A context with its Dockerfile. */
export interface ClassicContext {
  readonly tree: SourceTree;
  readonly dockerfile: string;
}

/** Where to get it, and where to put it. */
export interface ContextRequest {
  readonly body: Readable;
  readonly remote: string;
  readonly dockerfile: string;
  readonly scratch: Scratch;
  readonly signal: AbortSignal;
}

const maxDockerfileBytes = 2 * 1024 * 1024;

/** Unpacks or fetches it; the caller closes the tree. `ApiError` in Docker's words. */
export async function openContext(
  context: BuildContext,
  request: ContextRequest,
): Promise<ClassicContext> {
  const opened = await openFiles(context, request);
  const { tree } = opened;
  try {
    const { name, text } = await readDockerfile(tree, request);
    await dropOwnFiles(opened, name);
    return { tree, dockerfile: text };
  } catch (error) {
    tree.close();
    throw error;
  }
}

/** A context before its own files are gone, if they are to be ignored. */
interface Opened {
  readonly tree: SourceTree;
  /** Takes away the file, or the link, at a real path of the tree. */
  readonly remove: (path: string) => Promise<void>;
}

async function openFiles(context: BuildContext, request: ContextRequest): Promise<Opened> {
  const { remote, scratch, signal } = request;
  if (remote !== '' && remote !== 'client-session') {
    return inFolder(await remoteFolder(context, request));
  }
  const held = await holdContext(request.body, context.nowMs());
  if ('tree' in held) {
    const { tree } = held;
    return { tree, remove: (path) => Promise.resolve(tree.remove(path)) };
  }
  const target = await scratch.make();
  await context.unpack({ source: held.body, target, signal });
  return inFolder(target);
}

function inFolder(folder: string): Opened {
  const remove = (path: string): Promise<void> => rm(join(folder, path), { force: true });
  return { tree: openFolders([folder]), remove };
}

async function remoteFolder(context: BuildContext, request: ContextRequest): Promise<string> {
  const { remote, body, scratch, signal } = request;
  const target = await scratch.make();
  body.resume();
  if (isRepository(remote)) {
    const url = remote;
    return cloneRepository({ url, folder: target, keepGitDir: false, checksum: '', signal });
  }
  if (!/^https?:\/\//i.test(remote)) {
    throw invalidParameter(`unable to prepare context: path ${JSON.stringify(remote)} not found`);
  }
  return fetchContext(context, target, request);
}

/** An archive is unpacked; anything else is the Dockerfile itself. */
async function fetchContext(
  context: BuildContext,
  target: string,
  { remote, scratch, signal, dockerfile }: ContextRequest,
): Promise<string> {
  const folder = await scratch.make();
  let name: string;
  try {
    name = await fetchFile({ url: remote, folder, checksum: '', signal });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw systemError(`error downloading remote context ${remote}: ${error.message}`, error);
  }
  const path = join(folder, name);
  const first = await firstBlock(path);
  if (compressionOf(first) === 'none' && !isTarHeader(first)) {
    await rename(path, join(target, basename(dockerfile)));
    return target;
  }
  await context.unpack({ source: { path }, target, signal });
  return target;
}

async function firstBlock(path: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  // No encoding is set: chunks are bytes.
  for await (const chunk of createReadStream(path, { end: 511 })) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function readDockerfile(
  tree: SourceTree,
  { dockerfile: name }: ContextRequest,
): Promise<Found> {
  const found = await findDockerfile(tree, name);
  if (found === undefined) {
    // Docker's own words; its status for them is a 500.
    throw systemError(`Cannot locate specified Dockerfile: ${name}`);
  }
  if (found.text === '') throw invalidParameter(`the Dockerfile (${name}) cannot be empty`);
  return found;
}

/** A Dockerfile, and what it is called. */
interface Found {
  readonly name: string;
  readonly text: string;
}

async function findDockerfile(tree: SourceTree, name: string): Promise<Found | undefined> {
  if (name.split('/').includes('..')) {
    throw invalidParameter(`forbidden path outside the build context: ${name} ()`);
  }
  for (const each of name === 'Dockerfile' ? [name, 'dockerfile'] : [name]) {
    const text = await readText(tree, each);
    if (text !== undefined) return { name: each, text };
  }
  return undefined;
}

async function readText(tree: SourceTree, name: string): Promise<string | undefined> {
  try {
    return (await readSmall(tree, name, maxDockerfileBytes))?.toString('utf8');
  } catch (error) {
    if (error instanceof RangeError) throw invalidParameter(error.message, error);
    throw error;
  }
}

/**
 * What is ignored the client has left out, but for the two files that an engine has to read: only
 * these go now, if they are to be ignored. Docker does the same, also with what it has fetched.
 */
async function dropOwnFiles({ tree, remove }: Opened, dockerfile: string): Promise<void> {
  const text = await readText(tree, ignoreFile);
  if (text === undefined) return;
  const rules = parseIgnore(text);
  for (const name of [ignoreFile, posix.normalize(dockerfile)]) {
    if (!rules.ignores(name)) continue;
    // A folder on the way may be a link: only where it leads within the context is it followed.
    const { path } = await tree.resolve(name, { followLast: false });
    await remove(path);
  }
}

const ignoreFile = '.dockerignore';
