/** `RUN --mount`: what is mounted for one step, and given back after it. */
import { chmod, chown, rename } from 'node:fs/promises';
import { invalidParameter } from '../../api-spec/errors.js';
import type { Mount } from '../../api-spec/index.js';
import type { TakenCache } from './cache-mounts.js';
import { workdirOf } from './config-step.js';
import { selectSources } from './copy/select.js';
import { expandWord } from './dockerfile/expand.js';
import type { RunInstruction, RunMount } from './dockerfile/instruction.js';
import { grantSecret, grantSsh, type Granted } from './granted-mounts.js';
import type { StageState } from './state.js';
import type { StepContext } from './step.js';
import { materialize, openFrom } from './trees.js';

/** Mounts of one step. `release` is called once it has ended. */
export interface StepMounts {
  readonly mounts: readonly Mount[];
  /** Variables that secrets are given as: nobody but the step's process may see them. */
  readonly env: readonly string[];
  /** Mount points, without leading slash: the runtime makes them, and they are no changes. */
  readonly targets: readonly string[];
  release(): void;
}

interface Prepared {
  readonly mount?: Mount;
  readonly env?: string;
}

/** Makes what has to be mounted; `ApiError` for what cannot be had. */
export async function prepareMounts(
  step: StepContext,
  state: StageState,
  { mounts, text }: RunInstruction,
): Promise<StepMounts> {
  const releases: (() => void)[] = [];
  const release = (): void => {
    for (const each of releases.splice(0)) each();
  };
  const variables = step.args.variables(state.config.Env ?? []);
  const expand = (word: string): string =>
    expandWord(word, { variables, escape: step.build.escape });
  const named = withAgents(mounts).map((mount) => ({
    ...mount,
    target: expand(mount.target),
    source: expand(mount.source),
    id: expand(mount.id),
  }));
  const done = new Map<RunMount, Prepared>();
  const caches = new Map<string, TakenCache>();
  try {
    for (const mount of inLockOrder(named)) {
      done.set(mount, await prepare(step, state, { mount, text, releases, caches }));
    }
  } catch (error) {
    release();
    throw error;
  }
  const prepared = named.flatMap((mount) => done.get(mount) ?? []);
  const made = prepared.flatMap(({ mount }) => mount ?? []);
  // Of several agents the first is the one that programs find.
  const env = prepared.flatMap((each) => each.env ?? []).reverse();
  return {
    mounts: made,
    env,
    targets: made.flatMap(({ Target: target = '' }) => pathsTo(target)),
    release,
  };
}

/** Agents have places of their own, in the order in which they are asked for. */
function withAgents(mounts: readonly RunMount[]): readonly RunMount[] {
  const agents = mounts.filter(({ type }) => type === 'ssh');
  return mounts.map((mount) =>
    mount.type === 'ssh' && mount.target === ''
      ? { ...mount, target: `/run/buildkit/ssh_agent.${agents.indexOf(mount)}` }
      : mount,
  );
}

/** Who waits for a cache while it has another does so in one order: two steps never for ever. */
function inLockOrder(mounts: readonly RunMount[]): readonly RunMount[] {
  const lockOf = ({ type, sharing, id, target }: RunMount): string =>
    type === 'cache' && sharing === 'locked' ? id || target : '';
  return [...mounts].sort((one, other) => {
    const [first, second] = [lockOf(one), lockOf(other)];
    return first < second ? -1 : first > second ? 1 : 0;
  });
}

/** A path and all folders on the way. */
function pathsTo(target: string): readonly string[] {
  const names = target.split('/').filter((name) => name !== '');
  return names.map((_, depth) => names.slice(0, depth + 1).join('/'));
}

interface Request {
  readonly mount: RunMount;
  /** The instruction. */
  readonly text: string;
  readonly releases: (() => void)[];
  /** That the step has already, by key. */
  readonly caches: Map<string, TakenCache>;
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
      return granted(request, grantSecret(step, { mount, at: target }));
    case 'ssh':
      return granted(request, grantSsh(step, { mount, at: target }));
  }
}

async function granted({ releases }: Request, grant: Promise<Granted>): Promise<Prepared> {
  const { release, ...prepared } = await grant;
  if (release !== undefined) releases.push(release);
  return prepared;
}

function tmpfs({ sizeBytes }: RunMount, target: string): Mount {
  return {
    Type: 'tmpfs',
    Target: target,
    ...(sizeBytes === undefined ? {} : { TmpfsOptions: { SizeBytes: sizeBytes } }),
  };
}

async function cache(step: StepContext, request: Request, target: string): Promise<Prepared> {
  const { build } = step;
  const { mount, text, releases, caches } = request;
  const id = mount.id === '' ? target : mount.id;
  const key = JSON.stringify([id, mount.from, mount.from === '' ? '' : mount.source]);
  const named = mount.id === '' ? '' : ` with id ${JSON.stringify(mount.id)}`;
  let taken = caches.get(key);
  if (taken === undefined) {
    const mine = await build.cacheMounts.take({
      key,
      sharing: mount.sharing,
      description: `cached mount ${target} from ${text}${named}`,
      begin: (folder) => beginCache(step, mount, folder),
      signal: build.signal,
    });
    // Its size is of interest to nobody before the build has ended.
    releases.push(() => build.later(mine.release()));
    caches.set(key, mine);
    taken = mine;
  }
  return {
    mount: { Type: 'bind', Source: taken.folder, Target: target, ReadOnly: mount.readonly },
  };
}

/** Empty, or with what `from` has; shown under its name when all of it is there. */
async function beginCache(step: StepContext, mount: RunMount, folder: string): Promise<void> {
  const made =
    mount.from === ''
      ? await step.build.scratch.make()
      : await copyOf(step, mount);
  if (mount.from === '') {
    await chown(made, mount.uid, mount.gid);
    await chmod(made, mount.mode ?? 0o755);
  }
  await rename(made, folder);
}

/** A copy: what the step writes there is nobody's. */
async function bind(step: StepContext, mount: RunMount, target: string): Promise<Prepared> {
  const source = await copyOf(step, mount);
  return { mount: { Type: 'bind', Source: source, Target: target, ReadOnly: mount.readonly } };
}

/** What a mount names of the context, a stage or an image, in the build's own folders. */
async function copyOf(step: StepContext, mount: RunMount): Promise<string> {
  const { build } = step;
  const { from } = mount;
  const opened = from === '' ? undefined : (await openFrom(build, from, step.stage)).tree;
  try {
    const [selected] = await selectSources({
      kind: 'COPY',
      tree: opened ?? build.request.context,
      source: mount.source === '' ? '/' : mount.source,
      excludes: [],
      parents: false,
      fromContext: from === '',
    });
    if (selected === undefined) throw invalidParameter(`${mount.source}: not found`);
    return await materialize(build, selected);
  } finally {
    opened?.close();
  }
}
