/** What one step works with. */
import type { BuildArgs } from './build-args.js';
import type { Build } from './build.js';
import type { BuildEvent } from './progress.js';

type WithoutDigest<Event> = Event extends { readonly digest: string }
  ? Omit<Event, 'digest'>
  : never;

/** A step's place in its build. */
export interface StepContext {
  readonly build: Build;
  /** The stage's place in the Dockerfile. */
  readonly stage: number;
  readonly args: BuildArgs;
  /** Tells of the step's own vertex. */
  tell(event: WithoutDigest<BuildEvent>): Promise<void>;
  readonly output: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => Promise<void>;
}
