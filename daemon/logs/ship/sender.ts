import type { SpooledLine } from './line.js';

/** Where lines are shipped to, once it has been reached. */
export interface Sender {
  /** Resolves when they have left; rejects when they, or some of them, have not. */
  send(lines: readonly SpooledLine[]): Promise<void>;
  close(): void;
}

/** Reaches the receiver; rejects while it cannot be reached. */
export type OpenSender = (signal: AbortSignal) => Promise<Sender>;
