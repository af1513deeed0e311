/** Changes that nobody waits for, made together: a transaction costs more than what is in it. */
import type { Statement } from './store.js';

/** How long one waits for a transaction that takes it along. */
const gatherMs = 20;

/** What belongs together, told once it is carried out. */
export type Change = () => readonly Statement[];

/** Changes in the order in which they came. */
export class Later {
  #waiting: Change[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** `flush` is called when no transaction came by; it has to `take`. */
  constructor(readonly flush: () => void) {}

  add(change: Change): void {
    this.#waiting.push(change);
    this.#timer ??= setTimeout(this.flush, gatherMs).unref();
  }

  /** All that waits, which does so no longer. */
  take(): readonly (readonly Statement[])[] {
    const those = this.#waiting;
    if (those.length === 0) return [];
    this.#waiting = [];
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return those.map((change) => change());
  }
}
