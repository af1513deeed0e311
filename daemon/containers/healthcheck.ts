/** Health checks: who is watched, and each probe as an exec of its own in the container. */
import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Health } from '../../api-spec/index.js';
import type { Container } from './container.js';
import { containerEvent } from './context.js';
import type { Context } from './context.js';
import type { Exec } from './exec-book.js';
import { createProbe } from './exec.js';
import { startExec } from './exec-start.js';
import {
  afterProbe,
  exceededTimeout,
  probePlan,
  startingHealth,
  unwatchedHealth,
  waitMs,
} from './health-schedule.js';
import type { ContainerHealth, ProbePlan, ProbeResult } from './health-schedule.js';
import { LimitedText } from './limited-text.js';

const maxOutputBytes = 4096;
/** How long an exec whose time is over may take to be there to be killed. */
const maxKillWaitMs = 60_000;
const sigkill = 9;
const defaultShell = ['/bin/sh', '-c'];

/** A container has been started: its health begins anew. */
export function beginHealth(context: Context, container: Container): void {
  const isProbed = planOf(context, container) !== undefined;
  if (isProbed || container.health !== undefined) {
    note(context, container, isProbed ? startingHealth(container.health) : undefined);
  }
  watchHealth(context, container);
}

/** Probes a running container from now on, until `endHealth`; one without a probe is left alone. */
export function watchHealth(context: Context, container: Container): void {
  container.healthWatch?.abort();
  container.healthWatch = undefined;
  const plan = planOf(context, container);
  const { state } = container.record;
  if (plan === undefined || state.status !== 'running') return;
  container.health ??= startingHealth(undefined);
  const watch = new AbortController();
  container.healthWatch = watch;
  // Its own clock: the host's may be set anew at any time.
  const startedMs = performance.now() - Math.max(0, Date.now() - state.startedAtMs);
  const { signal } = watch;
  keepProbing(context, container, { plan, startedMs, signal }).catch((error: unknown) => {
    if (signal.aborted) return;
    context.log.error({ id: container.id, err: error }, 'a health check has ended');
  });
}

/** It is paused or has ended: nobody asks any more. */
export function endHealth(context: Context, container: Container): void {
  container.healthWatch?.abort();
  container.healthWatch = undefined;
  if (container.health === undefined) return;
  note(context, container, unwatchedHealth(container.health));
}

/** As inspect shows it. */
export function shownHealth({ health }: Container): Health | undefined {
  if (health === undefined) return undefined;
  const { status, failingStreak, log } = health;
  const timeText = (ms: number): string => new Date(ms).toISOString();
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ startMs, endMs, exitCode, output }) => ({
      Start: timeText(startMs),
      End: timeText(endMs),
      ExitCode: exitCode,
      Output: output,
    })),
  };
}

function planOf({ images }: Context, { record }: Container): ProbePlan | undefined {
  const { Healthcheck: config, Shell: own } = record.config;
  if (config === undefined) return undefined;
  const shell = [own, images.byId(record.imageId)?.config.Shell].find((words) => words?.length);
  return probePlan(config, shell ?? defaultShell);
}

/** True at once; written down with what it makes known, and derived again should that be lost. */
function note(context: Context, container: Container, health: ContainerHealth | undefined): void {
  const before = container.health?.status;
  container.health = health;
  const isNews = health !== undefined && health.status !== before && health.status !== 'starting';
  const news =
    isNews && container.healthWatch !== undefined
      ? [context.events.stamp(containerEvent(container.record, `health_status: ${health.status}`))]
      : [];
  const kept = {
    sql: 'UPDATE containers SET health = ? WHERE id = ?',
    params: [health === undefined ? null : JSON.stringify(health), container.id],
  };
  context.store
    .commit([kept, ...news.flatMap(({ statements }) => statements)], 'normal')
    .then(() => news.forEach(({ announce }) => announce()))
    .catch((error: unknown) => {
      context.log.error({ id: container.id, err: error }, 'its health could not be recorded');
    });
}

interface Watch {
  readonly plan: ProbePlan;
  /** On the clock of `performance.now`. */
  readonly startedMs: number;
  readonly signal: AbortSignal;
}

async function keepProbing(context: Context, container: Container, watch: Watch): Promise<void> {
  const { plan, startedMs, signal } = watch;
  let wellSinceMs: number | undefined;
  for (;;) {
    const before = container.health ?? startingHealth(undefined);
    const wait = waitMs(plan, before, performance.now() - startedMs);
    await delay(wait, undefined, { signal, ref: false });
    const uptimeMs = performance.now() - startedMs;
    const result = await probe(context, container, plan, signal);
    if (signal.aborted) return;
    const health = afterProbe(plan, before, { result, uptimeMs });
    note(context, container, health);
    if (health.status === 'healthy') wellSinceMs ??= performance.now();
    const wellMs = wellSinceMs === undefined ? 0 : performance.now() - wellSinceMs;
    if (health.status === 'unhealthy') cure(context, container, wellMs);
  }
}

/** Where its owner wants it, an unhealthy container starts again; one that is stopped is not. */
function cure(context: Context, container: Container, wellMs: number): void {
  const isWanted = container.record.hostConfig.RestartOnUnhealthy === true;
  if (!isWanted || container.unwell !== undefined || container.exitIsWanted) return;
  container.unwell = { wellMs };
  context.afterExit.endUnwell(container).catch((error: unknown) => {
    context.log.error({ id: container.id, err: error }, 'it is unhealthy and was not ended');
  });
}

async function probe(
  context: Context,
  container: Container,
  plan: ProbePlan,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const startMs = Date.now();
  const done = (exitCode: number, output: string): ProbeResult => {
    return { startMs, endMs: Date.now(), exitCode, output };
  };
  const output = new LimitedText(maxOutputBytes);
  try {
    const exec = await createProbe(context, container, plan.command);
    const running = runToEnd(context, container, { exec, output, signal });
    const timer = new AbortController();
    const late = delay(plan.timeoutMs, 'late' as const, { signal: timer.signal, ref: false });
    const first = await Promise.race([running, late.catch(() => 'called off' as const)]).finally(
      () => timer.abort(),
    );
    if (first !== 'late') return done(exitCodeOf(exec), String(output));
    await kill(exec);
    // A dying probe is waited for: they must not pile up.
    await running.catch(() => undefined);
    return done(-1, exceededTimeout(plan.timeoutMs, String(output)));
  } catch (error) {
    return done(-1, error instanceof Error ? error.message : String(error));
  }
}

interface Run {
  readonly exec: Exec;
  readonly output: LimitedText;
  readonly signal: AbortSignal;
}

/** Resolves when its process and its output have ended; a watch that ends kills it. */
async function runToEnd(
  context: Context,
  container: Container,
  { exec, output, signal }: Run,
): Promise<void> {
  const onAbort = (): void => void kill(exec).catch(() => undefined);
  signal.addEventListener('abort', onAbort);
  let stream: Duplex | undefined;
  try {
    stream = await startExec(context, container, exec, { detached: false, raw: true });
    stream?.on('data', (piece: Buffer) => output.add(piece));
    const closed = stream === undefined ? undefined : finished(stream, { writable: false, signal });
    await Promise.all([exec.ended(signal), closed]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    stream?.destroy();
  }
}

async function kill(exec: Exec): Promise<void> {
  await exec.reaches(({ status }) => status === 'running' || status === 'ended', maxKillWaitMs);
  const { state } = exec;
  if (state.status === 'running') await state.task.signal(sigkill);
}

function exitCodeOf({ state }: Exec): number {
  return state.status === 'ended' ? state.exitCode : -1;
}
