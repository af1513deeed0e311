/**
 * What is visible on disk and would not survive a power cut yet: layers and blobs of build steps,
 * which nobody was told of. Before a row that lasts refers to any of it, all of it is synced, in
 * one process for many; until then a crash of the machine loses it with the steps that made it.
 */

/** One per data root. */
export interface Unsynced {
  /** A file or folder of the data root; it lasts, with its name, after the next `settle`. */
  add(path: string): void;
  /** Nothing is left to do when it resolves, as far as it was added before. */
  settle(): Promise<void>;
}

/** Over a call that syncs files and folders with their names, and passes over what is gone. */
export function createUnsynced(sync: (paths: readonly string[]) => Promise<void>): Unsynced {
  const waiting = new Set<string>();
  let last: Promise<void> = Promise.resolve();
  const settleNow = async (): Promise<void> => {
    const paths = [...waiting].sort();
    if (paths.length === 0) return;
    await sync(paths);
    for (const path of paths) waiting.delete(path);
  };
  return {
    add: (path) => void waiting.add(path),
    settle: () => {
      // One after the other: whoever comes while paths are synced may rely on these.
      last = last.then(settleNow, settleNow);
      return last;
    },
  };
}
