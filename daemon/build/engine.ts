/**
 * The build engine: a Dockerfile and a context become an image. It knows neither HTTP nor how its
 * progress is shown: the classic door and others to come stand before it.
 *
 *     parse → plan → stages, side by side → sink: an image, registered and durable
 */
import { unusedArgs, platformArgs } from './build-args.js';
import type { Build, BuildRequest } from './build.js';
import type { BuildHold } from '../images/builds.js';
import type { Cache } from './cache.js';
import type { CacheMounts } from './cache-mounts.js';
import { parseDockerfile, type Dockerfile } from './dockerfile/parse.js';
import { invalidParameter } from '../../api-spec/errors.js';
import type { BuildContext } from './needs.js';
import { planBuild, type Plan } from './plan.js';
import { hostArchitecture } from './platform.js';
import type { BuildObserver } from './progress.js';
import type { Scratch } from './scratch.js';
import type { Slots } from './slots.js';
import { runStage } from './stage.js';
import { documentOf, type StageState } from './state.js';

/** What a build ended with. */
export interface BuildResult {
  readonly imageId: string;
  /** Arguments that were given and that nobody declared. */
  readonly unusedArgs: readonly string[];
}

/** What all builds share. */
export interface Engine {
  readonly context: BuildContext;
  readonly cache: Cache;
  readonly cacheMounts: CacheMounts;
  /** Steps that work at once, over all builds. */
  readonly slots: Slots;
}

/** A build that was read and refused nothing. */
export interface PreparedBuild {
  run(on: RunOn): Promise<BuildResult>;
}

/** Where a build runs and whom it tells. */
export interface RunOn {
  readonly observer: BuildObserver;
  /** For the build's temporary files; the caller removes it. */
  readonly scratch: Scratch;
  readonly signal: AbortSignal;
}

/** Parses and plans; `ApiError` 400 for what is wrong in the request itself. */
export function prepareBuild(engine: Engine, request: BuildRequest): PreparedBuild {
  const dockerfile = parseDockerfile(request.dockerfile);
  const host = `linux/${hostArchitecture()}`;
  const plan = planBuild({
    dockerfile,
    given: request.args,
    labels: request.labels,
    target: request.target,
    predefined: platformArgs(request.platform === '' ? host : request.platform, host),
  });
  return { run: (on) => run(engine, { request, dockerfile, plan }, on) };
}

interface Prepared {
  readonly request: BuildRequest;
  readonly dockerfile: Dockerfile;
  readonly plan: Plan;
}

async function run(engine: Engine, prepared: Prepared, on: RunOn): Promise<BuildResult> {
  const { request, dockerfile, plan } = prepared;
  const { observer, scratch, signal } = on;
  const { vertices, numbers, total } = plan;
  const preamble = dockerfile.globals.map(({ text }) => text);
  observer.planned({ vertices, numbers, total, preamble, warnings: dockerfile.warnings });
  const hold = await engine.context.images.hold();
  const failed = new AbortController();
  const later: Promise<void>[] = [];
  const found = new Set<string>();
  let hasEnded = false;
  try {
    const stages = new Map<number, Promise<StageState>>();
    const build: Build = {
      ...engine,
      request,
      plan,
      escape: dockerfile.escape,
      hold,
      observer,
      scratch,
      signal: AbortSignal.any([signal, failed.signal]),
      found,
      flush: () => engine.cache.flush(() => hold.settle()),
      later: (work) => {
        // Nobody may wait for it before the end.
        work.catch(() => undefined);
        later.push(work);
      },
      stage: (index) =>
        stages.get(index) ?? Promise.reject(invalidParameter(`stage ${index} is not built`)),
    };
    for (const stage of plan.stages) {
      // Each stage finds those before it begun.
      const ended = Promise.resolve().then(() => runStage(build, stage));
      ended.catch(() => undefined);
      stages.set(stage.index, ended);
    }
    const state = await inOrder([...stages.values()], failed);
    await build.flush();
    await hand(build, state);
    hasEnded = true;
    return { imageId: state.id, unusedArgs: unusedArgs(request.args, plan.used) };
  } finally {
    await endAll(engine, { later, hold });
    if (hasEnded) afterAnswer(engine, { found, hold });
    else await hold.release();
  }
}

interface Ending {
  readonly later: readonly Promise<void>[];
  readonly hold: BuildHold;
}

/**
 * What no client waits for: everything that was made is referred to by now, and only what others
 * removed meanwhile is left to go.
 */
function afterAnswer(
  { cache, context }: Engine,
  { found, hold }: { readonly found: ReadonlySet<string>; readonly hold: BuildHold },
): void {
  setImmediate(() => {
    cache.touch(found, context.nowMs());
    hold.release().catch((error: unknown) => {
      context.warn('what a build had in use could not be let go', error);
    });
  });
}

/** Steps of a build that failed are kept for the next one all the same. */
async function endAll({ context, cache }: Engine, { later, hold }: Ending): Promise<void> {
  try {
    await cache.flush(() => hold.settle());
  } catch (error) {
    context.warn('the cache of a build could not be kept', error);
  }
  for (const result of await Promise.allSettled(later)) {
    if (result.status === 'rejected') {
      context.warn('what a step left could not be put away', result.reason);
    }
  }
}

/** The end of the last stage. Errors are told in Docker's order; then nothing goes on. */
async function inOrder(
  stages: readonly Promise<StageState>[],
  failed: AbortController,
): Promise<StageState> {
  let last: StageState | undefined;
  try {
    for (const stage of stages) last = await stage;
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(stages);
    throw error;
  }
  if (last === undefined || last.id === '') {
    throw invalidParameter('No image was generated. Is your Dockerfile empty?');
  }
  return last;
}

/** To who takes the result. */
function hand({ request, context, hold, signal }: Build, state: StageState): Promise<void> {
  const configText = documentOf(state, context.version);
  const folders = () => context.layerFolders(state.storageKeys);
  const { images } = context;
  return request.sink.take({ state, configText, folders }, { images, hold, signal });
}
