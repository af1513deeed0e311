/** One build under way: what all its steps share. */
import type { HostConfig } from '../../api-spec/index.js';
import type { BuildHold } from '../images/builds.js';
import type { GivenArgs } from './build-args.js';
import type { Cache } from './cache.js';
import type { CacheMounts } from './cache-mounts.js';
import type { ExportSink } from './export.js';
import type { EscapeToken } from './dockerfile/lines.js';
import type { BuildContext, BuildSession } from './needs.js';
import type { Plan } from './plan.js';
import type { BuildObserver } from './progress.js';
import type { Slots } from './slots.js';
import type { SourceTree } from './source-tree.js';
import type { Scratch } from './scratch.js';
import type { StageState } from './state.js';

/** When the container of a `RUN` stays: never, if it failed, always. */
export type KeepContainers = 'never' | 'ifFailed' | 'always';

/** What a build is asked to do; nothing of it says by which door it came. */
export interface BuildRequest {
  readonly dockerfile: string;
  /** Read while steps want it; closed by the caller. */
  readonly context: SourceTree;
  readonly args: GivenArgs;
  readonly labels: Readonly<Record<string, string>>;
  readonly target: string;
  /** `os[/arch[/variant]]`, empty for this machine's. */
  readonly platform: string;
  readonly useCache: boolean;
  /** Images whose history counts as cache. */
  readonly cacheFrom: readonly string[];
  readonly pull: boolean;
  readonly keepContainers: KeepContainers;
  /** Limits, network and hosts of every `RUN`. */
  readonly hostConfig: HostConfig;
  /** What takes the result. */
  readonly sink: ExportSink;
  readonly session: BuildSession;
}

/** The build, as its stages and steps see it. */
export interface Build {
  readonly context: BuildContext;
  readonly cache: Cache;
  readonly cacheMounts: CacheMounts;
  readonly request: BuildRequest;
  readonly plan: Plan;
  readonly escape: EscapeToken;
  readonly hold: BuildHold;
  readonly observer: BuildObserver;
  readonly slots: Slots;
  readonly scratch: Scratch;
  readonly signal: AbortSignal;
  /** Writes down what steps have made so far: durable, for whatever refers to it. */
  flush(): Promise<void>;
  /** Keys of records that were found: counted as used once the build has ended. */
  readonly found: Set<string>;
  /** Goes on beside the steps, and is waited for at the build's end. */
  later(work: Promise<void>): void;
  /** The end of a stage; rejects as it does. */
  stage(index: number): Promise<StageState>;
}
