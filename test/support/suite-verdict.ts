import type { KernelRun } from './kernel.js';
import { TapTally } from './tap-tally.js';

/** What a suite said that ran elsewhere. */
export interface SuiteVerdict {
  readonly passed: number;
  readonly failed: number;
  /** What failed, with its reason. */
  readonly told: string;
}

/** Reads the TAP that a run under another kernel has printed. */
export function suiteVerdict(run: Extract<KernelRun, { kind: 'ended' }>): SuiteVerdict {
  const told: string[] = [];
  const tally = new TapTally((line) => told.push(line));
  const stream = tally.begin('there');
  stream.write(run.output);
  stream.end(run.status === 0 ? undefined : `ended with status ${run.status}`);
  return { passed: tally.passed, failed: tally.failed, told: told.join('\n') };
}
