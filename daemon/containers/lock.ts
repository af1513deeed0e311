/**
 * One at a time, in the order of asking: a lock that is held for a transition, never for a wait.
 */
export class Lock {
  #tail: Promise<unknown> = Promise.resolve();

  /** Runs `work` once everything that asked before has ended, however it ended. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(work, work);
    // The next in line waits for the end only; the outcome is the caller's.
    this.#tail = turn.then(nothing, nothing);
    return turn;
  }
}

function nothing(): void {
  // Only the order matters here.
}
