import { spawn } from 'node:child_process';
import { lstatSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { IncomingHttpHeaders } from 'node:http';
import { type Readable, Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ContainerPathStat } from '../../api-spec/container-verbs.js';
import type { Call, Command } from '../command.js';
import type { Engine } from '../engine/engine.js';
import { EngineError } from '../engine/engine.js';
import { CommandError } from '../errors.js';
import { flag } from '../flags.js';
import { humanSize } from '../units.js';
import { firstName, landingOf, renaming } from './landing.js';
import type { CopySource, CopyTarget } from './landing.js';

/** `cp`: files between a container and this machine, as tar underneath. */
export const copyCommand: Command = {
  use: 'cp [OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-',
  about: 'Copy files between a container and this machine',
  flags: [
    flag('switch', 'archive', 'Keep user and group', { short: 'a' }),
    flag('switch', 'follow-link', 'Copy what a link points at', { short: 'L' }),
    flag('switch', 'quiet', 'Say nothing', { short: 'q' }),
  ],
  operands: [2, 2],
  run: copy,
};

interface Side {
  readonly container: string | undefined;
  readonly path: string;
}

/** A path that begins with a slash or a dot is never a container's. */
function sideOf(text: string): Side {
  const colon = text.indexOf(':');
  if (colon <= 0 || /^[/.]/.test(text)) return { container: undefined, path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

async function copy(call: Call): Promise<void> {
  const [from, to] = call.operands.map(sideOf);
  if (from === undefined || to === undefined) throw new CommandError('two paths are needed');
  if (from.path === '') throw new CommandError('source can not be empty');
  if (to.path === '') throw new CommandError('destination can not be empty');
  if (from.container !== undefined && to.container !== undefined) {
    throw new CommandError('copying between containers is not supported');
  }
  if (from.container !== undefined) {
    return copyOut(call, from.container, { from: from.path, to: to.path });
  }
  if (to.container !== undefined) {
    return copyIn(call, to.container, { from: from.path, to: to.path });
  }
  throw new CommandError('must specify at least one container source');
}

interface Paths {
  readonly from: string;
  readonly to: string;
}

async function copyOut(call: Call, container: string, { from, to }: Paths): Promise<void> {
  const { engine, flags } = call;
  const parent = dirname(resolve(to));
  if (to !== '-' && statSync(parent, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new CommandError(`invalid output path: directory "${parent}" does not exist`);
  }
  let path = from;
  if (flags.switch('follow-link')) {
    const found = await statInside(engine, container, path);
    if (found !== undefined && found.linkTarget !== '') path = found.linkTarget;
  }
  const answer = await engine.open('GET', archivePath(container), { query: { path } });
  if (to === '-') return pipeline(answer, process.stdout, { end: false });
  const isFolder = isGoFolder(statOf(answer.headers)?.mode ?? 0);
  const { folder, name } = landingOf({ path, isFolder }, { path: to, found: foundHere(to) });
  // A link that was followed keeps the name that it was asked for by.
  const rule = renaming(firstName(path), name ?? firstName(from));
  const words = ['-x', '-p', '--no-same-owner', '-C', resolve(folder), ...rule];
  await tar(words, { input: answer.pipe(counted(call)) });
  tellCopied(call, to);
}

function foundHere(path: string): CopyTarget['found'] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 'nothing';
  return found.isDirectory() ? 'folder' : 'other';
}

async function copyIn(call: Call, container: string, { from, to }: Paths): Promise<void> {
  const { engine, flags } = call;
  const target = await targetInside(engine, container, to);
  if (from === '-' && target.found !== 'folder') {
    throw new CommandError(`destination "${container}:${to}" must be a directory`);
  }
  const source = from === '-' ? undefined : sourceHere(from, flags.switch('follow-link'));
  const { folder, name } = landingOf(source ?? { path: from, isFolder: true }, target);
  const query = {
    path: folder,
    noOverwriteDirNonDir: 'true',
    copyUIDGID: flags.switch('archive') ? 'true' : undefined,
  };
  const parts = { query, contentType: 'application/x-tar' };
  if (source === undefined) {
    const stream = process.stdin.pipe(counted(call));
    await engine.text('PUT', archivePath(container), { ...parts, stream });
  } else {
    const program = packing(source.path, name, flags.switch('follow-link'));
    const ended = exitOf(program);
    const stream = program.stdout.pipe(counted(call));
    await engine.text('PUT', archivePath(container), { ...parts, stream });
    await ended;
  }
  tellCopied(call, `${container}:${to}`);
}

function sourceHere(from: string, follows: boolean): CopySource {
  const found = (follows ? statSync : lstatSync)(from, { throwIfNoEntry: false });
  if (found === undefined) {
    throw new CommandError(`lstat ${resolve(from)}: no such file or directory`);
  }
  const isContent = firstName(from) === '.' || from.endsWith('/');
  return { path: from, isFolder: isContent || found.isDirectory() };
}

function packing(from: string, name: string | undefined, follows: boolean) {
  const source = resolve(from);
  const first = firstName(from);
  const what = first === '.' ? ['-C', source, '.'] : ['-C', dirname(source), basename(source)];
  const words = [...(follows ? ['-h'] : []), '-c', ...renaming(first, name), ...what];
  return spawn('tar', words, { stdio: ['ignore', 'pipe', 'inherit'] });
}

function archivePath(container: string): string {
  return `/containers/${encodeURIComponent(container)}/archive`;
}

/** A link is followed: what it leads to is written to. */
async function targetInside(
  engine: Engine,
  container: string,
  path: string,
): Promise<CopyTarget> {
  const found = await statInside(engine, container, path);
  if (found === undefined) return { path, found: 'nothing' };
  if (found.linkTarget === '') {
    return { path, found: isGoFolder(found.mode) ? 'folder' : 'other' };
  }
  const end = await statInside(engine, container, found.linkTarget);
  if (end === undefined) return { path: found.linkTarget, found: 'nothing' };
  return { path: found.linkTarget, found: isGoFolder(end.mode) ? 'folder' : 'other' };
}

function isGoFolder(mode: number): boolean {
  return mode >= 2 ** 31;
}

async function statInside(
  engine: Engine,
  container: string,
  path: string,
): Promise<ContainerPathStat | undefined> {
  try {
    const answer = await engine.open('HEAD', archivePath(container), { query: { path } });
    answer.resume();
    return statOf(answer.headers);
  } catch (problem) {
    if (problem instanceof EngineError && problem.status === 404) return undefined;
    throw problem;
  }
}

function statOf(headers: IncomingHttpHeaders): ContainerPathStat | undefined {
  const header = headers['x-docker-container-path-stat'];
  if (typeof header !== 'string') return undefined;
  // The header's shape is the API's promise.
  return JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as ContainerPathStat;
}

const copiedBytes = new WeakMap<Call, number>();

function counted(call: Call): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      copiedBytes.set(call, (copiedBytes.get(call) ?? 0) + chunk.length);
      done(null, chunk);
    },
  });
}

/** To a person only: a program that reads what is printed gets nothing. */
function tellCopied(call: Call, to: string): void {
  if (call.flags.switch('quiet') || !process.stdout.isTTY) return;
  call.complain(`Successfully copied ${humanSize(copiedBytes.get(call) ?? 0)} to ${to}\n`);
}

async function tar(
  words: readonly string[],
  { input }: { readonly input: Readable },
): Promise<void> {
  const program = spawn('tar', words, { stdio: ['pipe', 'inherit', 'inherit'] });
  const sink: Writable = program.stdin;
  await Promise.all([pipeline(input, sink), exitOf(program)]);
}

function exitOf(program: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve, reject) => {
    program.on('error', reject);
    program.on('close', (code) =>
      code === 0 ? resolve() : reject(new CommandError(`tar ended with ${code ?? 'a signal'}`)),
    );
  });
}
