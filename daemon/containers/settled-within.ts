/** Once all have settled, or after so long. */
export function settledWithin(all: Iterable<Promise<void>>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void Promise.allSettled(all).then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
