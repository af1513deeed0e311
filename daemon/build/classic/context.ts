/** Where a classic build's files come from: the body, or a URL. */
import { createReadStream } from 'node:fs';
import { lstat, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
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
    const dockerfile = await readDockerfile(tree, request);
    await applyIgnore(opened);
    return { tree, dockerfile };
  } catch (error) {
    tree.close();
    throw error;
  }
}

/** A context before its ignored files are gone. */
interface Opened {
  readonly tree: SourceTree;
  /** Takes away what is at a path of the tree, with all below. */
  readonly remove: (path: string) => Promise<void>;
}

async function openFiles(context: BuildContext, request: ContextRequest): Promise<Opened> {
  const { remote, scratch, signal } = request;
  if (remote !== '' && remote !== 'client-session') {
    return inFolder(context, await remoteFolder(context, request));
  }
  const held = await holdContext(request.body, context.nowMs());
  if ('tree' in held) {
    const { tree } = held;
    return { tree, remove: (path) => Promise.resolve(tree.remove(path)) };
  }
  const target = await scratch.make();
  await context.unpack({ source: held.body, target, signal });
  return inFolder(context, target);
}

function inFolder(context: BuildContext, folder: string): Opened {
  const remove = (path: string): Promise<void> => removeBelow(context, join(folder, path));
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
): Promise<string> {
  const bytes = await findDockerfile(tree, name);
  if (bytes === undefined) {
    // Docker's own words; its status for them is a 500.
    throw systemError(`Cannot locate specified Dockerfile: ${name}`);
  }
  if (bytes.length === 0) throw invalidParameter(`the Dockerfile (${name}) cannot be empty`);
  return bytes.toString('utf8');
}

async function findDockerfile(tree: SourceTree, name: string): Promise<Buffer | undefined> {
  if (name.split('/').includes('..')) {
    throw invalidParameter(`forbidden path outside the build context: ${name} ()`);
  }
  try {
    const found = await readSmall(tree, name, maxDockerfileBytes);
    if (found !== undefined || name !== 'Dockerfile') return found;
    return await readSmall(tree, 'dockerfile', maxDockerfileBytes);
  } catch (error) {
    if (error instanceof RangeError) throw invalidParameter(error.message, error);
    throw error;
  }
}

/**
 * Docker's client leaves ignored files out itself, but for the two that the engine has to read;
 * others, and what was fetched, have all of them still.
 */
async function applyIgnore({ tree, remove }: Opened): Promise<void> {
  const text = await readSmall(tree, '.dockerignore', maxDockerfileBytes);
  if (text === undefined) return;
  const rules = parseIgnore(text.toString('utf8'));
  const doomed: string[] = [];
  const enter = (path: string): boolean => rules.hasExceptions || !rules.ignores(path);
  for await (const { path, kind } of tree.walk('', enter)) {
    if (rules.ignores(path) && !(kind === 'directory' && rules.hasExceptions)) doomed.push(path);
  }
  for (const path of doomed) await remove(path);
}

/** What was walked are real names: no link is on the way. */
async function removeBelow(context: BuildContext, path: string): Promise<void> {
  const isFolder = (await lstat(path).catch(() => undefined))?.isDirectory() ?? false;
  if (isFolder) await context.removeTree(path);
  else await rm(path, { force: true });
}
