/** Somebody who holds a lease. */
interface Holder {
  readonly exclusive: boolean;
  readonly giveUp: (reason: Error) => void;
}

interface Waiting {
  readonly holder: Holder;
  readonly admit: () => void;
}

/**
 * Who may write to a container's own folder: one mount of it at a time. Copies into a running
 * container share its mount; a start, and a copy into one at rest, make a mount of their own and
 * have it for themselves. In the order of asking.
 */
export class Lease {
  readonly #holders = new Set<Holder>();
  #waiting: Waiting[] = [];

  /** Resolves with what gives it back (idempotent). `giveUp` is called when others cannot wait. */
  take(exclusive: boolean, giveUp: (reason: Error) => void): Promise<() => void> {
    const holder: Holder = { exclusive, giveUp };
    return new Promise((resolve) => {
      const admit = (): void => {
        this.#holders.add(holder);
        resolve(() => this.#release(holder));
      };
      this.#waiting.push({ holder, admit });
      this.#admitNext();
    });
  }

  /** Asks all who hold it, or wait for it, to leave. */
  demand(reason: Error): void {
    for (const { giveUp } of this.#holders) giveUp(reason);
    for (const { holder } of this.#waiting) holder.giveUp(reason);
  }

  #release(holder: Holder): void {
    if (this.#holders.delete(holder)) this.#admitNext();
  }

  #admitNext(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || !this.#hasRoomFor(next.holder)) return;
      this.#waiting = this.#waiting.slice(1);
      next.admit();
    }
  }

  #hasRoomFor({ exclusive }: Holder): boolean {
    if (exclusive) return this.#holders.size === 0;
    return [...this.#holders].every((holder) => !holder.exclusive);
  }
}
