/** One stage from its `FROM` to its last instruction. */
import { StringDecoder } from 'node:string_decoder';
import { ApiError, invalidParameter } from '../../api-spec/errors.js';
import { randomId } from '../random-id.js';
import { checkPlatform, hostArchitecture } from './platform.js';
import { BuildArgs } from './build-args.js';
import type { Build } from './build.js';
import { changeConfig, nopText, shellOf, without } from './config-step.js';
import { copyStep, makeWorkdir } from './copy-step.js';
import { expandWord } from './dockerfile/expand.js';
import type { ArgInstruction, StageInstruction } from './dockerfile/instruction.js';
import { parseTrigger } from './dockerfile/parse.js';
import type { PlannedStage } from './plan.js';
import { recall, remember, type StepKey } from './remember.js';
import { runStep } from './run-step.js';
import { emptyState, stateOfBase, withPath, type StageState } from './state.js';
import type { StepContext } from './step.js';

/** Carries a stage out; its end. Rejects with the first step's error. */
export async function runStage(build: Build, planned: PlannedStage): Promise<StageState> {
  const args = new BuildArgs(build.request.args, build.plan.globals, build.plan.used);
  const context = (digest: string): StepContext => stepContext(build, planned, { args, digest });
  const from = context(planned.vertex.digest);
  await from.tell({ kind: 'started', atMs: build.context.nowMs() });
  let state = await runTriggers(from, await baseState(from, planned));
  const isAlone = planned.steps.length === 0;
  await complete(from, state, isAlone);
  for (const [index, { vertex, instruction }] of planned.steps.entries()) {
    build.signal.throwIfAborted();
    const step = context(vertex.digest);
    await step.tell({ kind: 'started', atMs: build.context.nowMs() });
    state = await runInstruction(step, state, instruction);
    await complete(step, state, index === planned.steps.length - 1);
  }
  return state;
}

function complete(step: StepContext, state: StageState, endsStage: boolean): Promise<void> {
  const atMs = step.build.context.nowMs();
  return step.tell({ kind: 'completed', atMs, imageId: state.id, endsStage });
}

function stepContext(
  build: Build,
  { index }: PlannedStage,
  { args, digest }: { readonly args: BuildArgs; readonly digest: string },
): StepContext {
  // A character may lie across two pieces of output.
  const decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
  return {
    build,
    stage: index,
    args,
    // What is told is an event of the type that it was taken from, its digest put back.
    tell: (event) => build.observer.tell({ ...event, digest }),
    output: async (stream, bytes) => {
      const text = decoders[stream].write(Buffer.from(bytes));
      if (text !== '') await build.observer.tell({ kind: 'log', digest, stream, text });
    },
  };
}

async function baseState(step: StepContext, planned: PlannedStage): Promise<StageState> {
  const { build } = step;
  const { base } = planned;
  if ('stage' in base) {
    const before = await build.stage(base.stage);
    return { ...before, config: withPath(before.config), cmdIsOwn: false };
  }
  if (base.image === '') throw invalidParameter(`base name (${base.written}) should not be blank`);
  const platform = platformOf(build, planned);
  if (base.image === 'scratch') {
    return emptyState(scratchPlatform(platform));
  }
  const { images } = build.context;
  const found = await images.base({
    name: base.image,
    platform,
    pull: build.request.pull,
    auth: build.request.session.auth(images.registryOf(base.image)),
    sink: (message) => step.tell({ kind: 'pull', message }),
    signal: build.signal,
  });
  await build.hold.keepBase(found);
  return stateOfBase(found);
}

function scratchPlatform(platform: string): StageState['platform'] {
  const [os = '', architecture = '', variant = ''] = platform.split('/');
  if (os !== '' && os !== 'linux') throw invalidParameter('operating system is not supported');
  const named = variant === '' ? {} : { variant };
  return { os: 'linux', architecture: architecture || hostArchitecture(), ...named };
}

