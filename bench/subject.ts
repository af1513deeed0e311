import type { Client } from './client.js';
import type { Talker } from './talk/index.js';

/** One engine under measurement. */
export interface Subject {
  readonly name: 'tsdocker' | 'reference';
  readonly client: Client;
  /** The client of what is timed to the tenth of a millisecond. */
  readonly talker: Talker;
  /** Where its pulls find the registry: `127.0.0.1:5000`; undefined while there is none. */
  readonly registry: string | undefined;
  /** Its processes, for memory; empty if they cannot be seen. */
  readonly pids: () => readonly number[];
  /** The client of a second engine whose data lies on tmpfs. */
  readonly onTmpfs: Client | undefined;
}

/** How one thing is measured, and what is good. */
export interface Measure {
  readonly name: string;
  readonly unit: 'ms' | 'MB' | 'MB/s' | '1/s' | 's';
  readonly better: 'lower' | 'higher';
  /** The target as the issue states it: a ratio to the reference, or a bound of our own. */
  readonly target?: { readonly ratio: number } | { readonly bound: number };
  readonly rounds: number;
  /** What it is held against where that is no engine: the measure knows it as the reference. */
  readonly rival?: string;
  /** One round on one engine; undefined where it cannot be measured. */
  readonly run: (subject: Subject) => Promise<number | undefined>;
}

/** What all measures share. */
export interface Plan {
  /** Smaller sizes and fewer rounds. */
  readonly isQuick: boolean;
  /** The name of the small image, the same on all engines. */
  readonly image: string;
  /** Distinguishes this run's objects from all others. */
  readonly prefix: string;
}
