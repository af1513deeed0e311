import { spawn } from 'node:child_process';
import { lstatSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ContainerPathStat } from '../../api-spec/container-verbs.js';
import type { Call, Command } from '../command.js';
import type { Engine } from '../engine/engine.js';
import { EngineError } from '../engine/engine.js';
import { CommandError } from '../errors.js';
import { flag } from '../flags.js';

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

async function copyOut(
  { engine, flags }: Call,
  container: string,
  { from, to }: Paths,
): Promise<void> {
  let path = from;
  if (flags.switch('follow-link')) {
    const found = await statInside(engine, container, path);
    if (found !== undefined && found.linkTarget !== '') path = found.linkTarget;
  }
  const answer = await engine.open('GET', archivePath(container), { query: { path } });
  if (to === '-') return pipeline(answer, process.stdout, { end: false });
  const { folder, name } = landing(to, path);
  await tar(
    ['-x', '-C', folder, ...renaming(basename(resolve('/', path)), name, path)],
    { input: answer },
  );
}

async function copyIn(call: Call, container: string, { from, to }: Paths): Promise<void> {
  const { engine, flags } = call;
  const into = await landingInside(engine, container, { from, to });
  const query = {
    path: into.folder,
    noOverwriteDirNonDir: 'true',
    copyUIDGID: flags.switch('archive') ? 'true' : undefined,
  };
  const parts = { query, contentType: 'application/x-tar' };
  if (from === '-') {
    await engine.text('PUT', archivePath(container), { ...parts, stream: process.stdin });
    return;
  }
  if (lstatSync(from, { throwIfNoEntry: false }) === undefined) {
    throw new CommandError(`lstat ${resolve(from)}: no such file or directory`);
  }
  const source = resolve(from);
  const copiesContent = /(^|\/)\.$/.test(from);
  const words = copiesContent
    ? ['-c', '-C', source, '.']
    : [
      '-c',
      '-C',
      dirname(source),
      ...renaming(basename(source), into.name, from),
      basename(source),
    ];
  const dereference = flags.switch('follow-link') ? ['-h'] : [];
  const program = spawn(
    'tar',
    [...dereference, ...words],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = exitOf(program);
  await engine.text('PUT', archivePath(container), { ...parts, stream: program.stdout });
  await ended;
}

function archivePath(container: string): string {
  return `/containers/${encodeURIComponent(container)}/archive`;
}

interface Landing {
  readonly folder: string;
  /** The name that the copied thing gets; undefined keeps its own. */
  readonly name: string | undefined;
}

function landing(to: string, from: string): Landing {
  const found = statSync(to, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return { folder: to, name: undefined };
  if (to.endsWith('/') && !from.endsWith('/.')) {
    throw new CommandError(`destination directory ${to} does not exist`);
  }
  return { folder: dirname(resolve(to)), name: basename(to) };
}

async function landingInside(
  engine: Engine,
  container: string,
  { from, to }: Paths,
): Promise<Landing> {
  const found = await statInside(engine, container, to);
  const goDirectory = 2 ** 31;
  if (found !== undefined && found.mode >= goDirectory) return { folder: to, name: undefined };
  if (from === '-') {
    throw new CommandError(`destination "${container}:${to}" must be a directory`);
  }
  const absolute = resolve('/', to);
  return { folder: dirname(absolute), name: basename(absolute) };
}

async function statInside(
  engine: Engine,
  container: string,
  path: string,
): Promise<ContainerPathStat | undefined> {
  try {
    const answer = await engine.open('HEAD', archivePath(container), { query: { path } });
    answer.resume();
    const header = answer.headers['x-docker-container-path-stat'];
    if (typeof header !== 'string') return undefined;
    // The header's shape is the API's promise.
    return JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as ContainerPathStat;
  } catch (problem) {
    if (problem instanceof EngineError && problem.status === 404) return undefined;
    throw problem;
  }
}

/** tar's rule that renames the first part of each path; nothing where the name stays. */
function renaming(from: string, to: string | undefined, asked: string): readonly string[] {
  if (to === undefined || to === from || asked.endsWith('/.')) return [];
  const pattern = from.replace(/[\\.*[\]^$|]/g, '\\$&');
  const replacement = to.replace(/[\\&|]/g, '\\$&');
  return ['--transform', `s|^${pattern}|${replacement}|`];
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
