/** When a container's health is probed, and what a probe makes of it: pure, by Docker's rules. */
import type { HealthConfig } from '../../api-spec/index.js';

/** One run of the probe; times in ms since the epoch. */
export interface ProbeResult {
  readonly startMs: number;
  readonly endMs: number;
  /** 0 is healthy; -1 when it did not end by itself or could not be started. */
  readonly exitCode: number;
  readonly output: string;
}

/** What is known of a container's health, with the last runs, oldest first. */
export interface ContainerHealth {
  readonly status: 'starting' | 'healthy' | 'unhealthy';
  /** Failures in a row. */
  readonly failingStreak: number;
  readonly log: readonly ProbeResult[];
}

/** A probe and its times, with everything that was left out filled in. */
export interface ProbePlan {
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
  readonly retries: number;
}

const defaults = { intervalMs: 30_000, timeoutMs: 30_000, startIntervalMs: 5_000, retries: 3 };
const maxLogEntries = 5;
/** The longest that a timer of Node can run: 2^31 - 1. */
const maxTimerMs = 0x7fff_ffff;

/** Undefined when nothing is to be probed; `shell` is what runs a `CMD-SHELL`. */
export function probePlan(
  config: HealthConfig | undefined,
  shell: readonly string[],
): ProbePlan | undefined {
  const [kind, ...words] = config?.Test ?? [];
  const command = kind === 'CMD-SHELL' ? [...shell, ...words] : words;
  if ((kind !== 'CMD' && kind !== 'CMD-SHELL') || words.length === 0) return undefined;
  return {
    command,
    intervalMs: msOf(config?.Interval, defaults.intervalMs),
    timeoutMs: msOf(config?.Timeout, defaults.timeoutMs),
    startPeriodMs: msOf(config?.StartPeriod, 0),
    startIntervalMs: msOf(config?.StartInterval, defaults.startIntervalMs),
    retries: config?.Retries || defaults.retries,
  };
}

function msOf(nanoseconds: number | undefined, otherwise: number): number {
  return Math.min(nanoseconds ? nanoseconds / 1e6 : otherwise, maxTimerMs);
}

/** How long to wait for the next probe: at a rate of its own until it is healthy for once. */
export function waitMs(plan: ProbePlan, { status }: ContainerHealth, uptimeMs: number): number {
  const isStarting = uptimeMs < plan.startPeriodMs && status === 'starting';
  return isStarting ? plan.startIntervalMs : plan.intervalMs;
}

/** The health after a probe that began at `uptimeMs`: failures while it starts do not count. */
export function afterProbe(
  plan: ProbePlan,
  before: ContainerHealth,
  { result, uptimeMs }: { readonly result: ProbeResult; readonly uptimeMs: number },
): ContainerHealth {
  const log = [...before.log, result].slice(-maxLogEntries);
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  if (before.status === 'starting' && uptimeMs < plan.startPeriodMs) return { ...before, log };
  const failingStreak = before.failingStreak + 1;
  const status = failingStreak >= plan.retries ? 'unhealthy' : before.status;
  return { status, failingStreak, log };
}

/** At each start; what earlier runs said stays to be seen. */
export function startingHealth(before: ContainerHealth | undefined): ContainerHealth {
  return { status: 'starting', failingStreak: 0, log: before?.log ?? [] };
}

/** A container that nobody probes, because it is paused or has ended, is told as unhealthy. */
export function unwatchedHealth(before: ContainerHealth): ContainerHealth {
  return { ...before, status: 'unhealthy' };
}

/** What a probe that was killed for its time says, in Docker's words. */
export function exceededTimeout(timeoutMs: number, output: string): string {
  const said = output === '' ? '' : `: ${output}`;
  return `Health check exceeded timeout (${durationText(timeoutMs)})${said}`;
}

/** As Go writes a duration: `300ms`, `1.5s`, `1m0s`, `1h0m0s`. */
function durationText(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const seconds = `${(ms % 60_000) / 1000}s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes === 0) return seconds;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes}m${seconds}` : `${hours}h${minutes % 60}m${seconds}`;
}
