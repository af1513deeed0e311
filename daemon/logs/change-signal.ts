import { watch } from 'node:fs';
import { dirname } from 'node:path';

/** Filesystems without inotify (a user-mode kernel's hostfs) are looked at this often. */
const fallbackMs = 1000;

/** Tells that something happened to a log since it was last asked. */
export interface ChangeSignal {
  /**
   * Resolves at the next change, at once if one came since the last call; at `fallbackMs` at most.
   */
  next(): Promise<void>;
  close(): void;
}

/**
 * Watches the directory of a log: appends, rotation and the first file all show there. `wake`
 * settling counts as a change as well.
 */
export function watchLog(path: string, wake: readonly Promise<unknown>[]): ChangeSignal {
  let changed = true;
  let tell: (() => void) | undefined;
  const change = (): void => {
    changed = true;
    tell?.();
  };
  const watcher = watch(dirname(path), { persistent: false }, change);
  // A directory that is removed ends the watch; the readers' descriptors stay good, and the
  // fall-back notices the end.
  watcher.on('error', change);
  for (const promise of wake) promise.then(change, change);
  return {
    next: () =>
      new Promise((resolve) => {
        const timer = setTimeout(change, fallbackMs);
        tell = () => {
          clearTimeout(timer);
          tell = undefined;
          changed = false;
          resolve();
        };
        if (changed) tell();
      }),
    close: () => {
      watcher.close();
      tell?.();
    },
  };
}
