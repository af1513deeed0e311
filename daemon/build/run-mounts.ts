/** `RUN --mount`: what is mounted for one step, and given back after it. */
import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalidParameter } from '../../api-spec/errors.js';
import type { Mount } from '../../api-spec/index.js';
import { workdirOf } from './config-step.js';
import { selectSources } from './copy/select.js';
import { expandWord } from './dockerfile/expand.js';
import type { RunMount } from './dockerfile/instruction.js';
import type { StageState } from './state.js';
import type { StepContext } from './step.js';
import { materialize, openFrom } from './trees.js';

/** Mounts of one step. `release` is called once it has ended. */
export interface StepMounts {
  readonly mounts: readonly Mount[];
  /** Variables that secrets are given as. */
  readonly env: readonly string[];
  /** Mount points, without leading slash: the runtime makes them, and they are no changes. */
  readonly targets: readonly string[];
  release(): Promise<void>;
}

interface Prepared {
  readonly mount?: Mount;
  readonly env?: string;
}

/** Makes what has to be mounted; `ApiError` for what cannot be had. */
export async function prepareMounts(
  step: StepContext,
  state: StageState,
  mounts: readonly RunMount[],
): Promise<StepMounts> {
  const prepared: Prepared[] = [];
  const releases: (() => void)[] = [];
  const release = (): Promise<void> => {
    for (const each of releases.splice(0)) each();
    return Promise.resolve();
  };
  try {
    for (const mount of mounts) {
      const variables = step.args.variables(state.config.Env ?? []);
      const expand = (word: string): string =>
        expandWord(word, { variables, escape: step.build.escape });
      const named = {
        ...mount,
        target: expand(mount.target),
        source: expand(mount.source),
        id: expand(mount.id),
      };
      prepared.push(await prepare(step, state, { mount: named, releases }));
    }
  } catch (error) {
    await release();
    throw error;
  }
  const made = prepared.flatMap(({ mount }) => mount ?? []);
  return {
    mounts: made,
    env: prepared.flatMap(({ env }) => env ?? []),
    targets: made.flatMap(({ Target: target = '' }) => pathsTo(target)),
    release,
  };
}

/** A path and all folders on the way. */
function pathsTo(target: string): readonly string[] {
  const names = target.split('/').filter((name) => name !== '');
  return names.map((_, depth) => names.slice(0, depth + 1).join('/'));
}

interface Request {
  readonly mount: RunMount;
  readonly releases: (() => void)[];
}

function prepare(step: StepContext, state: StageState, request: Request): Promise<Prepared> {
  const { mount } = request;
  const target = (text: string): string => workdirOf(state.config.WorkingDir ?? '/', text);
  switch (mount.type) {
    case 'tmpfs':
      return Promise.resolve({ mount: tmpfs(mount, target(mount.target)) });
    case 'cache':
      return cache(step, request, target(mount.target));
    case 'bind':
      return bind(step, mount, target(mount.target));
    case 'secret':
      return secret(step, mount, target);
    case 'ssh':
      return ssh(step, mount, target);
  }
}

function tmpfs({ sizeBytes }: RunMount, target: string): Mount {
  return {
    Type: 'tmpfs',
    Target: target,
    ...(sizeBytes === undefined ? {} : { TmpfsOptions: { SizeBytes: sizeBytes } }),
  };
}

/** Steps that lock a cache, by folder: the end of the last one. */
const turns = new Map<string, Promise<void>>();

async function cache(
  { build }: StepContext,
  { mount, releases }: Request,
  target: string,
): Promise<Prepared> {
  const name = createHash('sha256').update(mount.id === '' ? target : mount.id).digest('hex');
  const isPrivate = mount.sharing === 'private' && turns.has(name);
  const source = isPrivate
    ? await build.scratch.make()
    : join(build.context.folder, 'cache', name.slice(0, 32));
  if (!isPrivate && mount.sharing !== 'shared') releases.push(await takeTurn(name, build.signal));
  if ((await isThere(source)) === isPrivate) {
    await mkdir(source, { recursive: true, mode: 0o700 });
    await chown(source, mount.uid, mount.gid);
    await chmod(source, mount.mode ?? 0o755);
  }
  return { mount: { Type: 'bind', Source: source, Target: target, ReadOnly: mount.readonly } };
}

async function takeTurn(name: string, signal: AbortSignal): Promise<() => void> {
  const before = turns.get(name) ?? Promise.resolve();
  let end = (): void => undefined;
  const mine = new Promise<void>((resolve) => (end = resolve));
  const last = before.then(() => mine);
  turns.set(name, last);
  await before;
  const release = (): void => {
    end();
    if (turns.get(name) === last) turns.delete(name);
  };
  if (!signal.aborted) return release;
  release();
  throw signal.reason;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

/** A copy: what the step writes there is nobody's. */
async function bind(step: StepContext, mount: RunMount, target: string): Promise<Prepared> {
  const { build } = step;
  const named =
    mount.from === ''
      ? { tree: build.request.context, close: () => undefined }
      : await openFrom(build, mount.from, step.stage).then(({ tree }) => ({
          tree,
          close: () => tree.close(),
        }));
  try {
    const [selected] = await selectSources({
      kind: 'COPY',
      tree: named.tree,
      source: mount.source === '' ? '/' : mount.source,
      excludes: [],
      parents: false,
      fromContext: mount.from === '',
    });
    if (selected === undefined) throw invalidParameter(`${mount.source}: not found`);
    const source = await materialize(build, selected);
    return { mount: { Type: 'bind', Source: source, Target: target, ReadOnly: mount.readonly } };
  } finally {
    named.close();
  }
}

async function secret(
  { build }: StepContext,
  mount: RunMount,
  at: (target: string) => string,
): Promise<Prepared> {
  const id = mount.id === '' ? (mount.source || mount.target.split('/').at(-1)) ?? '' : mount.id;
  const content = await build.request.session.secret(id);
  if (content === undefined) {
    if (mount.required) throw invalidParameter(`secret ${id}: not found`);
    return {};
  }
  if (mount.env !== '') return { env: `${mount.env}=${content.toString('utf8')}` };
  const source = join(await build.scratch.make(), 'secret');
  await writeFile(source, content, { mode: 0o600 });
  await chown(source, mount.uid, mount.gid);
  await chmod(source, mount.mode ?? 0o400);
  const target = at(mount.target === '' ? `/run/secrets/${id}` : mount.target);
  return { mount: { Type: 'bind', Source: source, Target: target, ReadOnly: true } };
}

async function ssh(
  { build }: StepContext,
  mount: RunMount,
  at: (target: string) => string,
): Promise<Prepared> {
  const id = mount.id === '' ? 'default' : mount.id;
  const source = await build.request.session.sshAgent(id);
  if (source === undefined) {
    if (mount.required) throw invalidParameter(`unset ssh forward key ${id}`);
    return {};
  }
  const target = at(mount.target === '' ? '/run/buildkit/ssh_agent.0' : mount.target);
  return {
    mount: { Type: 'bind', Source: source, Target: target },
    env: `SSH_AUTH_SOCK=${target}`,
  };
}
