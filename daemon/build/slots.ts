/** How many steps may work at once; the others wait in the order of their calls. */
export interface Slots {
  /** Runs `work` when there is room; rejects with the signal's reason if it is aborted before. */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}
