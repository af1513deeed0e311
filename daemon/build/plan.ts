/** Which stages a build needs, what each stands on, and how its steps are called. Pure. */
import { createHash } from 'node:crypto';
import { invalidParameter } from '../../api-spec/errors.js';
import { BuildArgs, type GivenArgs, type UsedArgs } from './build-args.js';
import { expandWord, type ExpandOptions } from './dockerfile/expand.js';
import type { PairsInstruction, StageInstruction } from './dockerfile/instruction.js';
import type { Dockerfile, Stage } from './dockerfile/parse.js';
import type { Vertex } from './progress.js';

/** One step of a stage, its vertex with it. */
export interface PlannedStep {
  readonly vertex: Vertex;
  readonly instruction: StageInstruction;
}

/** One stage that is needed. */
export interface PlannedStage {
  /** Its place in the Dockerfile. */
  readonly index: number;
  readonly name: string;
  readonly vertex: Vertex;
  /** Expanded; the number of another stage if it begins with one. */
  readonly base:
    | { readonly stage: number }
    /** Empty if its variables were; `written` is what the Dockerfile has. */
    | { readonly image: string; readonly written: string };
  readonly platform: string;
  readonly steps: readonly PlannedStep[];
}

/** A build before it runs. */
export interface Plan {
  readonly globals: ReadonlyMap<string, string | undefined>;
  /** In the Dockerfile's order. */
  readonly stages: readonly PlannedStage[];
  /** The last of these is what the build makes. */
  readonly vertices: readonly Vertex[];
  /** Places and names of all stages, for `--from`. */
  readonly stageIndex: (reference: string, before: number) => number | undefined;
  /** Numbers of all steps, those not needed included: `Step 3/9`. */
  readonly numbers: ReadonlyMap<string, number>;
  readonly total: number;
  readonly used: UsedArgs;
}

/** What a plan is made from. */
export interface PlanRequest {
  readonly dockerfile: Dockerfile;
  readonly given: GivenArgs;
  readonly labels: Readonly<Record<string, string>>;
  readonly target: string;
  readonly predefined: ReadonlyMap<string, string>;
}

/** `ApiError` 400 for a target that there is not. */
export function planBuild(request: PlanRequest): Plan {
  const { dockerfile } = request;
  const used: UsedArgs = new Set();
  const globals = globalArgs(request, used);
  const last = targetStage(dockerfile.stages, request.target);
  const stages = withLabels(dockerfile.stages.slice(0, last + 1), request.labels);
  const { numbers, total } = numberSteps(dockerfile.globals.length, stages);
  const options: ExpandOptions = {
    variables: (name) => globals.get(name) ?? undefined,
    escape: dockerfile.escape,
  };
  const stageIndex = (reference: string, before: number): number | undefined =>
    findStage(stages, reference, before);
  const planned = stages.map((stage, index) =>
    planStage(stage, index, { options, stageIndex, numbers }),
  );
  const needed = neededStages(planned, stageIndex);
  const kept = planned.filter(({ index }) => needed.has(index));
  for (const [index, stage] of stages.entries()) if (!needed.has(index)) declareAll(stage, used);
  const vertices = kept.flatMap(({ vertex, steps }) => [
    vertex,
    ...steps.map((step) => step.vertex),
  ]);
  return { globals, stages: kept, vertices, stageIndex, numbers, total, used };
}

function globalArgs(
  { dockerfile, given, predefined }: PlanRequest,
  used: UsedArgs,
): ReadonlyMap<string, string | undefined> {
  const all = new Map<string, string | undefined>(predefined);
  for (const { args } of dockerfile.globals) {
    for (const { name, value } of args) {
      const known = new BuildArgs(given, all, used);
      const options = { variables: (key: string) => all.get(key), escape: dockerfile.escape };
      known.declare(name, value === undefined ? undefined : expandWord(value, options));
      all.set(name, known.values().get(name));
    }
  }
  return all;
}

function targetStage(stages: readonly Stage[], target: string): number {
  if (target === '') return stages.length - 1;
  const named = stages.findLastIndex(({ from }) => from.stageName === target.toLowerCase());
  const found = named >= 0 ? named : numberOf(target);
  if (found === undefined || found >= stages.length) {
    throw invalidParameter(`target stage ${JSON.stringify(target)} could not be found`);
  }
  return found;
}

