/** Events that nobody waits for, stored together: a transaction costs more than what is in it. */
import type { Store } from '../store/index.js';
import type { Stamped, StampedEvent } from './stamps.js';

/** How long one waits for others while nobody listens. */
const gatherMs = 20;

interface GatheringOptions {
  readonly store: Store;
  readonly listeners: ReadonlySet<(event: StampedEvent) => void>;
  /** Told of what could not be stored. */
  readonly onLost: (error: unknown) => void;
}

/** Those that are not stored yet, in their order. */
export class Gathering {
  #waiting: Stamped[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(readonly options: GatheringOptions) {}

  /** It is stored and told soon: at the end of this turn if somebody listens. */
  add(stamped: Stamped): void {
    this.#waiting.push(stamped);
    if (this.#waiting.length > 1) return;
    const flush = (): void => this.flushUnwaited();
    if (this.options.listeners.size > 0) setImmediate(flush);
    else this.#timer = setTimeout(flush, gatherMs).unref();
  }

  /** Stores them now; whatever is committed from here on comes after them. */
  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const { store, listeners } = this.options;
    const those = this.#waiting;
    this.#waiting = [];
    clearTimeout(this.#timer);
    // Not to who begins to listen meanwhile: it has happened before.
    const audience = [...listeners];
    await store.commit(those.flatMap(({ statements }) => statements), 'normal');
    for (const { event } of those) for (const listener of audience) listener(event);
  }

  flushUnwaited(): void {
    this.flush().catch(this.options.onLost);
  }
}
