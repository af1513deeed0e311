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

/** Builds every service once and joins them; starts nothing that would outlive an error. */
export type Compose = (config: DaemonConfig, log: DaemonLog) => Promise<Engine>;