function numberOf(text: string): number | undefined {
  return /^\d{1,6}$/.test(text) ? Number(text) : undefined;
}

/** The client's labels are steps at the end, one each. */
function withLabels(
  stages: readonly Stage[],
  labels: Readonly<Record<string, string>>,
): readonly Stage[] {
  const names = Object.keys(labels).sort();
  const steps = names.map((name): PairsInstruction => {
    const value = labels[name] ?? '';
    const text = `LABEL ${name}=${value}`;
    return { kind: 'LABEL', line: 0, text, pairs: [{ name, value }], literal: true };
  });
  return stages.map((stage, index) =>
    index === stages.length - 1
      ? { ...stage, instructions: [...stage.instructions, ...steps] }
      : stage,
  );
}

/** Steps by `stage.step`; arguments before the first stage come first. */
function numberSteps(globals: number, stages: readonly Stage[]) {
  const numbers = new Map<string, number>();
  let total = globals;
  for (const [index, { instructions }] of stages.entries()) {
    for (let step = 0; step <= instructions.length; step += 1) {
      total += 1;
      numbers.set(stepName(index, step), total);
    }
  }
  return { numbers, total };
}

/** What a stage that is left out would have used: it is not to be warned of. */
function declareAll({ instructions }: Stage, used: UsedArgs): void {
  for (const instruction of instructions) {
    if (instruction.kind !== 'ARG') continue;
    for (const { name } of instruction.args) used.add(name);
  }
}

function stepName(stage: number, step: number): string {
  return `sha256:${createHash('sha256').update(`${stage}.${step}`).digest('hex')}`;
}

function findStage(
  stages: readonly Stage[],
  reference: string,
  before: number,
): number | undefined {
  const name = reference.toLowerCase();
  const named = stages
    .slice(0, before)
    .findLastIndex(({ from }) => from.stageName !== '' && from.stageName === name);
  if (named >= 0) return named;
  const number = numberOf(reference);
  return number !== undefined && number < before ? number : undefined;
}

interface StageContext {
  readonly options: ExpandOptions;
  readonly stageIndex: Plan['stageIndex'];
  readonly numbers: ReadonlyMap<string, number>;
}

function planStage(stage: Stage, index: number, context: StageContext): PlannedStage {
  const { from, instructions } = stage;
  const image = expandWord(from.image, context.options);
  const base = context.stageIndex(image, index);
  // Only a name means a stage here: an image may be called by a number.
  const isStage = base !== undefined && numberOf(image) === undefined;
  const platform = expandWord(from.platform, context.options);
  const vertex = vertexOf(index, 0, from.text, isStage ? [stepName(base, 0)] : []);
  const steps = instructions.map((instruction, step) => ({
    instruction,
    vertex: vertexOf(index, step + 1, instruction.text, [stepName(index, step)]),
  }));
  return {
    index,
    name: from.stageName,
    vertex,
    base: isStage ? { stage: base } : { image, written: from.image },
    platform,
    steps,
  };
}

function vertexOf(stage: number, step: number, name: string, inputs: readonly string[]): Vertex {
  return { digest: stepName(stage, step), inputs, name, stage };
}

/** From the last stage back to all that it reads. */
function neededStages(
  planned: readonly PlannedStage[],
  stageIndex: Plan['stageIndex'],
): ReadonlySet<number> {
  const needed = new Set<number>();
  const visit = (index: number): void => {
    const stage = planned[index];
    if (stage === undefined || needed.has(index)) return;
    needed.add(index);
    for (const other of readStages(stage, stageIndex)) visit(other);
  };
  visit(planned.length - 1);
  return needed;
}

/** The stages that a stage reads, as far as its words say without variables. */
export function readStages(
  stage: PlannedStage,
  stageIndex: Plan['stageIndex'],
): readonly number[] {
  const references = stage.steps.flatMap(({ instruction }) => referencesOf(instruction));
  const read = references.flatMap((reference) => stageIndex(reference, stage.index) ?? []);
  return 'stage' in stage.base ? [stage.base.stage, ...read] : read;
}

function referencesOf(instruction: StageInstruction): readonly string[] {
  if (instruction.kind === 'COPY') return instruction.from === '' ? [] : [instruction.from];
  if (instruction.kind !== 'RUN') return [];
  return instruction.mounts.flatMap(({ from }) => (from === '' ? [] : [from]));
}