function platformOf({ request }: Build, { platform }: PlannedStage): string {
  if (platform === '') return request.platform;
  try {
    return checkPlatform(platform);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw invalidParameter(`failed to parse platform ${platform}: ${error.message}`, error);
  }
}

/** What the base's `ONBUILD` left for whoever builds on it; nobody does so twice. */
async function runTriggers(step: StepContext, base: StageState): Promise<StageState> {
  const triggers = base.config.OnBuild ?? [];
  const config = without(base.config, 'OnBuild');
  if (triggers.length === 0) return base;
  const plural = triggers.length === 1 ? '' : 's';
  const note = `# Executing ${triggers.length} build trigger${plural}\n`;
  await step.tell({ kind: 'log', stream: 'note', text: note });
  let state: StageState = { ...base, config };
  for (const trigger of triggers) {
    state = await runInstruction(step, state, parseTrigger(trigger, 0));
  }
  return state;
}

async function runInstruction(
  step: StepContext,
  state: StageState,
  instruction: StageInstruction,
): Promise<StageState> {
  switch (instruction.kind) {
    case 'RUN':
      return runStep(step, state, instruction);
    case 'COPY':
    case 'ADD':
      return copyStep(step, state, instruction);
    case 'ARG':
      return argStep(step, state, instruction);
    default:
      return configStep(step, state, instruction);
  }
}

async function argStep(
  step: StepContext,
  state: StageState,
  instruction: ArgInstruction,
): Promise<StageState> {
  const shown: string[] = [];
  for (const { name, value } of instruction.args) {
    const variables = step.args.variables(state.config.Env ?? []);
    const options = { variables, escape: step.build.escape };
    const key = expandWord(name, options);
    const expanded = value === undefined ? undefined : expandWord(value, options);
    step.args.declare(key, expanded);
    shown.push(expanded === undefined ? key : `${key}=${expanded}`);
  }
  const comment = `ARG ${shown.join(' ')}`;
  const { config } = state;
  const createdBy = nopText(config, comment);
  return pretend(step, state, {
    createdBy,
    extra: [],
    config,
    kind: 'regular',
    description: instruction.text,
  });
}

async function configStep(
  step: StepContext,
  state: StageState,
  instruction: Exclude<StageInstruction, { readonly kind: 'RUN' | 'COPY' | 'ADD' | 'ARG' }>,
): Promise<StageState> {
  const { build, args } = step;
  const variables = args.variables(state.config.Env ?? []);
  const change = changeConfig(state, instruction, { variables, escape: build.escape });
  const { config, comment, author, cmdIsOwn } = change;
  if (instruction.kind === 'STOPSIGNAL') build.context.checkSignal(config.StopSignal ?? '');
  for (const text of change.notes ?? []) await step.tell({ kind: 'log', stream: 'note', text });
  const isWorkdir = instruction.kind === 'WORKDIR';
  const key: StepKey = {
    createdBy: isWorkdir
      ? `${shellOf(config).join(' ')} #(nop) ${comment}`
      : nopText(config, comment),
    extra: [],
    config,
    kind: 'regular',
    description: instruction.text,
    ...(author === undefined ? {} : { author }),
    ...(cmdIsOwn === undefined ? {} : { cmdIsOwn }),
  };
  return pretend(step, state, key, isWorkdir ? (config.WorkingDir ?? '/') : undefined);
}

/** A step without a command; it tells of a container all the same, as Docker does. */
async function pretend(
  step: StepContext,
  state: StageState,
  key: StepKey,
  workdir?: string,
): Promise<StageState> {
  const { build } = step;
  const found = await recall(build, state, key);
  if (found !== undefined) {
    await step.tell({ kind: 'cached' });
    return found;
  }
  const containerId = randomId();
  await step.tell({ kind: 'running', containerId });
  const layer = workdir === undefined ? undefined : await makeWorkdir(build, state, workdir);
  const next = await remember(build, state, { step: key, layer });
  await step.tell({ kind: 'removed', containerId });
  return next;
}
