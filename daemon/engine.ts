import type { DaemonConfig } from './config/config.js';
import type { DaemonLog } from './daemon-log.js';

/** The daemon as `main.ts` sees it: what `compose.ts` joins together. */
export interface Engine {
  /** Recovers, then listens on every address; resolves when all of them answer. */
  serve(): Promise<void>;
  /**
   * Stops serving: no new connections, running requests are ended, the database is closed.
   * Containers, their shims and their ports are left as they are. Idempotent.
   */
  close(): Promise<void>;
}

/** What `tsdockerd fsck` found. */
export interface FsckReport {
  /** One sentence for each thing that is not as it was. */
  readonly lines: readonly string[];
  /** Whether something was found that is not as it should be now. */
  readonly isLeft: boolean;
}

/** Looks at all images of a data root whose daemon does not run. */
export type Fsck = (
  config: DaemonConfig,
  log: DaemonLog,
  options: { readonly repair: boolean },
) => Promise<FsckReport>;

/** Builds every service once and joins them; starts nothing that would outlive an error. */
export type Compose = (config: DaemonConfig, log: DaemonLog) => Promise<Engine>;
